"""Beginning from a pack: its types, and its model made for these genes, as the first run."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.project import pack
from scanvi_core.project.runs import DONE, RUNNING, Run
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit, pack_types
from scanvi_core.services.labels.pack_types import PACK_RUN
from scanvi_core.services.packs import fit
from scanvi_core.services.packs.opening import check_free_of_models
from scanvi_core.services.runs import frozen_run, model_in_use, results
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training.start import submit
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.model.annotator import Annotator

NOTE = "No label here was learned: this is the model of the pack {}."


def start(opened: Workspace) -> str:
    """Name all cells by the pack that was looked at, in the background; return the job id.

    Raises
    ------
    FileRefused
        If too few of its genes are here.
    InputError
        If the project has a model already.
    """
    check_free_of_models(opened)
    fit.checked(opened)
    return submit(opened, "auto", lambda job: begin(opened, job))


def begin(opened: Workspace, job: jobs.Job, maps: Sequence[str] = tuple(results.MAPS)) -> str:
    """Make the model of the pack the first run of a project, and name all cells; return its id."""
    import torch

    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.narrow import narrowed
    from scanvi_core.services.training.trainer import Trainer

    found, folder = fit.checked(opened), pack.folder_of(opened.project)
    job.report(0.0, "Making the model for these genes")
    there = np.flatnonzero(found.positions >= 0)
    genes = opened.dataset.var_names[found.positions[there]]
    whole = Annotator.load(folder / pack.MODEL)
    batches = opened.batches(opened.batch_key)
    model = narrowed(whole, there, [str(name) for name in genes], batches.names)
    if not opened.labels().seq:
        edit.start_empty(opened)
    pack_types.add(opened)
    run = _frozen(opened, model, genes, found.name)
    run.set_status(RUNNING)
    torch.set_num_threads(run.settings.threads)
    trainer = Trainer(opened.project, opened.dataset, run, job, maps=maps, maps_later=True)
    trainer.notes += [NOTE.format(found.name), *found.notes]
    with trainer.failure_recorded():
        trainer.keep(model)
        shutil.copyfile(folder / pack.SHAPES, run.paths.model / Path(pack.SHAPES).name)
        run.set_status(DONE)
    opened.project.update_settings(**{PACK_RUN: run.id})
    model_in_use.take_up(opened, run)
    shutil.rmtree(folder / pack.MODEL, ignore_errors=True)  # the run has what is needed
    trainer.redraw()  # last: the predictions are in use meanwhile
    return run.id


def _frozen(opened: Workspace, model: "Annotator", genes: np.ndarray, name: str) -> Run:
    """Return a run that has learned no label of these data, and has the types of the pack."""
    inputs = inputs_of(opened)
    inputs = replace(
        inputs,
        y=np.full_like(inputs.y, -1),
        label_names=model.label_names,
        parents=model.parents,
        prior={},
    )
    request = TrainRequest(model.model_config, replace(model.train_config, device="auto"))
    return frozen_run.new_run(opened, request, inputs, genes, pack=name)
