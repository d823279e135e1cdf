"""The work of one training run: genes, model, live reports, predictions, maps."""

import time
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from scanvi_core import config
from scanvi_core.annotation import embedding
from scanvi_core.annotation.estimator import Annotator, TrainingSet
from scanvi_core.annotation.prediction import summarise
from scanvi_core.annotation.preview import Previewer
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.genes import variable_genes
from scanvi_core.errors import ScanviError, TrainingError
from scanvi_core.module import SCANVI
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs, results
from scanvi_core.services.design import Design, batches_of, design_of
from scanvi_core.services.training import TrainRequest
from scanvi_core.services.workspace import Workspace
from scanvi_core.train.history import EpochRecord, Hooks

# Shares of the progress bar: genes and set-up, training, prediction, then the two maps.
SET_UP, TRAINED, PREDICTED = 0.05, 0.8, 0.85
PREVIEW = "preview"
ROWS = "rows"  # the cells that took part, among the arrays of a run


def train(opened: Workspace, request: TrainRequest, job: jobs.Job) -> str:
    """Train, predict every cell and keep the results as a run; return the run id."""
    earlier = opened.current_run() if request.warm else None
    return _carry_through(Attempt(opened, request, job, design_of(opened), earlier))


def resume(opened: Workspace, run: Run, job: jobs.Job) -> str:
    """Take up a run that was cut off, from its last checkpoint and with all it was begun with.

    Labels that were given since then are not seen: on a CPU the model is that of an unbroken run.
    """
    frozen = run.settings
    request = TrainRequest(
        ModelConfig(**frozen["model"]), TrainConfig(**frozen["train"]), bool(frozen["warm_from"])
    )
    earlier = Run.open(opened.project, frozen["warm_from"]) if request.warm else None
    attempt = Attempt(opened, request, job, frozen_design(opened, run), earlier)
    attempt.begun = run
    return _carry_through(attempt)


def frozen_design(opened: Workspace, run: Run) -> Design:
    """Return the arrays a run was begun with."""
    frozen = run.settings
    batch_index, batch_names = batches_of(opened, frozen["batch_key"])
    return Design(
        y=np.array(run.array("y"), dtype=np.int64),
        label_names=tuple(frozen["label_order"]),
        groups=frozen["groups"],
        prior=frozen["prior"],
        batch_index=batch_index,
        batch_names=batch_names,
        rows=np.array(run.array(ROWS)),
        holdout=np.array(run.array("holdout")),
        seq=frozen["labels_seq"],
    )


def _carry_through(attempt: "Attempt") -> str:
    run = attempt.run
    torch.set_num_threads(run.settings["threads"])
    try:
        attempt.keep(attempt.fit())
    except BaseException as error:
        run.set_status(
            runs.FAILED, error.message if isinstance(error, ScanviError) else str(error)
        )
        raise
    run.set_status(runs.DONE)
    run.checkpoint.unlink(missing_ok=True)
    attempt.opened.project.update_settings(current_run=run.id)
    attempt.redraw()  # last: the predictions are in use meanwhile
    return run.id


@dataclass
class Attempt:
    """One training run in the making; `begun` is the run it takes up, `earlier` its model."""

    opened: Workspace
    request: TrainRequest
    job: jobs.Job
    design: Design
    earlier: Run | None = None
    begun: Run | None = None
    started: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)
    told: int = 0  # the last step that was reported, also before the run was cut off
    heard: bool = False  # whether this attempt got as far as an epoch

    @cached_property
    def previous(self) -> Annotator | None:
        """The model that training goes on from."""
        return None if self.earlier is None else Annotator.load(results.model_folder(self.earlier))

    @cached_property
    def genes(self) -> np.ndarray:
        """Positions of the genes the model reads."""
        chosen = self.previous.genes if self.previous is not None else None
        if self.begun is not None:
            chosen = self.begun.settings["genes"]
        if chosen is not None:
            return pd.Index(self.opened.dataset.var_names).get_indexer(list(chosen))
        self.job.report(0.0, "Choosing genes")
        return variable_genes(
            self.opened.dataset.folder,
            self.request.train.n_top_genes,
            self.opened.project.settings.get("batch_key"),
            self.design.rows,
        )

    @cached_property
    def run(self) -> Run:
        """The folder of this run, its settings frozen."""
        if self.begun is not None:
            self.begun.set_status(runs.RUNNING)
            for line in self.begun.records():
                self.job.add_record(EpochRecord(**line))
                self.told = line["step"]
            return self.begun
        names = self.opened.dataset.var_names[self.genes]
        run = results.new_run(self.opened, self.request, self.design, names)
        run.write_array(ROWS, self.design.rows)
        return run

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
        begin = partial(
            Annotator.fit, cells, self.request.model, self.request.train, hooks=hooks,
            warm_start=self.previous, checkpoint=self.run.checkpoint,
        )  # fmt: skip
        try:
            return begin()
        except TrainingError as error:
            if self.begun is None or self.heard or not self.run.checkpoint.exists():
                raise
            self.run.checkpoint.unlink()
            self.notes.append(f"{error.message} The run was begun again from its start.")
            return begin()

    def tell(self, record: EpochRecord) -> None:
        """Report an epoch; one that was told before the run was cut off is not told again."""
        self.heard = True
        left = record.seconds / record.step * (record.n_steps - record.step)
        share = SET_UP + (TRAINED - SET_UP) * record.step / record.n_steps
        self.job.report(
            share, f"Training, epoch {record.epoch} of {record.n_epochs}, {left:.0f} s left"
        )
        if record.step > self.told:
            self.told = record.step
            self.run.append_record(record)  # first on disk, then in sight
            self.job.add_record(record)

    def show(self, module: SCANVI) -> None:
        """Report a small map and a small confusion matrix."""
        self.job.set_preview(PREVIEW, self.previewer.draw(module))
        # the first UMAP of a process gives torch all cores, and the bytes depend on their number
        torch.set_num_threads(self.run.settings["threads"])

    def keep(self, model: Annotator) -> None:
        """Predict all cells and write everything into the run folder, maps of some kind, too."""
        train_seconds = time.monotonic() - self.started
        self.job.report(TRAINED, "Predicting all cells")
        found = model.predict(self.counts)
        arrays = {
            "probabilities": found.probabilities,
            "probabilities_scanvi": found.scanvi,
            results.Z1: found.z1,
            results.Z2: found.z2,
        }
        if model.out_of_fold.size:  # there is none after going on from an earlier model
            arrays[results.OUT_OF_FOLD] = model.out_of_fold
        for name, array in arrays.items():
            self.run.write_array(name, array)
        if not self._carry_maps():
            self._draw_maps(found.probabilities)
        model.save(results.model_folder(self.run))
        self.run.write_summary(self._summary(model, found.probabilities, train_seconds))

    @cached_property
    def map_before(self) -> Run | None:
        """The run whose maps these start from; None when it has not both."""
        frozen = self.run.settings.get("map_from")
        before = Run.open(self.opened.project, frozen) if frozen else None
        complete = before is not None and all(map(before.has_array, results.MAPS.values()))
        return before if complete else None

    def _carry_maps(self) -> bool:
        """Show the earlier maps until those of this run are drawn: nothing jumps twice."""
        if self.map_before is None:
            return False
        for name in results.MAPS.values():
            self.run.write_array(name, np.array(self.map_before.array(name)))
        return True

    def redraw(self) -> None:
        """Replace maps that were carried over by those of this run; they begin from there."""
        if self.map_before is not None:
            self._draw_maps(self.run.array("probabilities"))

    def _draw_maps(self, probabilities: np.ndarray) -> None:
        """Draw both maps; cells start where the user knows them, rare and doubtful ones are in."""
        reading = summarise(probabilities)
        strata = np.where(self.design.y >= 0, self.design.y, reading.label)
        for i, (latent, name) in enumerate(results.MAPS.items()):
            self.job.report(PREDICTED + i * 0.07, f"Drawing the map of {latent}")
            before = self.map_before
            layout = embedding.umap_of(
                np.array(self.run.array(latent)),
                seed=self.request.train.seed,
                strata=strata,
                keep=reading.confidence < config.LOW_CONFIDENCE,
                init=None if before is None else before.array(name),
                n_epochs=embedding.N_EPOCHS if before is None else embedding.FAST_EPOCHS,
            )
            self.run.write_array(name, layout)

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
            "notes": [*self.notes, *model.history.notes],
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
