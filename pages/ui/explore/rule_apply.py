"""The rules behind labels: to keep as a file, and to use on these data again."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.explore import rules
from scanvi_core.services.explore.rules import Applied, LabelRule
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, from_project
from scanvi_core.services.workspace import Workspace, workspace

FILE, PROJECT = "A file of rules", "Another project"
REPORT, SEEN = "rules-report", "rules-seen"


def draw(opened: Workspace) -> None:
    """Draw the rules of this project, and the way to bring others'."""
    own = rules.logged(opened)
    if own:
        sentence = f"**{count(len(own), 'rule')}** led to labels here; History shows each."
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(sentence, width="content")
            st.download_button(
                "Download the rules", lambda: rules.to_file(opened), "rules.json",
                "application/json", key="rules-file", on_click="ignore",
                icon=":material/download:",
            )  # fmt: skip
    else:
        st.caption("Rules appear here when picked cells were named.")
    if state.recall(REPORT):
        st.success(md(state.recall(REPORT)))
        state.forget(REPORT)
    st.header("Use rules again", anchor=False)
    st.markdown("Name cells by the rules of another data set. Nothing is named before you say so.")
    brought = _chosen(opened)
    if brought:
        _preview(opened, brought)
    elif brought is not None:
        st.info("It holds no rules: they come with labels given by picking cells.")


def _chosen(opened: Workspace) -> Sequence[LabelRule] | None:
    before = from_project.candidates(opened)
    ways = [FILE, *([PROJECT] if before else [])]
    way = st.segmented_control(
        "Where the rules come from", ways, default=FILE, required=True, key="rules-from",
        label_visibility="collapsed",
    )  # fmt: skip
    try:
        if way == PROJECT:
            chosen = st.selectbox(
                "Project", list(before), index=None, format_func=before.__getitem__,
                key="rules-project", placeholder="choose a project",
            )  # fmt: skip
            return None if chosen is None else rules.logged(workspace(chosen))
        file = st.file_uploader("Rules (.json)", type="json", key="rules-upload")
        return None if file is None else rules.from_file(file.getvalue())
    except ScanviError as error:
        st.error(error_text(error))
        return None


def _preview(opened: Workspace, brought: Sequence[LabelRule]) -> None:
    """Draw what each rule would do here, and the button that does it."""
    also = st.toggle("Also cells that have a label already", key="rules-also")
    items = rules.preview(opened, brought, replace_labels=also)
    table = pd.DataFrame(
        {
            "name": [item.own.label for item in items],
            "rule": [item.own.words for item in items],
            "cells": [item.rows.size for item in items],
            "what does not fit here": [item.note for item in items],
        }
    )
    usable = [at for at, item in enumerate(items) if item.rows.size]
    event = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="multi-row",
        key=f"rules-table-{also}-{hash(tuple(map(str, table.itertuples())))}",
        selection_default={"selection": {"rows": usable}},
        column_config={"rule": st.column_config.TextColumn(width=300)},
    )  # fmt: skip
    _act(opened, [items[row] for row in event["selection"]["rows"]])


def _act(opened: Workspace, chosen: Sequence[Applied]) -> None:
    now = opened.labels().seq
    seen = state.recall(SEEN, now)
    state.remember(SEEN, now)
    n = sum(item.rows.size for item in chosen)
    closed = not n or bool(edit.read_only(opened))
    if st.button(
        f"Name {count(n, 'cell')} by {count(len(chosen), 'rule')}", type="primary",
        disabled=closed, key="rules-apply",
    ):  # fmt: skip
        do(lambda: _apply(opened, chosen, seen))


def _apply(opened: Workspace, chosen: Sequence[Applied], seen: int) -> None:
    n = rules.apply(opened, chosen, seen)
    state.forget(SEEN)
    state.remember(REPORT, f"{count(n, 'cell')} named; each rule is one step in History.")
