"""Names that differ between batches: which are the same, which are part of others."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from scanvi_core.services.formatting import count
from scanvi_core.services.labels.names import vocabularies
from scanvi_core.services.labels.names.vocabularies import PART, SAME, Line
from scanvi_core.services.workspace import Workspace

ASKED = "vocabularies-asked"
DO, NAME, CELLS, IS, OTHER = "do it", "name", "cells", "is", "other name"
THERE, BACK, WHY = "called so elsewhere", "the other way", "what names say"
IN_WORDS = {SAME: "the same as", PART: "part of"}


def draw(opened: Workspace) -> None:
    """Draw what is proposed, once it is asked for; nothing where all batches share their names."""
    if not vocabularies.differ(opened):
        return
    with st.expander("Names that differ between batches", expanded=state.recall(ASKED, False)):
        if state.recall(ASKED, False):
            _lines(opened)
            return
        st.markdown(
            "Some names are used in some batches only. They may mean the same cells as others, "
            "or a part of them."
        )
        st.button(
            "Compare these names", key="vocabularies-ask",
            on_click=state.remember, args=(ASKED, True),
        )  # fmt: skip


def _lines(opened: Workspace) -> None:
    with st.spinner("Comparing the cells of different batches"):
        lines = vocabularies.lines(opened)
    if not lines:
        st.markdown("No two names of different batches look alike.")
        return
    edited = st.data_editor(
        _table(lines), hide_index=True, key=f"vocabularies-{opened.labels().seq}-{len(lines)}",
        disabled=[NAME, CELLS, IS, OTHER, THERE, BACK, WHY], column_config=_columns(),
    )  # fmt: skip
    ticked = [line for line, wanted in zip(lines, edited[DO], strict=True) if wanted]
    left = [line for line in lines if line not in ticked]
    st.caption(
        "The same: the name on the left becomes the other. Part of: it stays, under the other. "
        "Tick what you agree with; undo takes it back."
    )
    with st.container(horizontal=True):
        if st.button(_said(ticked), type="primary", key="vocabularies-do", disabled=not ticked):
            state.forget(ASKED)
            do(lambda: vocabularies.take(opened, ticked))
        if left and st.button(
            f"{count(len(left), 'pair')} not ticked: different cells", key="vocabularies-apart",
            help="These are not asked about again.",
        ):  # fmt: skip
            do(lambda: vocabularies.tell_apart(opened, left))


def _table(lines: tuple[Line, ...]) -> pd.DataFrame:
    rows = [
        (line.is_sure, line.name, line.n_cells, IN_WORDS[line.how], line.other,
         round(line.there, 2), round(line.back, 2), line.why)
        for line in lines
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[DO, NAME, CELLS, IS, OTHER, THERE, BACK, WHY])


def _columns() -> dict[str, Any]:
    model = "A model of the batches that do not use this name says so of its cells."
    return {
        DO: st.column_config.CheckboxColumn(width="small"),
        THERE: st.column_config.NumberColumn(format="percent", help=model),
        BACK: st.column_config.NumberColumn(format="percent", help="Cells of the other name."),
    }


def _said(ticked: list[Line]) -> str:
    """Say what the button does."""
    same = sum(line.how == SAME for line in ticked)
    parts = [f"Merge {count(same, 'name')}"] if same else []
    if len(ticked) > same:
        verb = "put" if parts else "Put"
        parts.append(f"{verb} {count(len(ticked) - same, 'name')} under others")
    return ", ".join(parts) or "Nothing is ticked"
