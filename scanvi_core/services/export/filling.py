"""Which cells without a label take their prediction, and how many of these are right."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.diagnostics.confidence_worth import measured, open_confidence
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

NO_PREDICTION = 2.0  # a confidence that no prediction has
WANTED = 0.95  # share of the predictions filled in that is to be right
STEP = 100  # levels between 0 and 1 that a page can show


@dataclass(frozen=True)
class Filling:
    """Predictions of at least the confidence `threshold`: how many."""

    threshold: float
    n_cells: int


def filling(opened: Workspace, threshold: float) -> Filling:
    """Return what filling in predictions of at least this confidence means."""
    return Filling(threshold, int(np.count_nonzero(open_confidence(opened) >= threshold)))


def n_novel(opened: Workspace, threshold: float) -> int:
    """Return how many of the cells filled in look unlike every labeled cell; 0 where unknown.

    What is known of how often the model is right does not hold for them.
    """
    checked, predictions = uncertainty.reasons(opened), results.current(opened)
    if checked is None or predictions is None:
        return 0
    taken = results.filled(opened.labels(), predictions, threshold)
    return int(np.count_nonzero(taken & (checked.reason == uncertainty.Reason.NOVEL)))


def mostly_right(opened: Workspace) -> Filling | None:
    """Return the most predictions of which 95 % are right as far as the model is calibrated.

    Fewer where held-out cells say that it is too sure. None where it is not calibrated: then no
    level can be promised.
    """
    predictions = results.current(opened)
    if predictions is None or not predictions.is_calibrated:
        return None
    ordered = open_confidence(opened)[::-1]
    enough = np.flatnonzero(np.cumsum(ordered) / np.arange(1, ordered.size + 1) >= WANTED)
    if not enough.size:
        return filling(opened, NO_PREDICTION)
    for level in range(int(np.ceil(STEP * ordered[enough[-1]])), STEP + 1):
        known = measured(opened, level / STEP)
        if known is None or known.interval[1] >= WANTED:
            return filling(opened, level / STEP)
    return filling(opened, NO_PREDICTION)
