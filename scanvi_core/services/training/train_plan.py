"""What a training would use and take, before it starts."""

import sys
from dataclasses import dataclass

import numpy as np

from scanvi_core import config, runtime
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig
from scanvi_core.errors import InputError
from scanvi_core.project.runs import Run
from scanvi_core.services.formatting import duration
from scanvi_core.services.runs.inputs import check_labels, inputs_of
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True)
class TrainPlan:
    """What a training run would use, for the line above the button."""

    n_obs: int
    n_genes: int
    n_labels: int
    n_labeled: int
    n_batches: int
    n_holdout: int
    duration: str
    problem: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()


def plan(opened: Workspace, request: TrainRequest) -> TrainPlan:
    """Describe what training with these settings would use; problems are told, not raised."""
    problem = hint = ""
    try:
        check_labels(opened)
    except InputError as error:
        problem, hint = error.message, error.hint
    inputs = inputs_of(opened)
    return TrainPlan(
        n_obs=int(inputs.rows.sum()),
        n_genes=min(request.train.n_top_genes, opened.dataset.n_vars),
        n_labels=len(inputs.label_names),
        n_labeled=int((inputs.y >= 0).sum()),
        n_batches=len(inputs.batch_names),
        n_holdout=int(inputs.holdout.sum()),
        duration=duration_words(request, int(inputs.rows.sum()), opened.dataset.n_vars),
        problem=problem,
        hint=hint,
        notes=tuple(_notes(opened, inputs)),
    )


def _notes(opened: Workspace, inputs: Inputs) -> list[str]:
    """Return what to bear in mind about a training on these labels, in sentences."""
    known = inputs.y[inputs.y >= 0]
    counts = np.bincount(known, minlength=len(inputs.code_names))[: len(inputs.label_names)]
    rare = [
        name for name, n in zip(inputs.label_names, counts, strict=True) if n < config.RARE_CELLS
    ]
    notes = []
    if rare:
        notes.append(
            f"{', '.join(rare)}: fewer than {config.RARE_CELLS} labeled cells. "
            "Trained on, but left out of scores."
        )
    if (opened.labels().codes >= 0).all():
        notes.append("Every cell is labeled: this run checks the labels you have.")
    if opened.dataset.n_obs < 200:
        notes.append("Few cells: treat the result as a first hint.")
    return notes


def duration_words(request: TrainRequest, n_obs: int, n_vars: int) -> str:
    """Say where training will run and, for a CPU, about how long it takes.

    The time per step follows 15 ms + 9 us per gene, as measured on one core.
    """
    device = device_name(request.train.device)
    if device != "cpu":
        return f"Runs on {device}."
    n_genes = min(request.train.n_top_genes, n_vars)
    steps = config.RETRAIN_STEPS if request.warm else request.train.n_steps(n_obs)
    scale = (request.train.batch_size + request.train.labeled_batch_size) / 192
    seconds = steps * (0.015 + 9e-6 * n_genes) * scale
    return f"About {duration(seconds)} on this computer's CPU."


def device_name(name: str) -> str:
    """Return the device that training would run on, without importing torch when it can wait."""
    if name == "auto" and "torch" not in sys.modules:
        return "auto"
    return str(runtime.choose_device(name))


def can_go_on(opened: Workspace, model: ModelConfig) -> bool:
    """Tell whether the current model can be trained further with these model settings."""
    run = opened.current_run()
    if run is None:
        return False
    if holdout_was_seen(opened):
        return False
    frozen = run.settings
    same_batches = frozen.batch_key == opened.batch_key
    return frozen.model == model and same_batches


def update_request(opened: Workspace) -> TrainRequest:
    """Return the request that trains the current model on the labels as they are now.

    It goes on from the current weights where that is honest and possible, else from the start.
    """
    run = opened.current_run()
    if run is None:
        return TrainRequest()
    frozen = run.settings
    return TrainRequest(frozen.model, frozen.train, warm=can_go_on(opened, frozen.model))


def holdout_was_seen(opened: Workspace) -> bool:
    """Tell whether the current model, or one it goes on from, learned labels now set aside."""
    run, aside = opened.current_run(), opened.labels().holdout
    while run is not None:
        if (run.array("y")[aside] >= 0).any():
            return True
        earlier = run.settings.warm_from
        run = Run.open(opened.project, earlier) if earlier else None
    return False
