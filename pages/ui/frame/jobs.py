"""Showing background jobs: progress while they run, a sentence when they failed."""

import streamlit as st

from pages.ui.frame import dialogs, state
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services import jobs, workspace
from scanvi_core.services.formatting import duration
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import open_file, sharing
from scanvi_core.services.projects.joining import several_files

POLL_S = 0.5
LONG_S = 2.0


def show_open_job(project: str) -> bool:
    """Show the job that opens a project; return True when the project is ready."""
    if is_open(project):
        return True
    job = latest(project, open_file.OPEN)
    if job is None:
        return False
    show(job, can_stop=True)
    if job.status is JobStatus.STOPPED and not several_files.is_pending(project):
        _offer_again(project)
    return False


def is_open(project: str) -> bool:
    """Tell whether the data set is there and no job is (re)opening it."""
    job = latest(project, open_file.OPEN)
    ended = job is None or job.status in (JobStatus.DONE, JobStatus.STOPPED)
    return workspace.is_ready(project) and ended


def latest(project: str, kind: str) -> jobs.JobSnapshot | None:
    """Return the newest job of a kind, running or ended."""
    of_kind = [job for job in jobs.list_jobs(project) if job.kind == kind]
    return of_kind[-1] if of_kind else None


def show(job: jobs.JobSnapshot, *, can_stop: bool = False, about: str = "") -> None:
    """Draw a job: a bar while it runs, with a button to cancel it if it can be stopped, its error.

    A page whose own buttons stop the job leaves `can_stop` off. `about` stands before what the
    job says, where a page does not say itself what is worked out.
    """
    if job.status is JobStatus.FAILED:
        st.error(failure_text(job))
        return
    if not job.status.final:
        st.fragment(_progress, run_every=POLL_S)(job.id, can_stop, about)


def failure_text(job: jobs.JobSnapshot) -> str:
    """Return why a job failed, and what to do, as markdown."""
    message, hint = job.error or ("The job failed.", "")
    return error_text(ScanviError(message, hint))


def _offer_again(project: str) -> None:
    """Say that opening was stopped, and offer to begin again."""
    path = open_file.stopped_file(project)
    with st.container(border=True):
        st.markdown("**Opening was stopped.** Nothing of it was kept.")
        if path is None:
            return
        if st.button(f"Open {md(path.name)} again", key="open-again", icon=":material/replay:"):
            open_file.open_again(project)
            state.remember("opening", True)
            st.rerun()


def _progress(job_id: str, can_stop: bool, about: str) -> None:
    job = jobs.snapshot(job_id)
    if job.status.final:
        dialogs.redraw()
    message = md(job.message or "Waiting for another job to end")
    if job.elapsed_s >= LONG_S:  # something that moves, whatever the work tells
        message += f", {duration(job.elapsed_s)} so far"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(job.fraction, text=f"{about}: {message}" if about else message)
        label = "Stopping…" if job.stopping else "Cancel"
        can_stop = can_stop and sharing.may_change(job.project_id)
        if can_stop and st.button(label, key=f"cancel-{job.id}", disabled=job.stopping):
            jobs.cancel(job_id)
