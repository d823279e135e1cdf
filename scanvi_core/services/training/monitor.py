"""Following a run that other processes train, by what they write into its folder.

The folder is on this computer or on storage that both see; see `scanvi_core.project.heartbeat`.
"""

import time
from typing import TYPE_CHECKING, Any, NoReturn

from scanvi_core.errors import TrainingError
from scanvi_core.project import heartbeat, runs
from scanvi_core.project.run_paths import PREVIEW
from scanvi_core.project.runs import Run, status_seen
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.runs.model_in_use import take_up
from scanvi_core.services.runs.train_request import AWAITED
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    import subprocess

LOOK_EVERY_S = 0.5
GO_ON = "Go on with it: it starts from its last checkpoint."


class TeamEnded(Exception):
    """The processes have ended and the run has not."""


def follow(
    opened: Workspace, run: Run, job: jobs.Job, team: "subprocess.Popen[bytes] | None" = None
) -> str:
    """Tell the job what the processes of a run write down, until it has ended; return its id.

    Raises
    ------
    TrainingError
        If the run failed or was cut off.
    JobStopped
        If it was canceled, or given up before it began.
    TeamEnded
        If the processes that this program started end before the run.
    """
    seen = Seen(run, job)
    while not job.is_closing:  # what trains elsewhere goes on when this program ends
        over = team is not None and team.poll() is not None
        now = status_seen(run)
        seen.update(now.status)
        if now.status == runs.DONE:
            break
        if now.status in (runs.FAILED, runs.STOPPED, runs.INTERRUPTED) or over:
            if team is not None and now.status != runs.FAILED:
                raise TeamEnded(now.message)
            if now.status != runs.INTERRUPTED:  # else its computers may take it up again
                opened.project.update_settings(**{AWAITED: None})
            raise TrainingError(now.message or "The run was given up.", GO_ON)
        if job.should_stop():
            _ask_to_stop(opened, run, is_begun=team is not None or now.status != runs.WAITING)
        time.sleep(LOOK_EVERY_S)
    if job.is_closing:
        return run.id
    if job.is_canceled:
        _give_up(opened, run, runs.CANCELED)
    take_up(opened, run)
    uncertainty_job.begin(opened)
    while team is not None and team.poll() is None and not job.is_closing:
        seen.update(runs.DONE)  # the map is drawn last: the predictions are in use meanwhile
        time.sleep(LOOK_EVERY_S)
    return run.id


def _ask_to_stop(opened: Workspace, run: Run, *, is_begun: bool) -> None:
    if not is_begun:
        _give_up(opened, run, "It was given up before any computer began it.")
    heartbeat.ask_to_stop(run.paths)


def _give_up(opened: Workspace, run: Run, why: str) -> NoReturn:
    run.set_status(runs.STOPPED, why)
    opened.project.update_settings(**{AWAITED: None})
    raise jobs.JobStopped


class Seen:
    """What a job was told of a run so far."""

    def __init__(self, run: Run, job: jobs.Job) -> None:
        self.run, self.job = run, job
        self.n_records, self.picture = 0, 0

    def update(self, status: str) -> None:
        """Tell the job what is new in the folder of the run."""
        from scanvi_core.train.history import EpochRecord

        for line in self.run.records()[self.n_records :]:
            self.job.add_record(EpochRecord(**line))
            self.n_records += 1
        if status == runs.WAITING:
            self.job.report(0.03, "Waiting for the computers to begin")
        else:
            self.job.report(*heartbeat.read_progress(self.run.paths))
        drawn = self.run.array_time(f"{PREVIEW}_confusion")  # the part that is written last
        if drawn > self.picture:
            self.picture = drawn
            self.job.set_preview(PREVIEW, self._preview())

    def _preview(self) -> Any:
        from scanvi_core.annotation.layout.preview import Preview

        parts = Preview.__dataclass_fields__
        return Preview(**{part: self.run.array(f"{PREVIEW}_{part}") for part in parts})
