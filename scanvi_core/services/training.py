"""Training a model on a project: what would happen, starting it, and the work itself."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime

import numpy as np

from scanvi_core import config, runtime
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.errors import InputError, LabelsUnusable
from scanvi_core.project.folder import open_project
from scanvi_core.project.runs import INTERRUPTED, STOPPED, Run, status_seen
from scanvi_core.services import doubt_job, jobs
from scanvi_core.services.design import check_labels, design_of
from scanvi_core.services.results import TRUTH
from scanvi_core.services.workspace import Workspace, workspace

TRAIN = "train"
AWAITED = "awaited"  # in the settings of a project: the run that other processes train


@dataclass(frozen=True)
class TrainRequest:
    """What to train: the two groups of settings, and whether to go on from the current model."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    warm: bool = False


@dataclass(frozen=True)
class TrainPlan:
    """What a training run would use, for the line above the button."""

    n_obs: int
    n_genes: int
    n_labels: int
    n_labelled: int
    n_batches: int
    n_holdout: int
    duration: str
    problem: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()


def plan(project_id: str, request: TrainRequest) -> TrainPlan:
    """Describe what training with these settings would use; problems are told, not raised."""
    opened = workspace(project_id)
    problem = hint = ""
    try:
        check_labels(opened)
    except InputError as error:
        problem, hint = error.message, error.hint
    design = design_of(opened)
    known = design.y[design.y >= 0]
    counts = np.bincount(known, minlength=len(design.code_names))[: len(design.label_names)]
    rare = [
        name for name, n in zip(design.label_names, counts, strict=True) if n < config.RARE_CELLS
    ]
    notes = []
    if rare:
        notes.append(
            f"{', '.join(rare)}: fewer than {config.RARE_CELLS} labelled cells. "
            "Trained on, but left out of scores."
        )
    if (opened.labels().codes >= 0).all():
        notes.append("Every cell is labelled: this run checks the labels you have.")
    if opened.dataset.n_obs < 200:
        notes.append("Few cells: treat the result as a first hint.")
    return TrainPlan(
        n_obs=int(design.rows.sum()),
        n_genes=min(request.train.n_top_genes, opened.dataset.n_vars),
        n_labels=len(design.label_names),
        n_labelled=int(known.size),
        n_batches=len(design.batch_names),
        n_holdout=int(design.holdout.sum()),
        duration=duration_words(request, int(design.rows.sum()), opened.dataset.n_vars),
        problem=problem,
        hint=hint,
        notes=tuple(notes),
    )


def duration_words(request: TrainRequest, n_obs: int, n_vars: int) -> str:
    """Say where training will run and, for a CPU, about how long it takes.

    The time per step follows 15 ms + 9 us per gene, as measured on one core.
    """
    device = device_name(request.train.device)
    if device != "cpu":
        return f"Runs on {device}."
    n_genes = min(request.train.n_top_genes, n_vars)
    steps = config.RETRAIN_STEPS if request.warm else request.train.n_steps(n_obs)
    scale = (request.train.batch_size + request.train.labelled_batch_size) / 192
    seconds = steps * (0.015 + 9e-6 * n_genes) * scale
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"About {about} on this computer's CPU."


def device_name(name: str) -> str:
    """Return the device that training would run on, without importing torch when it can wait."""
    if name == "auto" and "torch" not in sys.modules:
        return "auto"
    return str(runtime.choose_device(name))


def can_go_on(project_id: str, model: ModelConfig) -> bool:
    """Tell whether the current model can be trained further with these model settings."""
    run = workspace(project_id).current_run()
    if run is None:
        return False
    if holdout_was_seen(workspace(project_id)):
        return False
    frozen = run.settings
    same_batches = frozen["batch_key"] == workspace(project_id).project.settings.get("batch_key")
    return frozen["model"] == asdict(model) and same_batches


def update_request(project_id: str) -> TrainRequest:
    """Return the request that trains the current model on the labels as they are now.

    It goes on from the current weights where that is honest and possible, else from the start.
    """
    run = workspace(project_id).current_run()
    if run is None:
        return TrainRequest()
    model = ModelConfig(**run.settings["model"])
    train = TrainConfig(**run.settings["train"])
    return TrainRequest(model, train, warm=can_go_on(project_id, model))


def holdout_was_seen(opened: Workspace) -> bool:
    """Tell whether the current model, or one it goes on from, learnt labels now set aside."""
    run, aside = opened.current_run(), opened.labels().holdout
    while run is not None:
        if (run.array("y")[aside] >= 0).any():
            return True
        earlier = run.settings["warm_from"]
        run = Run.open(opened.project, earlier) if earlier else None
    return False


def start(project_id: str, request: TrainRequest) -> str:
    """Start training in the background; return the job id.

    Raises
    ------
    LabelsUnusable
        If the labels cannot train a model, or the model to go on from has seen the hold-out.
    JobRefused
        If this project is training already.
    """
    opened = workspace(project_id)
    check_labels(opened)
    if request.warm and holdout_was_seen(opened):
        raise LabelsUnusable(
            "The current model has learnt labels that are set aside now, so its score would "
            "flatter it.",
            "Train from the start on the Train page.",
        )

    def work(job: jobs.Job) -> str:
        from scanvi_core.services.run import train

        return train(opened, request, job)

    return _submit(project_id, request.train.device, work)


@dataclass(frozen=True)
class CutOff:
    """A run that a crash, a kill or a restart ended before its time."""

    run_id: str
    epoch: int
    n_epochs: int
    since: datetime
    can_go_on: bool


def cut_off(project_id: str) -> CutOff | None:
    """Return the newest run of a project when it was cut off, None when it ended well.

    Nothing is said while a training runs.
    """
    found = Run.list(open_project(project_id))
    if not found or jobs.active(project_id, TRAIN):
        return None
    run = found[-1]
    seen = status_seen(run)
    if seen.status != INTERRUPTED:
        return None
    last = run.records()[-1:]
    epoch, n_epochs = (last[0]["epoch"], last[0]["n_epochs"]) if last else (0, 0)
    since = datetime.fromisoformat(seen.time).astimezone()
    return CutOff(run.id, epoch, n_epochs, since, run.has_array(TRUTH))


def resume(project_id: str, run_id: str) -> str:
    """Go on with a run that was cut off, from its last checkpoint; return the job id.

    Raises
    ------
    JobRefused
        If this project is training already.
    """
    opened = workspace(project_id)
    run = Run.open(opened.project, run_id)
    if run.settings["together"] > 1:
        from scanvi_core.services import together

        return together.go_on_here(project_id, run)

    def work(job: jobs.Job) -> str:
        from scanvi_core.services.run import carry_through

        return carry_through(opened, run, job)

    return _submit(project_id, run.settings["train"]["device"], work)


def leave(project_id: str, run_id: str) -> None:
    """Give up a run that was cut off; what it left behind is not offered again."""
    project = open_project(project_id)
    run = Run.open(project, run_id)
    run.set_status(STOPPED, "It was cut off and not taken up again.")
    project.update_settings(**{AWAITED: None})
    run.checkpoint.unlink(missing_ok=True)


def _submit(project_id: str, device: str, work: Callable[[jobs.Job], str]) -> str:
    def work_and_look(job: jobs.Job) -> str:
        run_id = work(job)
        doubt_job.begin(project_id)
        return run_id

    return jobs.submit(jobs.JobRequest(project_id, TRAIN, lane(device), work_and_look))


def lane(device: str) -> str:
    """Return the lane of a training: one at a time per device."""
    return f"train:{runtime.choose_device(device)}"
