"""Checks of every cell of a run, whose results `services.diagnostics.uncertainty` reads.

Each step writes its arrays into the run, so that a look that was cut short goes on where it was.
"""

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from scanvi_core import config
from scanvi_core.data.qc import limits
from scanvi_core.errors import JobRefused
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import baselines
from scanvi_core.services.quality import doublets
from scanvi_core.services.quality import flags as quality_flags
from scanvi_core.services.runs import results, review_clusters, shapes_file
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from scanvi_core.annotation.model.linear_models import LinearModels
from scanvi_core.services.jobs import give_way

UNCERTAINTY = "uncertainty"  # kind and lane
OUT_OF_FOLD = results.OUT_OF_FOLD
NOVELTY = review_clusters.NOVELTY
REASON, QC = "reason", "qc"
ISSUE_SCORE, ISSUE, SUGGESTION = "label_issue_score", "label_issue", "label_suggestion"
ARRAYS = (REASON, NOVELTY, QC, ISSUE_SCORE, ISSUE, SUGGESTION)
IS_NOVEL = "novel"
QC_NAMES = limits.FLAG_NAMES
MAX_DOUBLET_CELLS = 50_000  # of more, doublets are looked for when the user asks for it
BLOCK = 20_000  # cells that are normalized at a time


def begin(opened: Workspace) -> None:
    """See to it that the current run is looked at, or a newer one that comes meanwhile."""

    def work(job: jobs.Job) -> None:
        give_way()
        while (run := opened.current_run()) is not None and not is_done(run):
            check_run(opened, run.id, job)
            if job.should_stop():
                return

    with suppress(JobRefused):  # a job is at it, and goes on to the newest run
        jobs.submit(jobs.JobRequest(opened.id, UNCERTAINTY, UNCERTAINTY, work, changes=False))


def is_done(run: Run) -> bool:
    """Tell whether a run was looked at: the reason is written last."""
    return run.has_array(REASON)


def check_run(opened: Workspace, run_id: str, job: jobs.Job) -> None:
    """Find the reasons for doubt and the labels that look wrong, unless the job is stopped.

    A look at a run that is no longer the current one ends early.
    """
    checks = Checks(opened, run_id, job)
    steps: list[tuple[str, str, Callable[[], None]]] = [
        (OUT_OF_FOLD, "Judging each labeled cell without its label", checks.out_of_fold),
        (SUGGESTION, "Looking for labels that look wrong", checks.labels),
        (IS_NOVEL, "Looking for new types", checks.novelty),
        (QC, "Looking for doublets and poor cells", checks.quality),
        (REASON, "Weighing the reasons", checks.reasons),
    ]
    for i, (array, message, step) in enumerate(steps):
        now = checks.opened.current_run()
        if job.should_stop() or now is None or now.id != run_id:
            return
        checks.part = i / len(steps), (i + 1) / len(steps)
        job.report(checks.part[0], message)
        if not checks.run.has_array(array):
            step()


class Checks:
    """One look at a run; every step writes arrays [n_obs] into it, its marker last.

    `part` is where the step at hand begins and ends in the progress of the job.
    """

    def __init__(self, opened: Workspace, run_id: str, job: jobs.Job) -> None:
        self.opened, self.run = opened, Run.open(opened.project, run_id)
        self.job, self.part = job, (0.0, 1.0)
        self.predictions = results.load(opened, run_id)
        self.y = np.array(self.run.array("y"), dtype=np.int64)
        self.random = np.random.default_rng(self.run.settings.seed)

    def out_of_fold(self) -> None:
        """Write what the linear models say about labeled cells of folds they were not shown."""
        from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold

        n_labels = len(self.predictions.names)
        rows = np.flatnonzero((self.y >= 0) & (self.predictions.prediction >= 0))
        judged = linear_models_out_of_fold(
            self.counts[rows],
            self.y[rows],
            n_labels,
            self.random,
            components=self.linear_models.space,
            allowed=self.run.settings.tree.allowed[:-1],
        )
        everywhere = np.full((len(self.y), n_labels), np.nan, dtype=np.float32)
        everywhere[rows] = judged
        self.run.write_array(OUT_OF_FOLD, everywhere)

    def labels(self) -> None:
        """Write which labels look wrong."""
        from scanvi_core.annotation.uncertainty.label_errors import check_labels

        check = check_labels(np.array(self.run.array(OUT_OF_FOLD)), self.y)
        self.run.write_array(ISSUE_SCORE, check.score)
        self.run.write_array(ISSUE, check.flagged)
        self.run.write_array(SUGGESTION, check.suggestion)

    def novelty(self) -> None:
        """Write which cells are unlike every labeled one."""
        from scanvi_core.annotation.uncertainty.batch_shifts import without_batch_shifts
        from scanvi_core.annotation.uncertainty.novelty import find_novel

        points, batches = self._points(), self.opened.batches(self.run.settings.batch_key).index
        shapes, prediction = shapes_file.read(self.run.paths.model), self.predictions.prediction
        y, n = self._known(sure=shapes is None), len(points)
        placed = y
        if shapes is not None:  # drawn cells stand for those that the model of a pack has seen
            drawn, codes = shapes.draw(self.random)
            points = np.concatenate([points, drawn])
            batches = np.concatenate([batches, np.full(len(codes), batches.max() + 1)])
            placed = np.concatenate([np.full(n, -1), codes])  # every batch is moved onto them
            y, prediction = (np.concatenate([each, codes]) for each in (y, prediction))
        points = without_batch_shifts(points, batches, placed, prediction)
        check = find_novel(points, y, len(self.predictions.names), self.random)
        self.run.write_array(NOVELTY, check.score[:n])
        self.run.write_array(IS_NOVEL, check.flagged[:n])

    def _known(self, *, sure: bool) -> np.ndarray:
        """Return the type that each cell tells of [n_obs], below 0 where it tells of none.

        A cell of which only the group is known counts for its likeliest type: it is not new.
        If `sure`, types without a labeled cell are where the model is sure of them: it has them
        from a pack.
        """
        found, n_labels = self.predictions, len(self.predictions.names)
        y = np.where(self.y >= n_labels, found.prediction, self.y)
        labeled = np.bincount(y[y >= 0], minlength=n_labels) > 0
        if not sure or not labeled.any() or labeled.all():
            return y
        clear = (found.prediction >= 0) & (found.confidence >= config.LOW_CONFIDENCE)
        return np.where((y < 0) & clear & ~labeled[found.prediction], found.prediction, y)

    def quality(self) -> None:
        """Write what is technically wrong with cells or their batch.

        The limits are those of the Check page; doublets are looked for unless it has done so. A
        search that was stopped leaves nothing.
        """
        from scanvi_core.annotation.uncertainty.unseen_batches import find_unseen_batches

        batches = self.opened.batches(self.run.settings.batch_key)
        is_known = quality_flags.doublet_version(self.opened, batches.key) > 0
        is_due = not is_known and self.opened.dataset.n_obs <= MAX_DOUBLET_CELLS
        if is_due and not doublets.search(self.opened, batches, self.job, self.part):
            return
        flags = quality_flags.flags(self.opened, batches)
        z1 = np.asarray(self.run.array(results.Z1))
        stray = find_unseen_batches(z1, batches.index, self.y >= 0, self.random)
        seen = np.select(
            [self.predictions.prediction < 0, flags != limits.FINE, stray],
            [limits.NO_COUNTS, flags, limits.STRAY],
            limits.FINE,
        )
        self.run.write_array(QC, seen.astype(np.int8))

    def reasons(self) -> None:
        """Write the one reason for doubt of each cell."""
        from scanvi_core.annotation.uncertainty.reasons import weigh_reasons

        novel, seen = np.array(self.run.array(IS_NOVEL)), np.array(self.run.array(QC))
        poor = seen != limits.FINE
        reason = weigh_reasons(self.predictions.confidence, novel, poor, config.LOW_CONFIDENCE)
        self.run.write_array(REASON, reason)

    @cached_property
    def linear_models(self) -> "LinearModels":
        """The linear models that were fitted with the run."""
        return baselines.linear_models_of(self.run, len(self.predictions.names))

    @cached_property
    def counts(self) -> sparse.csr_matrix:
        """Counts of the run's genes in all cells, on disk."""
        genes = pd.Index(self.opened.dataset.var_names).get_indexer(self.run.settings.genes)
        return self.opened.dataset.genes_matrix(genes)

    def _points(self) -> np.ndarray:
        """Return the components of all cells [n_obs, d], NaN without counts; block by block."""
        starts = range(0, self.counts.shape[0], BLOCK)
        parts = [self.linear_models.project(self.counts[i : i + BLOCK]) for i in starts]
        points = np.concatenate(parts)
        points[self.predictions.prediction < 0] = np.nan
        return points
