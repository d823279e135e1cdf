"""Whether confidence means what it says: reliability, calibration error, coverage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.metrics.intervals import Interval, wilson_interval

N_BINS = 15
N_DRAWS = 200

Right = npt.NDArray[np.bool_]
Confidence = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Cells of similar confidence: how sure the model was, and how often right.

    `low` and `high` are the smallest and the largest confidence among them, `interval` the 95 %
    Wilson interval of `accuracy`.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class SurestCells:
    """The cells left when all less sure ones are put aside, and how often they are right."""

    coverage: float
    confidence: float
    n: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True, eq=False)
class CoverageCurve:
    """Share right among the surest cells, one entry per distinct confidence, the surest first.

    `coverage` is the share of all cells kept, `confidence` the least sure of them.
    """

    coverage: npt.NDArray[np.float64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]


def reliability(
    right: Right, confidence: Confidence, n_bins: int = N_BINS
) -> tuple[ReliabilityBin, ...]:
    """Sort cells by confidence into bins of (nearly) the same number of cells.

    Cells of equal confidence stay together, so the order of the cells does not matter. NaN
    confidences (cells without counts) are left out.
    """
    right, confidence = _finite(right, confidence)
    which = _equal_mass(confidence, n_bins)
    bins = []
    for i in np.unique(which):
        inside = which == i
        n, n_right = int(inside.sum()), int(right[inside].sum())
        bins.append(
            ReliabilityBin(
                low=float(confidence[inside].min()),
                high=float(confidence[inside].max()),
                n=n,
                confidence=float(confidence[inside].mean()),
                accuracy=n_right / n,
                interval=wilson_interval(n_right, n),
            )
        )
    return tuple(bins)


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error: the mean gap of the bins, by their cells.

    Guo et al. 2017, arXiv:1706.04599, equation 3. NaN without bins.
    """
    n = sum(b.n for b in bins)
    return sum(b.n * abs(b.accuracy - b.confidence) for b in bins) / n if n else float("nan")


def chance_error(confidence: Confidence, n_bins: int = N_BINS) -> float:
    """Return the calibration error that a perfectly honest confidence would still show.

    With few cells a bin is off by luck alone: the mean over seeded draws in which each cell is
    right with just the probability given. NaN without cells.
    """
    _, confidence = _finite(np.ones(len(confidence), dtype=bool), confidence)
    n = len(confidence)
    if n == 0:
        return float("nan")
    random = np.random.default_rng(0)  # the same cells give the same number
    which = np.unique(_equal_mass(confidence, n_bins), return_inverse=True)[1]
    errors = []
    for _ in range(N_DRAWS):
        gap = (random.random(n) < confidence) - confidence
        errors.append(np.abs(np.bincount(which, gap)).sum() / n)
    return float(np.mean(errors))


def coverage_curve(right: Right, confidence: Confidence) -> CoverageCurve:
    """Put cells aside from the least sure on, and count how often the others are right.

    Cells of equal confidence stay or go together. NaN confidences are left out.
    """
    right, confidence = _finite(right, confidence)
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(order) else order
    kept = last + 1.0
    return CoverageCurve(
        coverage=kept / max(1, len(order)),
        confidence=ordered[last],
        accuracy=np.cumsum(right[order])[last] / kept,
    )


def keep_surest(right: Right, confidence: Confidence, share: float) -> SurestCells:
    """Keep at least this share of the cells, the surest, and all as sure as the last of them."""
    right, confidence = _finite(right, confidence)
    n = len(confidence)
    if n == 0:
        return SurestCells(float("nan"), float("nan"), 0, float("nan"), (0.0, 1.0))
    wanted = min(n, max(1, int(np.ceil(round(share * n, 9)))))
    return keep_above(right, confidence, float(np.sort(confidence)[n - wanted]))


def keep_above(right: Right, confidence: Confidence, threshold: float) -> SurestCells:
    """Keep the cells whose confidence is `threshold` or more."""
    right, confidence = _finite(right, confidence)
    inside = confidence >= threshold
    n, n_right = int(inside.sum()), int(right[inside].sum())
    return SurestCells(
        coverage=n / len(confidence) if len(confidence) else float("nan"),
        confidence=threshold,
        n=n,
        accuracy=n_right / n if n else float("nan"),
        interval=wilson_interval(n_right, n),
    )


def _finite(
    right: Right, confidence: Confidence
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    finite = np.isfinite(confidence)
    return np.asarray(right)[finite], np.asarray(confidence, dtype=float)[finite]


def _equal_mass(confidence: npt.NDArray[np.float64], n_bins: int) -> npt.NDArray[np.int64]:
    """Return the bin of each cell: its rank, that of the first of its equals, cut into n_bins."""
    ordered, places = np.unique(confidence, return_inverse=True)
    first = np.searchsorted(np.sort(confidence), ordered)
    return (first[places] * n_bins) // max(1, len(confidence))
