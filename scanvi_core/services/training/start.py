"""Training a model on a project in the background."""

from collections.abc import Callable

from scanvi_core.errors import LabelsUnusable
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.runs.inputs import check_labels
from scanvi_core.services.runs.train_request import PACE, TRAIN, TrainRequest, lane
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

    return submit(opened, request.train.device, work)


def submit(opened: Workspace, device: str, work: Callable[[jobs.Job], str]) -> str:
    """Begin a job that trains and then looks at what the model does not know; return its id."""

    def train_and_diagnose(job: jobs.Job) -> str:
        run_id = work(job)
        uncertainty_job.begin(opened)
        return run_id

    for measuring in jobs.active(opened.id, PACE):  # it would only stand in the way
        jobs.stop(measuring.id)
    return jobs.submit(jobs.JobRequest(opened.id, TRAIN, lane(device), train_and_diagnose))
