"""Prediction sets: for each cell the few types among which the true one is, nine times in ten.

Split conformal prediction (Vovk et al. 2005, "Algorithmic learning in a random world") with the
score 1 - p(true type), which gives the smallest sets (Sadinle et al. 2019,
10.1080/01621459.2017.1395341). The promise holds for cells like those the rule was fitted on: not
for new batches, and not for types nobody has labeled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scanvi_core.errors import LabelsUnusable, SettingInvalid

COVERAGE = 0.9
MIN_TYPE_CELLS = 30  # of one type, for a threshold of its own


@dataclass(frozen=True, slots=True)
class SetRule:
    """Which types belong to the set of a cell: those with `thresholds` or more.

    Parameters
    ----------
    thresholds
        Least probability, by type [K].
    coverage
        The share of sets that hold the true type, as promised.
    n_cells
        Cells the rule was fitted on.
    own
        For each type, whether it has a threshold of its own, so that the promise holds within
        the type too.
    """

    thresholds: tuple[float, ...]
    coverage: float
    n_cells: int
    own: tuple[bool, ...]

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the sets, bool [n, K].

        The likeliest type is always in: an empty set would tell nobody anything. Rows of NaN
        (cells without counts) hold every type.
        """
        known = np.isfinite(probabilities).all(axis=1)
        filled = np.where(known[:, None], probabilities, 0.0)
        chosen = filled >= np.array(self.thresholds)
        chosen[np.arange(len(filled)), filled.argmax(axis=1)] = True
        return chosen | ~known[:, None]


def fit_sets(
    probabilities: np.ndarray, y: np.ndarray, coverage: float = COVERAGE, *, by_type: bool = False
) -> SetRule:
    """Fit the rule on cells the model has not seen.

    Parameters
    ----------
    probabilities
        Calibrated out-of-fold probabilities [n, K]; rows with NaN are left out.
    y
        True codes [n]; cells below 0 or from K on are left out.
    coverage
        Share of sets that are to hold the true type, above 0 and below 1.
    by_type
        Also within each type with 30 cells or more (enough cells for the coverage asked for);
        types with fewer take the threshold of all cells. Sets get larger where types are hard.

    Raises
    ------
    SettingInvalid
        If `coverage` is out of range.
    LabelsUnusable
        If there are too few cells: the promise needs ``coverage / (1 - coverage)`` of them.
    """
    if not 0.0 < coverage < 1.0:
        raise SettingInvalid(f"The coverage is {coverage}.", "Choose a share such as 0.9.")
    n_labels = probabilities.shape[1]
    usable = (y >= 0) & (y < n_labels) & np.isfinite(probabilities).all(axis=1)
    truth = y[usable]
    p_true = probabilities[usable][np.arange(len(truth)), truth].astype(np.float64)
    shared = _threshold(p_true, coverage)
    if shared is None:
        raise LabelsUnusable(
            f"There are {len(truth)} labeled cells to fit prediction sets on.",
            f"Label at least {fewest(coverage)} cells.",
        )
    thresholds, own = np.full(n_labels, shared), np.zeros(n_labels, dtype=bool)
    for code in range(n_labels) if by_type else ():
        mine = p_true[truth == code]
        threshold = _threshold(mine, coverage) if len(mine) >= MIN_TYPE_CELLS else None
        if threshold is not None:
            thresholds[code], own[code] = threshold, True
    return SetRule(tuple(map(float, thresholds)), coverage, len(truth), tuple(map(bool, own)))


def fewest(coverage: float) -> int:
    """Return the least number of cells with which `coverage` can be promised."""
    return int(np.ceil(round(coverage / (1.0 - coverage), 9)))


def _threshold(p_true: np.ndarray[Any, Any], coverage: float) -> float | None:
    """Return the k-th smallest probability, k = floor((n + 1)(1 - coverage)); None if k is 0."""
    k = int(np.floor(round((len(p_true) + 1) * (1.0 - coverage), 9)))
    return float(np.sort(p_true)[k - 1]) if k else None
