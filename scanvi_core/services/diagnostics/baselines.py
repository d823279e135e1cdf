"""The quick linear models and SCANVI alone, on the same held-out cells as the whole model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from scanvi_core.metrics.classification import Scores, score
from scanvi_core.metrics.intervals import Interval, paired_chance, paired_difference
from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics.held_out import HeldOut, held_out
from scanvi_core.services.formatting import (
    hundredths,
    percent,
    percent_range,
    percent_with_interval,
    points,
    signed_range,
)
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.model.linear_models import LinearModels

LUCK = 0.05  # chance from which a difference is told as none
WHOLE, ALONE = "This model", "SCANVI alone"
GENES, COMPONENTS = "Logistic regression", "PCA + logistic regression"
LINEAR = (GENES, COMPONENTS)


@dataclass(frozen=True)
class Rival:
    """One model on the held-out cells, and how much more often it is right than the whole one.

    `chance` is how likely chance alone makes as much of a difference.
    """

    name: str
    scores: Scores
    difference: float
    interval: Interval
    chance: float

    @property
    def by_chance(self) -> bool:
        """Whether the difference may well be luck."""
        return self.chance > LUCK


@dataclass(frozen=True)
class Baselines:
    """All of them, as a table (the whole model first) and in a sentence.

    `beaten` tells that a quick linear model is right more often than the whole model, beyond
    chance; `by_chance` that the difference may be luck.
    """

    rivals: tuple[Rival, ...]
    table: pd.DataFrame
    sentence: str
    beaten: bool
    by_chance: bool


def baselines(opened: Workspace) -> Baselines | None:
    """Score the quick models of the current run on its hold-out; None without one."""
    run = opened.current_run()
    if run is None:
        return None
    run_id = run.id
    return opened.cache.get(("baselines", run_id), lambda: _baselines(opened, run_id))


def cross_validated(opened: Workspace) -> str | None:
    """Say how often the linear models are right about labels of folds they were not shown.

    That needs no hold-out: each labeled training cell is judged by models fitted on the others.
    None before there are such judgments.
    """
    run = opened.current_run()
    if run is None or not run.has_array(results.OUT_OF_FOLD):
        return None
    sentence: str | None = opened.cache.get(("cross", run.id), lambda: _cross_validated(run))
    return sentence


def _cross_validated(run: Run) -> str | None:
    judged, y = np.array(run.array(results.OUT_OF_FOLD)), np.array(run.array("y"))
    usable = (y >= 0) & (y < judged.shape[1]) & np.isfinite(judged).all(axis=1)
    if not usable.any():
        return None
    scores = score(y[usable], judged[usable].argmax(axis=1), run.settings.label_names)
    return (
        f"The one-second linear models together, cross-validated on {scores.n:,} labeled cells: "
        f"right on {percent(scores.accuracy, scores.n)} "
        f"(95 % interval {percent_range(scores.interval, scores.n)}), "
        f"mean F1 {hundredths(scores.macro_f1):.2f}."
    )


def _baselines(opened: Workspace, run_id: str) -> Baselines | None:
    cells = held_out(opened, run_id)
    if not cells.rows.size:
        return None
    whole = score(cells.truth, cells.prediction, cells.names)
    predictions = _predictions(opened, cells)
    rivals = tuple(
        _rival(name, predicted, cells)
        for name, predicted in predictions.items()
        if predicted is not None
    )
    linear = max(
        (rival for rival in rivals if rival.name in LINEAR), key=lambda rival: rival.difference
    )
    beaten = linear.difference > 0 and not linear.by_chance
    told = _table(whole, rivals), verdict(whole, linear)
    return Baselines(rivals, *told, beaten, linear.by_chance)


def verdict(whole: Scores, linear: Rival) -> str:
    """Compare the model with the better of the quick linear models, in words."""
    ours, theirs = percent(whole.accuracy, 1000), percent(linear.scores.accuracy, 1000)
    if linear.by_chance:
        one = f"{theirs} against {ours}; {linear.name}"
        return f"About as right as a one-second linear model ({one})."
    if linear.difference > 0:
        spread = f"95 % interval {signed_range(linear.interval)} points"
        return (
            f"A one-second linear model is right more often here: {theirs} against {ours} "
            f"({linear.name}; {spread}). Take it as a warning: train more thoroughly, "
            "check the labels, or name more cells."
        )
    return (
        f"Right {points(linear.difference)} more often than the best one-second linear model: "
        f"{ours} against {theirs} ({linear.name})."
    )


def _predictions(opened: Workspace, cells: HeldOut) -> dict[str, np.ndarray | None]:
    """Return the prediction of each model for the held-out cells."""
    linear_models = linear_models_of(cells.run, len(cells.names))
    genes, components = linear_models.predict(model_counts(opened, cells.run, cells.rows))
    stored = "probabilities_scanvi"
    alone = cells.run.array(stored)[cells.rows] if cells.run.has_array(stored) else None
    return {
        ALONE: None if alone is None else alone.argmax(axis=1),
        GENES: genes.argmax(axis=1),
        COMPONENTS: components.argmax(axis=1),
    }


def linear_models_of(run: Run, n_labels: int) -> "LinearModels":
    """Return the linear models that were fitted with a run."""
    from scanvi_core.annotation.model.files import read
    from scanvi_core.annotation.model.linear_models import LinearModels

    _, _, arrays = read(run.paths.model)
    return LinearModels.from_tensors(arrays, n_labels)


def model_counts(opened: Workspace, run: Run, rows: np.ndarray) -> sparse.csr_matrix:
    """Return the counts of the run's genes in some cells, CSR [len(rows), genes]."""
    genes = pd.Index(opened.dataset.var_names).get_indexer(run.settings.genes)
    return opened.dataset.counts[rows][:, genes]


def _rival(name: str, predicted: np.ndarray, cells: HeldOut) -> Rival:
    right = predicted == cells.truth
    difference, interval = paired_difference(right, cells.right)
    scores, chance = score(cells.truth, predicted, cells.names), paired_chance(right, cells.right)
    return Rival(name, scores, difference, interval, chance)


def _table(whole: Scores, rivals: tuple[Rival, ...]) -> pd.DataFrame:
    rows = [(WHOLE, whole, ""), *((r.name, r.scores, signed_range(r.interval)) for r in rivals)]
    return pd.DataFrame(
        [
            {
                "model": name,
                "right": percent_with_interval(scores.accuracy, scores.interval),
                "mean F1": hundredths(scores.macro_f1),
                "against this model, points": spread,
            }
            for name, scores, spread in rows
        ]
    )
