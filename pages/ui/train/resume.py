"""A training run that was cut off: what it reached, and one click to go on with it."""

import streamlit as st

from pages.ui.frame.pages import TRAIN, go
from pages.ui.text import error_text
from scanvi_core.errors import ScanviError
from scanvi_core.services.projects import sharing
from scanvi_core.services.training import resume
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace) -> bool:
    """Say that the last training was cut off, and offer to go on or to leave it; tell if so."""
    run = resume.cut_off(opened)
    if run is None or not sharing.may_change(opened.id):
        return False
    reached = (
        f" at epoch {run.epoch} of {run.n_epochs}" if run.epoch else " before its first epoch"
    )
    with st.container(border=True, key="cut-off"):
        st.markdown(
            f":orange[:material/power_off:] **Training was interrupted{reached}** "
            f"({run.since:%d %b, %H:%M}): the program was closed. Your labels are saved."
        )
        with st.container(horizontal=True):
            if run.can_go_on and st.button(
                "Go on training", type="primary", key="resume", icon=":material/resume:"
            ):
                _resume(opened, run.run_id)
            if st.button("Leave it", key="leave-run"):
                resume.leave(opened, run.run_id)
                st.rerun()
    return True


def _resume(opened: Workspace, run_id: str) -> None:
    try:
        resume.resume(opened, run_id)
    except ScanviError as error:
        st.error(error_text(error))
    else:
        go(TRAIN)
