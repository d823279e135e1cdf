"""Labels of the user's file that look wrong: keep them or change them, from a list."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.ui.frame import state
from pages.ui.text import error_text
from scanvi_core.errors import ScanviError
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.diagnostics.uncertainty import LabelIssue
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import Workspace

SEEN = "issues-seen"  # the step of the history that the list was drawn at
MOST_ROWS = 8


def section(opened: Workspace) -> None:
    """Draw the list and its two buttons; nothing when no label looks wrong."""
    issues = uncertainty.label_issues(opened)
    if not issues:
        return
    now = opened.labels().seq
    with st.container(border=True):
        st.header(f"{count(len(issues), 'label')} of your file may be wrong", anchor=False)
        st.caption(
            "Models that were not shown the label would name these cells otherwise. Of ten that "
            "are listed, about nine are expected to be wrong. Tick cells, then decide."
        )
        chosen = _list(opened, issues, now)
        seen = state.recall(SEEN, now)
        state.remember(SEEN, now)
        closed = not chosen or bool(edit.read_only(opened))
        with st.container(horizontal=True):
            cells = f" {count(len(chosen), 'label')}" if chosen else ""
            if st.button(
                f"Change{cells} to the suggestion", key="issues-change", type="primary",
                disabled=closed,
            ):  # fmt: skip
                _decide(opened, chosen, seen, keep=False)
            if st.button(f"Keep{cells or ' the label'}", key="issues-keep", disabled=closed):
                _decide(opened, chosen, seen, keep=True)


def _list(opened: Workspace, issues: Sequence[LabelIssue], now: int) -> list[LabelIssue]:
    """Draw one row per cell; return the ticked ones."""
    names = opened.dataset.obs_names
    table = pd.DataFrame(
        {
            "cell": [names[issue.row] for issue in issues],
            "label in your file": [issue.given for issue in issues],
            "looks like": [issue.suggestion for issue in issues],
            "wrong with probability": [100 * issue.score for issue in issues],
        }
    )
    event = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="multi-row",
        key=f"issues-{now}",  # ticks belong to the rows of this very list
        height="content" if len(table) <= MOST_ROWS else 35 * (MOST_ROWS + 1),
        column_config={"wrong with probability": st.column_config.NumberColumn(format="%.1f %%")},
    )  # fmt: skip
    return [issues[row] for row in event["selection"]["rows"]]


def _decide(opened: Workspace, chosen: list[LabelIssue], seen: int, *, keep: bool) -> None:
    try:
        uncertainty.decide(opened, chosen, keep=keep, seen=seen)
    except ScanviError as error:
        st.error(error_text(error))
        return
    state.forget(SEEN)
    st.rerun()
