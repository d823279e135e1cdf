"""Training a model on a project: what would happen, starting it, and the work itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from scanvi_core.errors import LabelsUnusable
from scanvi_core.project.folder import open_project
from scanvi_core.project.runs import INTERRUPTED, STOPPED, Run, status_seen
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.runs.inputs import check_labels
from scanvi_core.services.runs.results import TRUTH
from scanvi_core.services.runs.train_request import AWAITED, TRAIN, TrainRequest, lane
from scanvi_core.services.training.train_plan import holdout_was_seen
from scanvi_core.services.workspace import Workspace


def start(opened: Workspace, request: TrainRequest) -> str:
    """Start training in the background; return the job id.

    Raises
    ------
    LabelsUnusable
        If the labels cannot train a model, or the model to go on from has seen the hold-out.
    JobRefused
        If this project is training already.
    """
    check_labels(opened)
    if request.warm and holdout_was_seen(opened):
        raise LabelsUnusable(
            "The current model has learned labels that are set aside now, so its score would "
            "flatter it.",
            "Train from the start on the Train page.",
        )

    def work(job: jobs.Job) -> str:
        from scanvi_core.services.training.in_process import train

        return train(opened, request, job)

    return _submit(opened, request.train.device, work)


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
    if seen.status != INTERRUPTED:
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

    return _submit(opened, run.settings.train.device, work)


def leave(opened: Workspace, run_id: str) -> None:
    """Give up a run that was cut off; what it left behind is not offered again."""
    project = open_project(opened.id, to_change=True)
    run = Run.open(project, run_id)
    run.set_status(STOPPED, "It was cut off and not taken up again.")
    project.update_settings(**{AWAITED: None})
    run.paths.checkpoint.unlink(missing_ok=True)


def _submit(opened: Workspace, device: str, work: Callable[[jobs.Job], str]) -> str:
    def train_and_diagnose(job: jobs.Job) -> str:
        run_id = work(job)
        uncertainty_job.begin(opened)
        return run_id

    return jobs.submit(jobs.JobRequest(opened.id, TRAIN, lane(device), train_and_diagnose))
