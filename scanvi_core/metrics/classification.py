"""How good predictions are: against labels the model has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core import config

Codes = npt.NDArray[Any]

N_BINS = 15
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class TypeScore:
    """One cell type: how many cells it has, and how well they are found.

    `precision` is NaN when the type is never predicted, `recall` when it has no cells, `f1` when
    both. `interval` is the 95 % Wilson interval of the recall.
    """

    name: str
    support: int
    predicted: int
    precision: float
    recall: float
    f1: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cells of similar confidence: how sure the model was, and how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The quality of predictions over `n` cells.

    Parameters
    ----------
    n
        Cells with a known true label.
    accuracy, interval
        Share of right predictions and its 95 % Wilson interval.
    macro_f1
        Mean F1 over the types with at least `config.RARE_CELLS` true cells; NaN when none has.
    left_out
        Names of the types that were too rare for it.
    ece
        Expected calibration error of the confidence; NaN when none was given.
    confusion
        Cells by true (row) and predicted (column) label [K, K].
    types, bins
        One entry per label; one per confidence bin that has cells.
    """

    n: int
    accuracy: float
    interval: tuple[float, float]
    macro_f1: float
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
    scored = [t for t in types if t.support >= config.RARE_CELLS]
    bins = reliability(true == predicted, confidence[known]) if confidence is not None else ()
    return Scores(
        n=n,
        accuracy=right / n if n else float("nan"),
        interval=wilson_interval(right, n),
        macro_f1=float(np.mean([t.f1 for t in scored])) if scored else float("nan"),
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
        interval=wilson_interval(right, support),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def wilson_interval(right: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927); (0, 1) without observations.

    Parameters
    ----------
    right, n
        Successes, of so many.
    z
        Quantile of the normal distribution; the default gives 95 %.
    """
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def reliability(
    right: npt.NDArray[np.bool_], confidence: npt.NDArray[Any], n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Sort cells into equal-width bins (low, high] of confidence; empty bins are left out.

    NaN confidences (cells without counts) are left out.
    """
    finite = np.isfinite(confidence)
    right, confidence = np.asarray(right)[finite], np.asarray(confidence, dtype=float)[finite]
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for i in range(n_bins)
        if (inside := which == i).any()
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: the mean gap of the bins, by their cells.

    Guo et al. 2017, arXiv:1706.04599, equation 3. NaN without bins.
    """
    n = sum(b.n for b in bins)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n if n else float("nan")
