"""How good predictions are: against labels the model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core import config
from scanvi_core.metrics.confidence import ReliabilityBin, calibration_error, reliability
from scanvi_core.metrics.intervals import (
    Interval,
    f1_interval,
    macro_f1_interval,
    wilson_interval,
)

Codes = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TypeScore:
    """One cell type: how many cells it has, and how well they are found.

    `precision` is NaN when the type is never predicted, `recall` when it has no cells, `f1` when
    both. The intervals are 95 %: Wilson for both shares, `f1_interval` for F1.
    """

    name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float
    precision_interval: Interval
    recall_interval: Interval
    f1_interval: Interval


@dataclass(frozen=True, slots=True)
class GroupScore:
    """The cells of one batch: how many, and how often their prediction is right."""

    name: str
    n: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The quality of predictions over `n` cells.

    Parameters
    ----------
    n
        Cells with a known true label.
    accuracy, interval
        Share of right predictions and its 95 % Wilson interval.
    macro_f1, macro_f1_interval
        Mean F1 over the types with at least `config.RARE_CELLS` true cells (NaN when none has)
        and its 95 % bootstrap interval.
    left_out
        Names of the types that were too rare for it.
    ece
        Expected calibration error of the confidence, in 15 bins of equally many cells; NaN when
        none was given.
    confusion
        Cells by true (row) and predicted (column) label [K, K].
    types, bins
        One entry per label; one per confidence bin that has cells.
    """

    n: int
    accuracy: float
    interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    left_out: tuple[str, ...]
    ece: float
    confusion: npt.NDArray[np.int64]
    types: tuple[TypeScore, ...]
    bins: tuple[ReliabilityBin, ...]


def score(
    true: Codes,
    predicted: Codes,
    names: Sequence[str],
    confidence: npt.NDArray[Any] | None = None,
) -> Scores:
    """Compare predicted with true labels.

    Parameters
    ----------
    true, predicted
        Label codes [n], 0..K-1. Cells whose true code is negative are left out; a negative
        prediction (no counts) counts as wrong.
    names
        The K label names.
    confidence
        Probability of the predicted label [n]; needed for the calibration error.
    """
    known = np.asarray(true) >= 0
    true, predicted = np.asarray(true)[known], np.asarray(predicted)[known]
    confusion = confusion_matrix(true, predicted, len(names))
    n, right = len(true), int((true == predicted).sum())
    supports = np.bincount(true, minlength=len(names))
    types = tuple(_type_score(confusion, supports, k, name) for k, name in enumerate(names))
    scored = supports >= config.RARE_CELLS
    bins = reliability(true == predicted, confidence[known]) if confidence is not None else ()
    return Scores(
        n=n,
        accuracy=right / n if n else float("nan"),
        interval=wilson_interval(right, n),
        macro_f1=_mean([t.f1 for t, counts in zip(types, scored, strict=True) if counts]),
        macro_f1_interval=macro_f1_interval(confusion, scored, supports - confusion.sum(axis=1)),
        left_out=tuple(t.name for t in types if t.support < config.RARE_CELLS),
        ece=calibration_error(bins),
        confusion=confusion,
        types=types,
        bins=bins,
    )


def confusion_matrix(true: Codes, predicted: Codes, n_labels: int) -> npt.NDArray[np.int64]:
    """Count cells by true (row) and predicted (column) code [K, K], negative codes left out."""
    both = (true >= 0) & (predicted >= 0)
    flat = true[both].astype(np.int64) * n_labels + predicted[both]
    return np.bincount(flat, minlength=n_labels**2).reshape(n_labels, n_labels)


def row_percents(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return whole percents of each row [K, K]; 100 and 0 only where it is all of it or none."""
    totals = confusion.sum(axis=1, keepdims=True)
    empty = np.zeros(confusion.shape)
    shares = np.divide(confusion, totals, out=empty, where=totals > 0)
    kept = np.clip(np.round(100 * shares), 1, 99)
    return np.where((shares > 0) & (shares < 1), kept, 100 * shares)


def row_names(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> list[str]:
    """Return the name of each row with its number of cells, without which a percent misleads."""
    cells = confusion.sum(axis=1)
    return [
        f"{name} ({int(n):,})" if n else f"{name} (none held out)"
        for name, n in zip(names, cells, strict=True)
    ]


def _type_score(
    confusion: npt.NDArray[np.int64], supports: npt.NDArray[np.int64], k: int, name: str
) -> TypeScore:
    right, support = int(confusion[k, k]), int(supports[k])
    predicted = int(confusion[:, k].sum())
    return TypeScore(
        name=name,
        support=support,
        predicted=predicted,
        precision=_ratio(right, predicted),
        recall=_ratio(right, support),
        f1=_ratio(2 * right, support + predicted),
        precision_interval=wilson_interval(right, predicted),
        recall_interval=wilson_interval(right, support),
        f1_interval=f1_interval(right, support, predicted),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def score_groups(
    right: npt.NDArray[np.bool_], groups: Codes, names: Sequence[str]
) -> tuple[GroupScore, ...]:
    """Count right predictions by batch, the hardest (then the largest) first; empty ones left out.

    Parameters
    ----------
    right
        Whether each prediction is right [n].
    groups, names
        Batch codes [n] and what they stand for.
    """
    n = np.bincount(groups, minlength=len(names))
    n_right = np.bincount(groups, weights=right, minlength=len(names)).astype(np.int64)
    scores = [
        GroupScore(
            name, int(n[i]), float(n_right[i] / n[i]), wilson_interval(int(n_right[i]), int(n[i]))
        )
        for i, name in enumerate(names)
        if n[i]
    ]
    return tuple(sorted(scores, key=lambda group: (group.accuracy, -group.n)))
