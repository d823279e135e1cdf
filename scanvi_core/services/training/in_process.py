"""Training runs: freezing one, training it here, and taking up one that was cut off."""

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import pandas as pd
import torch

from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.data.genes.choose import variable_genes
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.paths import stored_path
from scanvi_core.services.runs import frozen_run, results
from scanvi_core.services.runs.frozen_run import Outside
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.runs.model_in_use import take_up
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training.trainer import EndRequested, Trainer
from scanvi_core.services.workspace import Workspace
from scanvi_core.train.team import joined


def train(opened: Workspace, request: TrainRequest, job: jobs.Job) -> str:
    """Train, predict every cell and keep the results as a run; return the run id."""
    return carry_through(opened, begin(opened, request, job), job)


def begin(
    opened: Workspace, request: TrainRequest, job: jobs.Job, outside: Outside | None = None
) -> Run:
    """Choose the genes and freeze a run of the labels as they are now; it is not trained yet."""
    inputs = inputs_of(opened)
    job.report(0.0, "Choosing genes")
    genes = opened.dataset.var_names[chosen_genes(opened, request, inputs)]
    return frozen_run.new_run(opened, request, inputs, genes, outside)


def chosen_genes(opened: Workspace, request: TrainRequest, inputs: Inputs) -> np.ndarray:
    """Return the positions of the genes to read: those of the model that training goes on from."""
    earlier = opened.current_run() if request.warm else None
    if earlier is not None:
        names = earlier.settings.genes
        return pd.Index(opened.dataset.var_names).get_indexer(names)
    return variable_genes(
        opened.dataset.folder,
        request.train.n_top_genes,
        opened.batch_key,
        inputs.rows,
    )


def carry_through(
    opened: Workspace, run: Run, job: jobs.Job, maps: Sequence[str] = tuple(results.MAPS)
) -> str:
    """Train a frozen run in this process, from its last checkpoint if it has one; return its id.

    Labels that were given since it was frozen are not seen: on a CPU the model of a run that was
    cut off is that of an unbroken one.
    """
    run.set_status(runs.RUNNING)
    torch.set_num_threads(run.settings.threads)
    trainer = Trainer(opened.project, opened.dataset, run, job, maps=maps)
    store = trainer.settings.store
    trainer.store = None if store is None else stored_path(opened.project, store)
    alone = joined(torch.device("cpu")) if trainer.settings.processes else nullcontext()
    with trainer.failure_recorded():
        with alone:
            learned = trainer.learn()
        if learned.history.stopped and job.is_closing:  # nobody wants a model of a few steps
            raise EndRequested(runs.CLOSED)
        trainer.finish(learned)
    take_up(opened, run)
    trainer.redraw()  # last: the predictions are in use meanwhile
    return run.id


def put_in_use(opened: Workspace, run: Run, job: jobs.Job, maps: Sequence[str]) -> str:
    """Take up a run that was trained in another project of the same cells; return its id."""
    left = [latent for latent in maps if not run.has_array(results.MAPS[latent])]
    trainer = Trainer(opened.project, opened.dataset, run, job, maps=left, maps_later=True)
    take_up(opened, run)
    trainer.redraw()
    return run.id
