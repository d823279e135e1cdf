"""A training that was cut off: noticing it, and taking it up again or leaving it."""

from dataclasses import dataclass
from datetime import datetime

from scanvi_core.project.folder import open_project
from scanvi_core.project.runs import INTERRUPTED, STOPPED, Run, status_seen
from scanvi_core.services import jobs
from scanvi_core.services.runs.results import TRUTH
from scanvi_core.services.runs.train_request import AWAITED, TRAIN
from scanvi_core.services.training.start import submit
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True)
class CutOff:
    """A run that a crash, a kill or a restart ended before its time."""

    run_id: str
    epoch: int
    n_epochs: int
    since: datetime
    can_go_on: bool


def cut_off(opened: Workspace) -> CutOff | None:
    """Return the newest run of a project when it was cut off, None when it ended well.

    Nothing is said while a training runs.
    """
    started = Run.list(opened.project)
    if not started or jobs.active(opened.id, TRAIN):
        return None
    run = started[-1]
    seen = status_seen(run)
    if seen.status != INTERRUPTED or run.settings.pack is not None:  # a pack begins anew
        return None
    last = run.records()[-1:]
    epoch, n_epochs = (last[0]["epoch"], last[0]["n_epochs"]) if last else (0, 0)
    since = datetime.fromisoformat(seen.time).astimezone()
    return CutOff(run.id, epoch, n_epochs, since, run.has_array(TRUTH))


def resume(opened: Workspace, run_id: str) -> str:
    """Go on with a run that was cut off, from its last checkpoint; return the job id.

    Raises
    ------
    JobRefused
        If this project is training already.
    """
    run = Run.open(opened.project, run_id)
    if run.settings.processes > 1:
        from scanvi_core.services.training import distributed

        return distributed.go_on_here(opened, run)

    def work(job: jobs.Job) -> str:
        from scanvi_core.services.training.in_process import carry_through

        return carry_through(opened, run, job)

    return submit(opened, run.settings.train.device, work)


def leave(opened: Workspace, run_id: str) -> None:
    """Give up a run that was cut off; what it left behind is not offered again."""
    project = open_project(opened.id, to_change=True)
    run = Run.open(project, run_id)
    run.set_status(STOPPED, "It was cut off and not taken up again.")
    project.update_settings(**{AWAITED: None})
    run.paths.checkpoint.unlink(missing_ok=True)
