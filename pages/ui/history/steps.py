"""The steps with their filter, what can be done with one of them, and two moments compared."""

from typing import Literal

import pandas as pd
import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, history, provenance
from scanvi_core.services.workspace import Workspace

SHOWN = ["step", "when", "what", "who", "why", "proof"]
HEIGHT, ROW = 320, 35  # pixels of a long table, and of a row or the names of columns
CHOSEN = "history-step"  # of this tab


def draw(opened: Workspace) -> None:
    """Draw the filter, the actions for the step that was clicked, and the steps."""
    steps = _filtered(history.table(opened))
    warning = history.warning(opened)
    if warning:
        st.warning(md(warning))
    report = state.recall("history-report")
    if report:
        st.success(md(report))
        state.forget("history-report")
    place = st.container(key="history-actions")  # in sight, whatever the length of the table
    chosen = _table(opened, steps)
    with place:
        if chosen is None:
            st.caption("Click a row to go back to it, or to take back only that step.")
        else:
            _actions(opened, chosen)
    _note(opened)


def _table(opened: Workspace, steps: pd.DataFrame) -> pd.Series | None:
    """Draw the steps; return the chosen one, which stays chosen while rows come and go."""
    what = steps["what"].where(~steps["undone"].astype(bool), "(undone) " + steps["what"])
    who = steps["who"].where(steps["verified"].astype(bool), "says: " + steps["who"])
    shown = steps.assign(what=what, who=who)[SHOWN]
    numbers = steps["step"].tolist()
    before = state.recall(CHOSEN)
    rows = [numbers.index(before)] if before in numbers else []
    event = st.dataframe(
        shown, hide_index=True, height=_height(shown),
        on_select="rerun", selection_mode="single-row",
        key=f"steps-{opened.labels().seq}-{hash(tuple(numbers))}",  # ticks belong to these rows
        selection_default={"selection": {"rows": rows}},
        column_config={
            "step": st.column_config.NumberColumn(width=45),
            "when": st.column_config.DatetimeColumn(format="D MMM HH:mm", width=95),
            "what": st.column_config.TextColumn(width=290),
            "who": st.column_config.TextColumn(width=190),
            "why": st.column_config.TextColumn(width=100),
            "proof": st.column_config.TextColumn(width=165, help=provenance.HELP),
        },
    )  # fmt: skip
    rows = event["selection"]["rows"]
    state.remember(CHOSEN, numbers[rows[0]] if rows else None)
    return steps.iloc[rows[0]] if rows else None


def _note(opened: Workspace) -> None:
    with (
        st.form("note", border=False, clear_on_submit=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        text = st.text_input("Note", placeholder="why, who said so, what to look at again")
        saved = st.form_submit_button("Write it down", icon=":material/edit_note:")
    if saved and text.strip():
        do(lambda: history.note(opened, text))


def _filtered(steps: pd.DataFrame) -> pd.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Find", key="history-text", placeholder="a type, a reason, a name")
        kinds = st.multiselect(
            "Kinds", sorted(steps["kind"].unique()), key="history-kinds", placeholder="all"
        )
        people = [name for name in sorted(steps["who"].unique()) if name]
        who = st.selectbox("Who", people, index=None, key="history-who", placeholder="everybody")
    keep = pd.Series(True, index=steps.index)
    if text:
        searched = steps["what"] + " " + steps["why"] + " " + steps["who"] + " " + steps["proof"]
        keep &= searched.str.contains(text, case=False, regex=False)
    if kinds:
        keep &= steps["kind"].isin(kinds)
    if who:
        keep &= steps["who"] == who
    return steps[keep]


def _actions(opened: Workspace, row: pd.Series) -> None:
    step = int(row["step"])
    why = f" (why: {md(row['why'])})" if row["why"] else ""
    st.markdown(f"**Step {step}:** {md(row['what'])}{why}")
    st.caption(md(row["proof_text"]))
    closed = bool(edit.read_only(opened))
    with st.container(horizontal=True):
        if st.button("Go back to here", key="go-back", icon=":material/history:", disabled=closed,
                     help="Takes back every later step. Redo brings them back."):  # fmt: skip
            _go_back(opened, step)
        changes = row["kind"] not in ("undo", "redo", "note", "checkpoint")
        if changes and st.button(
            "Take back only this", key="take-back", icon=":material/undo:",
            disabled=closed or bool(row["undone"]),
        ):  # fmt: skip
            _take_back(opened, step)


def _go_back(opened: Workspace, step: int) -> None:
    try:
        n = history.go_back_to(opened, step)
    except ScanviError as error:
        st.error(error_text(error))
        return
    state.remember("history-report", f"{count(n, 'later step')} taken back.")
    st.rerun()


def _take_back(opened: Workspace, step: int) -> None:
    try:
        history.take_back_only(opened, step)
    except ScanviError as error:
        st.error(error_text(error))
        rows = getattr(error, "rows", None)  # only a step that others build on has cells
        if rows is not None and len(rows):
            names = history.cell_names(opened, rows)
            more = f" and {len(rows) - len(names):,} more" if len(rows) > len(names) else ""
            with st.expander(f"The {count(len(rows), 'cell')} later steps changed"):
                st.markdown(f"{md(', '.join(names))}{more}")
        return
    state.remember("history-report", f"Step {step} was taken back.")
    st.rerun()


def compare(opened: Workspace) -> None:
    """Draw the naming of the present moment, and the comparison of two moments."""
    with st.form("checkpoint", border=False, clear_on_submit=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input("Name this moment", placeholder="before the review")
            saved = st.form_submit_button("Save it", icon=":material/bookmark_add:")
        if saved and name.strip():
            do(lambda: history.checkpoint(opened, name))
    moments = history.moments(opened)
    steps = list(moments)
    names = {step: f"{moments[step]} (step {step})" if step else moments[step] for step in steps}
    left, right = st.columns(2)
    before = left.selectbox("From", steps, format_func=names.__getitem__, key="compare-from",
                            index=max(0, len(steps) - 2))  # fmt: skip
    after = right.selectbox("To", steps, format_func=names.__getitem__, key="compare-to",
                            index=len(steps) - 1)  # fmt: skip
    if before is None or after is None:
        return
    changed = history.compare(opened, before, after)
    total = int(changed["cells"].sum())
    st.markdown(f"**{count(total, 'cell')}** with another label.")
    if total:
        st.dataframe(changed, hide_index=True, height=_height(changed))


def _height(table: pd.DataFrame) -> int | Literal["content"]:
    """Return the height of a table: that of its rows, as far as they are few."""
    return HEIGHT if ROW * (len(table) + 1) > HEIGHT else "content"
