"""Work in the background: one job at a time per lane, the others wait in sight.

Nothing outside this module knows that a job is a thread. Pages read frozen snapshots; a job ends
in a final state whatever happens in it.
"""

import atexit
import os
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from scanvi_core.errors import JobRefused, ProjectError
from scanvi_core.project import access
from scanvi_core.project.folder import open_project
from scanvi_core.services import failures
from scanvi_core.services.job_states import (
    JobRequest,
    JobSnapshot,
    JobStatus,
    JobStopped,
)

__all__ = ["Job", "JobRequest", "JobSnapshot", "JobStatus", "JobStopped", "active",
           "cancel", "give_way", "list_jobs", "shutdown", "snapshot", "stop", "submit",
           "wait"]  # fmt: skip
KEPT_PER_PROJECT = 50  # finished jobs
EXIT_WAIT_S = 5.0


class Job:
    """The side of a job that the work sees; its methods may be called from any thread.

    Attributes
    ----------
    watched
        Whether someone may look at previews; without them the work is done sooner.
    tells_time
        Whether its messages say how much time is left; not where who is told does.
    is_closing
        Whether it is the end of the program that asks the work to end.
    is_canceled
        Whether who asks the work to end wants nothing of it: it then raises `JobStopped`.
    """

    watched = True
    tells_time = True

    def __init__(self, request: JobRequest) -> None:
        self.id = secrets.token_urlsafe(9)
        self.project_id = request.project_id
        self.changes = request.changes
        self._person = access.asking()
        self._work: Callable[[Job], Any] | None = request.work
        self._stop = threading.Event()
        self.is_closing = self.is_canceled = False
        self._began: float | None = None
        self._now = JobSnapshot(self.id, request.project_id, request.kind, request.lane)

    def report(self, fraction: float, message: str = "") -> None:
        """Say how far it is, from 0 to 1; an empty message keeps the last one."""
        with _changed:
            message = message or self._now.message
            self._set(fraction=min(1.0, max(0.0, float(fraction))), message=message)

    def step(self, fraction: float, message: str = "") -> None:
        """Say how far it is, and end the work here when the user asks for that.

        Raises
        ------
        JobStopped
            If it was asked to stop; the job then counts as stopped.
        """
        if self.should_stop():
            raise JobStopped
        self.report(fraction, message)

    def add_record(self, record: Any) -> None:
        """Add a record: a frozen dataclass, or a mapping, of which a copy is kept."""
        if isinstance(record, Mapping):
            record = MappingProxyType(dict(record))
        with _changed:
            self._set(records=(*self._now.records, record))

    def set_preview(self, name: str, value: Any) -> None:
        """Show a value under a name; of an array a read-only copy is kept.

        Any other value must be left alone by the work afterwards.
        """
        if isinstance(value, np.ndarray):
            value = value.copy()
            value.setflags(write=False)
        with _changed:
            version = self._now.previews.get(name, (0, None))[0] + 1
            previews = {**self._now.previews, name: (version, value)}
            self._set(previews=MappingProxyType(previews))

    def should_stop(self) -> bool:
        """Tell whether the user, or the end of the program, asks the work to end early."""
        return self._stop.is_set()

    def _set(self, **changes: Any) -> None:
        """Replace the state, count the change and wake those who wait; the lock is held."""
        self._now = replace(self._now, version=self._now.version + 1, **changes)
        _changed.notify_all()

    def _seen(self) -> JobSnapshot:
        """Return the state with the time worked so far; the lock is held."""
        if self._began is None or self._now.status.final:
            return self._now
        return replace(self._now, elapsed_s=time.monotonic() - self._began)

    def _finish(self, status: JobStatus, **changes: Any) -> None:
        """Enter a final state; the lock is held."""
        elapsed = self._seen().elapsed_s
        self._work = None  # what it holds, often a data set, may go
        self._set(
            status=status, finished_at=datetime.now(UTC), elapsed_s=elapsed, stopping=False,
            **changes,
        )  # fmt: skip

    def _run(self) -> None:
        """Do the work, on the thread of the lane, and enter a final state."""
        with _changed:
            work = self._work
            if work is None:  # stopped while it waited
                return
            self._began = time.monotonic()
            self._set(status=JobStatus.RUNNING, started_at=datetime.now(UTC))
        result, error = None, None
        try:
            with access.acting_for(self._person):
                result = work(self)
        except JobStopped:
            pass  # what it asked for
        except BaseException as failure:  # noqa: BLE001  a thread has no caller to raise to
            error = failures.in_words(failure, self.id)
        with _changed:
            if error is not None:
                self._finish(JobStatus.FAILED, error=error)
            elif self._stop.is_set():
                self._finish(JobStatus.STOPPED, result=result)
            else:
                self._finish(JobStatus.DONE, result=result, fraction=1.0)


_changed = threading.Condition()  # guards the registry and every job; told of each change
_jobs: dict[str, Job] = {}  # in order of submission
_lanes: "dict[str, tuple[threading.Thread, queue.SimpleQueue[Job | None]]]" = {}


def submit(request: JobRequest) -> str:
    """Queue a job and return its id.

    Raises
    ------
    ProjectError
        `JobRefused` if one of this kind is queued or running for the project; if it is not theirs.
    """
    access.check_no_visit()
    _check(request.project_id, changes=request.changes)
    with _changed:
        if active(request.project_id, request.kind):
            raise JobRefused(
                f"A job of this kind ({request.kind}) is already under way in this project.",
                "Wait until it ends, or stop it.",
            )
        job = Job(request)
        _jobs[job.id] = job
        _drop_old(request.project_id)
        if request.lane not in _lanes:
            _lanes[request.lane] = _open_lane(request.lane)
        _lanes[request.lane][1].put(job)
    return job.id


def snapshot(job_id: str) -> JobSnapshot:
    """Return a job as it is now.

    Raises
    ------
    ProjectError
        If there is no such job (any more).
    """
    with _changed:
        return _find(job_id)._seen()


def stop(job_id: str) -> None:
    """Ask a job to end; one that still waits ends at once, a final one stays as it is."""
    with _changed:
        _stop(_find(job_id, to_change=True))


def cancel(job_id: str) -> None:
    """Ask a job to end and to leave things as they were before it; see `stop`."""
    with _changed:
        job = _find(job_id, to_change=True)
        job.is_canceled = True
        _stop(job)


def list_jobs(project_id: str) -> list[JobSnapshot]:
    """Return the jobs of a project, the oldest first."""
    _check(project_id)
    with _changed:
        return [job._seen() for job in _jobs.values() if job.project_id == project_id]


def active(project_id: str, kind: str | None = None) -> list[JobSnapshot]:
    """Return the queued and running jobs of a project, of one kind or of all."""
    jobs = [job for job in list_jobs(project_id) if not job.status.final]
    return [job for job in jobs if kind in (None, job.kind)]


def wait(
    job_id: str, timeout_s: float | None = None, newer_than: int | None = None
) -> JobSnapshot:
    """Wait until a job ends, or its version grows past `newer_than`; return it as it is then.

    When `timeout_s` seconds pass first, the job is returned as it is.
    """
    with _changed:
        job = _find(job_id)
        _changed.wait_for(
            lambda: (
                job._now.status.final or (newer_than is not None and job._now.version > newer_than)
            ),
            timeout_s,
        )
        return job._seen()


def shutdown(timeout_s: float = EXIT_WAIT_S) -> bool:
    """Stop all jobs and wait for their threads; return whether all ended in time."""
    with _changed:
        lanes = list(_lanes.values())
        _lanes.clear()
        for job in _jobs.values():
            job.is_closing = True
            _stop(job)
        for _, waiting in lanes:
            waiting.put(None)
    deadline = time.monotonic() + timeout_s
    for thread, _ in lanes:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread, _ in lanes)


def _check(project_id: str, *, changes: bool = False) -> None:
    """Raise `ProjectError` if who asks may not see the project, or not change it."""
    if access.asking() is not None:
        open_project(project_id.partition("/")[0], to_change=changes)  # drawers: "id/name"


def _open_lane(name: str) -> "tuple[threading.Thread, queue.SimpleQueue[Job | None]]":
    waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    thread = threading.Thread(
        target=_work_through, args=(waiting,), name=f"lane {name}", daemon=True
    )
    thread.start()
    return thread, waiting


def _work_through(waiting: "queue.SimpleQueue[Job | None]") -> None:
    while (job := waiting.get()) is not None:
        job._run()


def _find(job_id: str, *, to_change: bool = False) -> Job:
    job = _jobs.get(job_id)
    if job is None:
        raise ProjectError("This job is not known any more.", "Look at the list of runs.")
    _check(job.project_id, changes=to_change and job.changes)
    return job


def _stop(job: Job) -> None:
    if job._now.status.final:
        return
    job._stop.set()
    if job._now.status is JobStatus.QUEUED:
        job._finish(JobStatus.STOPPED)
    else:
        job._set(stopping=True)


def _drop_old(project_id: str) -> None:
    final = [job for job in list_jobs(project_id) if job.status.final]
    for job in final[: max(0, len(final) - KEPT_PER_PROJECT)]:
        del _jobs[job.id]


atexit.register(shutdown)


NICENESS = 10


def give_way() -> None:
    """Let everything else go first: on Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
