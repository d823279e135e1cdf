"""The work of one training run: genes, model, live reports, predictions, maps."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from scanvi_core import runtime
from scanvi_core.annotation import embedding
from scanvi_core.annotation.estimator import Annotator, TrainingSet
from scanvi_core.annotation.preview import Previewer
from scanvi_core.data.genes import variable_genes
from scanvi_core.errors import ScanviError
from scanvi_core.module import SCANVI
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs, results
from scanvi_core.services.design import Design, design_of
from scanvi_core.services.training import TrainRequest
from scanvi_core.services.workspace import Workspace
from scanvi_core.train.history import EpochRecord, Hooks

# Shares of the progress bar: genes and set-up, training, prediction, then the two maps.
SET_UP, TRAINED, PREDICTED = 0.05, 0.8, 0.85
PREVIEW = "preview"


def train(opened: Workspace, request: TrainRequest, job: jobs.Job) -> str:
    """Train, predict every cell and keep the results as a run; return the run id."""
    torch.set_num_threads(runtime.worker_threads())
    attempt = Attempt(opened, request, job, design_of(opened), time.monotonic())
    run = attempt.run
    try:
        model = attempt.fit()
        attempt.keep(model)
    except Exception as error:
        run.set_status(
            runs.FAILED, error.message if isinstance(error, ScanviError) else str(error)
        )
        raise
    run.set_status(runs.DONE)
    opened.project.update_settings(current_run=run.id)
    return run.id


@dataclass
class Attempt:
    """One training run in the making."""

    opened: Workspace
    request: TrainRequest
    job: jobs.Job
    design: Design
    started: float

    @cached_property
    def previous(self) -> Annotator | None:
        """The current model, when training goes on from it."""
        current = self.opened.current_run() if self.request.warm else None
        return None if current is None else Annotator.load(results.model_folder(current))

    @cached_property
    def genes(self) -> np.ndarray:
        """Positions of the genes the model reads."""
        self.job.report(0.0, "Choosing genes")
        if self.previous is not None:
            return pd.Index(self.opened.dataset.var_names).get_indexer(list(self.previous.genes))
        return variable_genes(
            self.opened.dataset.folder,
            self.request.train.n_top_genes,
            self.opened.project.settings.get("batch_key"),
            self.design.rows,
        )

    @cached_property
    def run(self) -> Run:
        """The folder of this run, its settings frozen."""
        names = self.opened.dataset.var_names[self.genes]
        return results.new_run(self.opened, self.request, self.design, names)

    @cached_property
    def counts(self) -> sparse.csr_matrix:
        """Counts of the chosen genes in all cells."""
        return self.opened.dataset.genes_matrix(self.genes)

    @cached_property
    def previewer(self) -> Previewer:
        """Draws the small pictures shown while training."""
        seed = self.request.train.seed
        return Previewer(self.counts, self.design.y, len(self.design.label_names), seed)

    def fit(self) -> Annotator:
        """Train the model, telling the job and the run folder about every epoch."""
        self.job.report(SET_UP, "Starting")
        cells = TrainingSet(
            counts=self.counts,
            genes=tuple(self.run.settings["genes"]),
            y=self.design.y,
            label_names=self.design.label_names,
            batch_index=self.design.batch_index,
            batch_names=self.design.batch_names,
            groups=self.design.groups,
            prior=self.design.prior,
            rows=self.design.rows,
        )
        hooks = Hooks(self.tell, self.job.should_stop, self.show if self.job.watched else None)
        request = self.request
        return Annotator.fit(
            cells, request.model, request.train, hooks=hooks, warm_start=self.previous
        )

    def tell(self, record: EpochRecord) -> None:
        """Report an epoch."""
        left = record.seconds / record.step * (record.n_steps - record.step)
        share = SET_UP + (TRAINED - SET_UP) * record.step / record.n_steps
        self.job.report(
            share, f"Training, epoch {record.epoch} of {record.n_epochs}, {left:.0f} s left"
        )
        self.job.add_record(record)
        self.run.append_record(record)

    def show(self, module: SCANVI) -> None:
        """Report a small map and a small confusion matrix."""
        self.job.set_preview(PREVIEW, self.previewer.draw(module))
        # the first UMAP of a process gives torch all cores, and the bytes depend on their number
        torch.set_num_threads(self.run.settings["threads"])

    def keep(self, model: Annotator) -> None:
        """Predict all cells, draw both maps and write everything into the run folder."""
        train_seconds = time.monotonic() - self.started
        self.job.report(TRAINED, "Predicting all cells")
        found = model.predict(self.counts)
        arrays = {
            "probabilities": found.probabilities,
            "probabilities_scanvi": found.scanvi,
            results.Z1: found.z1,
            results.Z2: found.z2,
        }
        for name, array in arrays.items():
            self.run.write_array(name, array)
        for i, (latent, name) in enumerate(results.MAPS.items()):
            self.job.report(PREDICTED + i * 0.07, f"Drawing the map of {latent}")
            self.run.write_array(name, self._map(arrays[latent], name))
        model.save(results.model_folder(self.run))
        self.run.write_summary(self._summary(model, found.probabilities, train_seconds))

    def _map(self, z: np.ndarray, name: str) -> np.ndarray:
        """Draw a map; after a retrain, cells start where the user knows them."""
        before = self.opened.current_run() if self.request.warm else None
        if before is None or not before.has_array(name):
            return embedding.umap_of(z, seed=self.request.train.seed)
        seed = self.request.train.seed
        return embedding.umap_of(
            z, seed=seed, init=before.array(name), n_epochs=embedding.FAST_EPOCHS
        )

    def _summary(
        self, model: Annotator, probabilities: np.ndarray, train_seconds: float
    ) -> dict[str, Any]:
        records = model.history.records
        last = records[-1]
        n_cells = int(self.design.rows.sum())
        holdout = results.holdout_scores(
            self.opened, self.design, probabilities, self.run.settings["labels_seq"]
        )
        return {
            "number": len(results.finished_runs(self.opened.project.id)) + 1,
            "warm": self.request.warm,
            "n_genes": len(self.genes),
            "n_cells": n_cells,
            "n_labelled": int((self.design.y >= 0).sum()),
            "n_batches": len(self.design.batch_names),
            "device": self.run.settings["device"],
            "threads": self.run.settings["threads"],
            "epochs": last.epoch,
            "steps": last.step,
            "stopped": model.history.stopped,
            "notes": model.history.notes,
            "calibration": model.calibration.note,
            "temperature": model.calibration.temperature,
            "loop_seconds": round(last.seconds, 3),
            "train_seconds": round(train_seconds, 3),
            "train_cells_per_s": round(
                last.step * self.request.train.batch_size / last.seconds, 1
            ),
            "total_seconds": round(time.monotonic() - self.started, 3),
            "holdout": holdout,
        }
