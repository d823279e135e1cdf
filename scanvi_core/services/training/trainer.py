"""The work of training one frozen run: model, live reports, predictions, maps."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from scanvi_core import config
from scanvi_core.annotation.layout import embedding
from scanvi_core.annotation.layout.preview import Previewer
from scanvi_core.annotation.model.annotator import Annotator, Learned, learn
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.prediction import Predictions, summarize
from scanvi_core.data.collection.collection import stored_counts
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes.choose import told_of_genes
from scanvi_core.errors import TeamBroken, TrainingError
from scanvi_core.module import SCANVI
from scanvi_core.project import runs
from scanvi_core.project.folder import Project
from scanvi_core.project.run_paths import PREVIEW
from scanvi_core.project.run_settings import RunSettings
from scanvi_core.project.runs import DONE, Run
from scanvi_core.services import failures, jobs
from scanvi_core.services.formatting import duration
from scanvi_core.services.runs import frozen_run, results, review_clusters, shapes_file
from scanvi_core.services.training import pace
from scanvi_core.services.training.soft_targets import soft_labels_of
from scanvi_core.train.history import EpochRecord, Hooks

# Shares of the progress bar: genes and set-up, training, prediction, then the maps.
SET_UP, TRAINED, PREDICTED = 0.05, 0.8, 0.85
TELL_EVERY_S = 1.0  # how far it is, between epochs
NOT_TRAINED = EpochRecord(0, 0, 0, 0, 0.0, nan, nan, nan, nan, nan)  # of a model that came


class EndRequested(BaseException):
    """The system asked the process to end."""


@dataclass
class Trainer:
    """One go at a run: from its start, or from where an earlier one was cut off."""

    project: Project
    dataset: Dataset
    run: Run
    job: jobs.Job
    started: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)
    last_step: int = 0  # the last step that was reported, also before the run was cut off
    threads: int = field(default_factory=torch.get_num_threads)
    is_main: bool = True  # whether this process writes into the run folder
    processes: int = 1  # that train the network together
    store: Path | None = None  # the collection that the counts are read from
    latest: EpochRecord | None = None  # of this process
    steps: pace.Steps = field(default_factory=pace.Steps)
    steps_since: int = 0  # the latest record
    told_at: float = 0.0  # the time left, by the clock
    ended_at: float | None = None  # the steps, by the clock
    in_use: bool = False  # whether the user has its predictions, which canceling leaves alone
    maps: Sequence[str] = tuple(results.MAPS)  # of which states maps are drawn
    maps_later: bool = False  # whether the user has its predictions before its maps

    def __post_init__(self) -> None:
        for line in self.run.records():
            self.job.add_record(EpochRecord(**line))
            self.last_step = line["step"]

    @cached_property
    def rest(self) -> pace.Rest:
        """About how long what follows the last step takes."""
        usual_s = pace.usual_step_s(len(self.settings.genes), self.settings.train)
        return pace.rest(self.project, int(self.inputs.rows.sum()), usual_s)

    @cached_property
    def settings(self) -> RunSettings:
        """What the run was begun with."""
        return self.run.settings

    @cached_property
    def inputs(self) -> Inputs:
        """What the run was begun with, with its counts."""
        inputs = frozen_run.frozen_inputs(self.run)
        return replace(
            inputs, counts=self.counts, soft=soft_labels_of(self.project, self.run, inputs)
        )

    @cached_property
    def previous(self) -> Annotator | None:
        """The model that training goes on from."""
        earlier = self.settings.warm_from
        if not earlier:
            return None
        model = Annotator.load(Run.open(self.project, earlier).paths.model)
        renamed = self.settings.renamed
        model.label_names = tuple(renamed.get(name, name) for name in model.label_names)
        return model

    @cached_property
    def counts(self) -> sparse.csr_matrix | StoredCounts:
        """Counts of the chosen genes in all cells."""
        if self.store is not None:
            return stored_counts(self.store, self.dataset, self.settings.genes)
        genes = pd.Index(self.dataset.var_names).get_indexer(self.settings.genes)
        return self.dataset.genes_matrix(genes)

    @cached_property
    def previewer(self) -> Previewer:
        """Draws the small pictures shown while training."""
        seed = self.settings.train.seed
        return Previewer(self.counts, self.inputs.y, len(self.inputs.label_names), seed)

    @contextmanager
    def failure_recorded(self) -> Iterator[None]:
        """Write down why the run failed, if it does, or that it can go on later."""
        try:
            yield
        except (EndRequested, TeamBroken) as error:
            self.run.set_status(runs.INTERRUPTED, str(error))
            raise
        except KeyboardInterrupt:
            self.run.set_status(runs.INTERRUPTED, runs.CLOSED)
            raise
        except jobs.JobStopped:
            self.run.set_status(runs.STOPPED, runs.CANCELED)
            self.run.paths.checkpoint.unlink(missing_ok=True)
            raise
        except BaseException as error:
            self.run.set_status(runs.FAILED, failures.sentence(error)[0])
            raise

    def learn(self) -> Learned:
        """Train the network, telling the job and the run folder about every epoch."""
        self.job.report(SET_UP, "Starting")
        hooks = Hooks(should_stop=self.job.should_stop)
        if self.is_main:
            show = self.show if self.job.watched else None
            hooks = Hooks(self.tell, self.count, show)
        begin = partial(
            learn, self.inputs, self.settings.model, self.settings.train, hooks=hooks,
            warm_start=self.previous, checkpoint=self.run.paths.checkpoint,
        )  # fmt: skip
        try:
            return begin()
        except TrainingError as error:
            checkpoint = self.run.paths.checkpoint
            if isinstance(error, TeamBroken) or self.latest or not checkpoint.exists():
                raise
            checkpoint.unlink(missing_ok=True)  # by another process, perhaps
            self.notes.append(f"{error.message} The run was begun again from its start.")
            return begin()

    def finish(self, learned: Learned) -> None:
        """Complete the model, predict all cells and keep everything in the run folder.

        Raises
        ------
        JobStopped
            If it was canceled.
        """
        self.ended_at = time.monotonic()
        self.report(TRAINED, "Training the quick models")
        model = Annotator.complete(self.inputs, learned, self.previous)
        self.keep(model)
        if self.previous is not None and self.settings.warm_from:
            before = Run.open(self.project, self.settings.warm_from).paths.model
            names = self.previous.label_names, model.label_names
            shapes_file.carry(before, names[0], self.run.paths.model, names[1])
        self.run.set_status(DONE)
        self.run.paths.checkpoint.unlink(missing_ok=True)

    def report(self, fraction: float, message: str) -> None:
        """Say how far the run is; one that was canceled ends here."""
        if self.job.is_canceled and not self.in_use:
            raise jobs.JobStopped
        left = self._left() if self.job.tells_time else 0.0
        self.job.report(
            fraction, f"{message}, about {duration(left)} left" if left > 1 else message
        )

    def _left(self) -> float:
        """Return about how many seconds are left after the last step; 0 where nobody waits."""
        step_s = self.steps.step_s
        if self.ended_at is None or step_s is None or self.in_use:
            return 0.0
        return self.rest.at(step_s) - (time.monotonic() - self.ended_at)

    def tell(self, record: EpochRecord) -> None:
        """Report an epoch; one that was told before the run was cut off is not told again."""
        self.latest, self.steps_since = record, 0
        self._say_how_far(record)
        if record.step > self.last_step:
            self.last_step = record.step
            self.run.append_record(record)  # first on disk, then in sight
            self.job.add_record(record)

    def count(self) -> bool:
        """Count a step, saying how far that is every second; tell whether to stop."""
        self.steps_since += 1
        if self.latest is not None and time.monotonic() - self.told_at > TELL_EVERY_S:
            self._say_how_far(self.latest)
        return self.job.should_stop()

    def _say_how_far(self, record: EpochRecord) -> None:
        step, self.told_at = record.step + self.steps_since, time.monotonic()
        self.steps.reached(step)
        step_s = self.steps.step_s or record.seconds / record.step
        left = duration(step_s * (record.n_steps - step) + self.rest.at(step_s))
        time_left = f", about {left} left" if self.job.tells_time else ""
        busy = "; this computer is busy with other programs" if self.steps.is_busy else ""
        self.job.report(
            SET_UP + (TRAINED - SET_UP) * step / record.n_steps,
            f"Training, epoch {record.epoch} of {record.n_epochs}{time_left}{busy}",
        )

    def show(self, module: SCANVI) -> None:
        """Report a small map and a small confusion matrix."""
        self.job.set_preview(PREVIEW, self.previewer.draw(module))
        # the first UMAP of a process gives torch all cores, and the bytes depend on their number
        torch.set_num_threads(self.threads)

    def keep(self, model: Annotator) -> None:
        """Predict all cells and write everything into the run folder, maps of some kind, too."""
        train_seconds = time.monotonic() - self.started
        self.report(TRAINED, "Predicting all cells")
        self._predict(model)
        probabilities = self.run.array("probabilities")
        if model.out_of_fold.size:  # there is none after going on from an earlier model
            self.run.write_array(results.OUT_OF_FOLD, model.out_of_fold)
        self.report(PREDICTED, "Grouping the cells")
        review_clusters.write(self.run, model, self.counts)
        if not self._carry_maps() and not self.maps_later:
            self._draw_maps(probabilities)
        model.save(self.run.paths.model)
        self.run.write_summary(self._summary(model, probabilities, train_seconds))

    def _predict(self, model: Annotator) -> None:
        """Predict every cell into the files of the run; nothing of all cells is held."""
        k, d = len(model.label_names), model.model_config.n_latent
        names = ("probabilities", "probabilities_scanvi", results.Z1, results.Z2)
        widths = zip(names, (k, k, d, d), strict=True)
        shapes = {name: (self.dataset.n_obs, width) for name, width in widths}
        with self.run.new_arrays(shapes) as files:
            model.predict(self.counts, out=Predictions(*files.values()))
            files.clear()  # nothing may map a file when it takes its name (Windows)

    @cached_property
    def map_before(self) -> Run | None:
        """The run whose maps these start from; None when it has not both."""
        earlier = self.settings.map_from
        before = Run.open(self.project, earlier) if earlier else None
        if before is None or not all(map(before.has_array, results.MAPS.values())):
            return None
        return before

    def _carry_maps(self) -> bool:
        """Show the earlier maps until those of this run are drawn: nothing jumps twice."""
        if self.map_before is None:
            return False
        for name in results.MAPS.values():
            self.run.write_array(name, np.array(self.map_before.array(name)))
        return True

    def redraw(self) -> None:
        """Draw the maps of this run that the user does not wait for.

        Those that were carried over are replaced, and begin from there.
        """
        self.in_use = True
        if self.map_before is not None or self.maps_later:
            self._draw_maps(self.run.array("probabilities"))

    def _draw_maps(self, probabilities: np.ndarray) -> None:
        """Draw the maps; cells start where the user knows them, rare and doubtful ones are in."""
        reading = summarize(probabilities)
        strata = np.where(self.inputs.y >= 0, self.inputs.y, reading.label)
        for i, latent in enumerate(self.maps):
            name = results.MAPS[latent]
            self.report(
                PREDICTED + (1 - PREDICTED) * i / len(self.maps), f"Drawing the map of {latent}"
            )
            before = self.map_before
            layout = embedding.umap_of(
                self.run.array(latent),
                seed=self.settings.train.seed,
                strata=strata,
                keep=reading.confidence < config.LOW_CONFIDENCE,
                init=None if before is None else before.array(name),
                n_epochs=embedding.N_EPOCHS if before is None else embedding.FAST_EPOCHS,
            )
            self.run.write_array(name, layout)

    def _told_of_genes(self) -> str:
        settings, rows = self.settings, self.inputs.rows
        folder, n_top = self.dataset.folder, settings.train.n_top_genes
        return told_of_genes(folder, n_top, settings.batch_key, rows)

    def _summary(
        self, model: Annotator, probabilities: np.ndarray, train_seconds: float
    ) -> dict[str, Any]:
        last = model.history.records[-1] if model.history.records else NOT_TRAINED
        n_trained = last.step * self.settings.train.batch_size
        n_cells = int(self.inputs.rows.sum())
        finished = [run for run in Run.list(self.project) if run.status.status == DONE]
        return {
            "number": len(finished) + 1,
            "warm": self.previous is not None,
            "n_genes": len(model.genes),
            "n_cells": n_cells,
            "n_labeled": int((self.inputs.y >= 0).sum()),
            "n_batches": len(self.inputs.batch_names),
            "device": str(model.module.device),
            "threads": self.threads,
            "processes": self.processes,
            "epochs": last.epoch,
            "steps": last.step,
            "stopped": model.history.stopped,
            "notes": [*filter(None, [self._told_of_genes()]), *self.notes, *model.history.notes],
            "calibration": model.calibration.note,
            "temperature": model.calibration.temperature,
            "loop_seconds": round(last.seconds, 3),
            "train_seconds": round(train_seconds, 3),
            "train_cells_per_s": round(n_trained / max(last.seconds, 1e-9), 1),
            "total_seconds": round(time.monotonic() - self.started, 3),
            "holdout": results.holdout_scores(self.run, probabilities),
        }
