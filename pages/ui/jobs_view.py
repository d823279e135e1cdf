"""Showing background jobs: progress while they run, a sentence when they failed."""

import streamlit as st

from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services import jobs, workspace
from scanvi_core.services.jobs import JobStatus

POLL_S = 0.5


def show_open_job(project: str) -> bool:
    """Show the job that opens a project; return True when the project is ready."""
    if is_open(project):
        return True
    job = latest(project, workspace.OPEN)
    if job is not None:
        show(job)
    return False


def is_open(project: str) -> bool:
    """Tell whether the data set is there and no job is (re)opening it."""
    job = latest(project, workspace.OPEN)
    return workspace.is_ready(project) and (job is None or job.status is JobStatus.DONE)


def latest(project: str, kind: str) -> jobs.JobSnapshot | None:
    """Return the newest job of a kind, running or ended."""
    found = [job for job in jobs.list_jobs(project) if job.kind == kind]
    return found[-1] if found else None


def show(job: jobs.JobSnapshot) -> None:
    """Draw a job: a bar while it runs, its error when it failed."""
    if job.status is JobStatus.FAILED:
        st.error(failure_text(job))
        return
    if not job.status.final:
        st.fragment(_progress, run_every=POLL_S)(job.id)


def failure_text(job: jobs.JobSnapshot) -> str:
    """Return why a job failed, and what to do, as markdown."""
    message, hint = job.error or ("The job failed.", "")
    return error_text(ScanviError(message, hint))


def _progress(job_id: str) -> None:
    job = jobs.snapshot(job_id)
    if job.status.final:
        st.rerun()
    st.progress(job.fraction, text=md(job.message or "Waiting for another job to end"))
