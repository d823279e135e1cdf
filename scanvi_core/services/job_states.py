"""What a job is asked to do, and what pages see of it."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any


class JobStatus(enum.StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def final(self) -> bool:
        """Whether nothing will follow."""
        return self not in (JobStatus.QUEUED, JobStatus.RUNNING)


class JobStopped(Exception):
    """The work ends here, since the user asked for it; see `Job.step`."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What to do.

    Attributes
    ----------
    project_id
        The project it belongs to.
    kind
        For example ``train``; one active job per project and kind.
    lane
        For example ``train:cpu``; one job at a time per lane.
    work
        Called with the `Job`; what it returns is the result. It may do what who submits it may.
    changes
        Whether it changes the project; else who may see that may submit and stop it.
    """

    project_id: str
    kind: str
    lane: str
    work: Callable[[Any], Any]
    changes: bool = True


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job at one moment; nothing in it changes.

    Attributes
    ----------
    fraction
        Progress from 0 to 1.
    records
        All records so far, in order.
    previews
        Per name the version and the value of the latest preview.
    error
        Message and hint, when it failed.
    stopping
        Whether a running job was asked to stop.
    elapsed_s
        Seconds of work so far, by a clock that is never set back.
    version
        Grows with each change of the job.
    """

    id: str
    project_id: str
    kind: str
    lane: str
    status: JobStatus = JobStatus.QUEUED
    fraction: float = 0.0
    message: str = ""
    stopping: bool = False
    records: tuple[Any, ...] = ()
    previews: Mapping[str, tuple[int, Any]] = field(default_factory=lambda: MappingProxyType({}))
    error: tuple[str, str] | None = None
    result: Any = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    elapsed_s: float = 0.0
    version: int = 0
