"""Sending the history to a colleague, taking theirs over, and what the two of you differ on."""

import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.server import login
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, history
from scanvi_core.services.projects import users
from scanvi_core.services.workspace import Workspace

DIFFERENCES = 10


def draw(opened: Workspace) -> None:
    """Draw the download, the upload, and how well people agree."""
    _your_name()
    st.download_button(
        "Download the history", data=lambda: history.export_log(opened), key="download-log",
        file_name=f"{opened.project.name}.history.jsonl", mime="application/jsonl",
        icon=":material/download:",
        help="Every step, as lines of text. It can be taken over wherever the same file is open.",
    )  # fmt: skip
    file = st.file_uploader(
        "Take over a colleague's history of the same cells", key="upload-log",
        disabled=bool(edit.read_only(opened)),
        help="Verified: that you took it over, and when. Who did what in it, only the file says.",
    )  # fmt: skip
    if file is not None and state.recall("log-taken") != file.file_id:
        state.remember("log-taken", file.file_id)
        _take_over(opened, file.getvalue())
    report = state.recall("log-report")
    if report is not None:
        st.markdown(report)
        table = state.recall("log-agreement")
        if table is not None and len(table):
            st.caption("Agreement over the cells you both named: 1 is full, 0 is chance.")
            st.dataframe(table, hide_index=True)


def _your_name() -> None:
    if login.person():  # stands in the sidebar, and is nobody's to choose
        return
    name = st.text_input(
        "Your name in the history", state.person(), key="person",
        placeholder=users.account() or "nobody",
        help="Written beside every step you make in this tab from now on.",
    )  # fmt: skip
    try:
        state.set_person(users.clean(name))
    except ScanviError as error:
        st.error(error_text(error))


def _take_over(opened: Workspace, text: bytes) -> None:
    try:
        taken = history.import_log(opened, text)
    except ScanviError as error:
        st.error(error_text(error))
        return
    if taken is None:
        report = "The history was taken over as it is."
    elif taken.payload is None:
        report = f"Nothing new: the work of {md(taken.who)} was here already."
    else:
        report = (
            f"{count(taken.n_events, 'step')} taken over, by their own word of {md(taken.who)}. "
            f"You differ on {count(taken.n_conflicts, 'cell')}."
        )
    state.remember("log-report", report)
    state.remember("log-agreement", None if taken is None else history.agreement_table(taken))
    st.rerun()


def draw_differences(opened: Workspace) -> None:
    """Draw what people differ on and nobody has decided yet, if there is such a thing."""
    differences = history.conflicts(opened)
    if not differences:
        return
    with st.container(border=True, key="differences"):
        st.header("To be decided")
        st.markdown("You differ on these cells. They have no label until somebody names them.")
        st.caption("Names from a history that was taken over are what it claims.")
        for i, item in enumerate(differences[:DIFFERENCES]):
            versions = "; ".join(f"{who}: {label or 'no label'}" for who, label in item.versions)
            st.markdown(f"**{count(len(item.rows), 'cell')}.** {md(versions)}")
            names = list(dict.fromkeys(label for _, label in item.versions if label))
            with st.container(horizontal=True):
                for label in names:
                    if st.button(f"{md(label)} is right", key=f"decide-{i}-{label}"):
                        _decide(opened, item, label)


def _decide(opened: Workspace, item: history.Difference, label: str) -> None:
    reason = "decided between people"
    do(lambda: edit.name_cells(opened, item.rows, label, reason=reason))
