"""Which cells without a label take their prediction, and how many of these are right."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

NO_PREDICTION = 2.0  # a confidence that no prediction has
WANTED = 0.95  # share of the predictions filled in that is to be right
STEP = 100  # levels between 0 and 1 that a page can show


@dataclass(frozen=True)
class Filling:
    """Predictions of at least the confidence `threshold`: how many, and the share expected right.

    `expected` is the mean of their confidence, which is the share that is right as far as the
    model is calibrated; NaN for no cell.
    """

    threshold: float
    n_cells: int
    expected: float


def filling(opened: Workspace, threshold: float) -> Filling:
    """Return what filling in predictions of at least this confidence means."""
    ordered = _confidence(opened)
    sure = ordered[np.searchsorted(ordered, threshold) :]
    return Filling(threshold, sure.size, float(sure.mean()) if sure.size else np.nan)


def mostly_right(opened: Workspace) -> Filling | None:
    """Return the most predictions of which 95 % are right as far as the model is calibrated.

    None where it is not calibrated: then no level can be promised.
    """
    predictions = results.current(opened)
    if predictions is None or not predictions.is_calibrated:
        return None
    ordered = _confidence(opened)[::-1]
    enough = np.flatnonzero(np.cumsum(ordered) / np.arange(1, ordered.size + 1) >= WANTED)
    if not enough.size:
        return filling(opened, NO_PREDICTION)
    return filling(opened, float(np.ceil(STEP * ordered[enough[-1]]) / STEP))


def _confidence(opened: Workspace) -> np.ndarray:
    """Return the confidence of the predictions that may fill in a label, float64, ascending."""
    predictions, state = results.current(opened), opened.labels()
    if predictions is None:
        return np.empty(0)

    def look() -> np.ndarray:
        open_ = results.filled(state, predictions, 0.0)
        return np.sort(predictions.confidence[open_].astype(np.float64))

    return opened.cache.get(("open confidence", predictions.run_id, state.seq), look)
