"""What a training would use and take, before it starts."""

from dataclasses import dataclass

import numpy as np

from scanvi_core import config
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig
from scanvi_core.data.genes.choose import told_of_genes
from scanvi_core.errors import InputError
from scanvi_core.plurals import count
from scanvi_core.project.runs import Run
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
        problem=problem,
        hint=hint,
        notes=(*_notes(opened, inputs), *filter(None, [_told_of_genes(opened, request, inputs)])),
    )


def _told_of_genes(opened: Workspace, request: TrainRequest, inputs: Inputs) -> str:
    n_top = request.train.n_top_genes
    return told_of_genes(opened.dataset.folder, n_top, opened.batch_key, inputs.rows)


def _notes(opened: Workspace, inputs: Inputs) -> list[str]:
    """Return what to bear in mind about a training on these labels, in sentences."""
    known = inputs.y[inputs.y >= 0]
    counts = np.bincount(known, minlength=len(inputs.code_names))[: len(inputs.label_names)]
    rare = [
        name
        for name, n in zip(inputs.label_names, counts, strict=True)
        if 0 < n < config.RARE_CELLS
    ]
    notes = []
    if rare:
        notes.append(
            f"{', '.join(rare)}: fewer than {config.RARE_CELLS} labeled cells. "
            "Trained on, but left out of scores."
        )
    if counts.size and not counts.all():
        notes.append(
            f"{count(int((counts == 0).sum()), 'type')} without a label here: kept as the pack "
            "knows them."
        )
    if (opened.labels().codes >= 0).all():
        notes.append("Every cell is labeled: this run checks the labels you have.")
    if opened.dataset.n_obs < 200:
        notes.append("Few cells: treat the result as a first hint.")
    return notes


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


def pack_in_use(opened: Workspace) -> str | None:
    """Return the name of the pack whose model is in use as it came; None where it was trained."""
    run = opened.current_run()
    return None if run is None else run.settings.pack


def learns(opened: Workspace) -> bool:
    """Tell whether the newest run is one that is trained, not a pack's."""
    begun = Run.list(opened.project)
    return not begun or begun[-1].settings.pack is None


def holdout_was_seen(opened: Workspace) -> bool:
    """Tell whether the current model, or one it goes on from, learned labels now set aside."""
    run, aside = opened.current_run(), opened.labels().holdout
    while run is not None:
        if (run.array("y")[aside] >= 0).any():
            return True
        earlier = run.settings.warm_from
        run = Run.open(opened.project, earlier) if earlier else None
    return False
