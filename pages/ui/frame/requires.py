"""What a page needs before it can be drawn."""

from typing import NoReturn

import streamlit as st

from pages.ui.frame import jobs, state
from pages.ui.frame.pages import OPEN, TRAIN, Page, next_button
from scanvi_core.services.projects import open_file, questions
from scanvi_core.services.runs import train_request
from scanvi_core.services.training import distributed
from scanvi_core.services.workspace import Workspace, workspace


def data_set(title: str) -> Workspace:
    """Return the opened data set; without one, say so under the title and lead to Open."""
    project = state.project_id()
    if project is None or not jobs.is_open(project):
        st.title(title, anchor=False)
    if project is None:
        locked("Open a data set first.", OPEN, "Go to Open")
    if not jobs.show_open_job(project):
        job = jobs.latest(project, open_file.OPEN)
        if job is not None and not job.status.final:
            st.stop()
        if questions.question(project) is not None:
            locked("The file has a question for you.", OPEN, "Answer it")
        locked("This data set could not be opened.", OPEN, "Open another one")
    opened = workspace(project)
    distributed.follow_again(opened)
    return opened


def first_model(opened: Workspace, what: str) -> bool:
    """While the first model is in training, say that `what` comes with it; tell whether it is."""
    job = jobs.latest(opened.id, train_request.TRAIN)
    if opened.current_run() is not None or job is None or job.status.final:
        return False
    with st.container(border=True):
        st.markdown(f"**The first model is in training. {what} when it is ready.**")
        jobs.show(job, can_stop=True)
        next_button(TRAIN, "Watch it on Train")
    return True


def locked(sentence: str, page: Page, label: str) -> NoReturn:
    """Say what a page still needs and offer the way there, in place of an empty page."""
    with st.container(border=True):
        st.markdown(f"**{sentence}**")
        next_button(page, label)
    st.stop()
