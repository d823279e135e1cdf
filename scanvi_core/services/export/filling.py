"""Which cells without a label take their prediction, and how many of these are right."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.diagnostics.confidence_worth import measured, open_confidence
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

NO_PREDICTION = 2.0  # a confidence that no prediction has
WANTED = 0.95  # share of the predictions filled in that is to be right
SURE = 0.9  # the confidence that is put into words where none is offered
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

    Where held-out cells are enough, the level is one from which 95 % of these were right: what is
    said of it is measured. Fewer, then, or none. None where the model is not calibrated: then no
    level can be promised.
    """
    predictions = results.current(opened)
    if predictions is None or not predictions.is_calibrated:
        return None
    ordered = open_confidence(opened)[::-1]
    enough = np.flatnonzero(np.cumsum(ordered) / np.arange(1, ordered.size + 1) >= WANTED)
    if not enough.size:
        return filling(opened, NO_PREDICTION)
    least = int(np.ceil(STEP * ordered[enough[-1]]))
    if measured(opened, least / STEP) is None:  # the calibration is all that is known
        return filling(opened, least / STEP)
    for level in range(least, STEP + 1):
        known = measured(opened, level / STEP)
        if known is None or known.accuracy >= WANTED:
            return filling(opened, NO_PREDICTION if known is None else level / STEP)
    return filling(opened, NO_PREDICTION)


def default_level(opened: Workspace) -> float:
    """Return the confidence from which Export fills in predictions unless somebody asks for else.

    Where no level promises enough, none is filled in.
    """
    sure = mostly_right(opened)
    return sure.threshold if sure is not None and sure.n_cells else NO_PREDICTION


def promise(opened: Workspace) -> str:
    """Return what is known of the predictions of `mostly_right`: counted, or only expected."""
    sure = mostly_right(opened)
    if sure is None or measured(opened, sure.threshold) is None:
        return f"the model expects {percent(WANTED)} or more to be right"
    return f"{percent(WANTED)} or more of held-out cells as sure were right"


def level_told(opened: Workspace) -> float:
    """Return the confidence that pages and the report put into words: the one Export offers."""
    sure = mostly_right(opened)
    return sure.threshold if sure is not None and sure.n_cells else SURE


def which(opened: Workspace, threshold: float, *, planned: bool = False) -> str:
    """Say which of the predictions count as labels, and how many do not; empty without any.

    `planned` says that no file was written yet.
    """
    one, many = ("would count",) * 2 if planned else ("counts", "count")
    n_all, n = (filling(opened, level).n_cells for level in (0.0, threshold))
    if not n_all:
        return ""
    if n == n_all:
        return f"Every prediction {one} as a label: {n:,}."
    if not n:
        return f"None of the {count(n_all, 'prediction')} {one} as a label."
    left = n_all - n
    others = "The other one is" if left == 1 else f"The other {left:,} are"
    return (
        f"Predictions of a confidence of {threshold:.2f} or more {many} as labels: {n:,} of "
        f"{n_all:,}. {others} left out."
    )


def novel_sentence(opened: Workspace, threshold: float) -> str:
    """Say how many cells without a label look unlike every labeled one; empty where unknown.

    And how many of these a prediction of at least `threshold` names.
    """
    n_all, n = (filling(opened, level).n_cells for level in (0.0, threshold))
    novel_all, novel = (n_novel(opened, level) for level in (0.0, threshold))
    if not novel_all:
        if uncertainty.reasons(opened) is None or not n_all:
            return ""
        return (
            f"None of the {count(n_all, 'cell')} without a label looks unlike every labeled cell."
        )
    return (
        f"{novel_all:,} of the {count(n_all, 'cell')} without a label look unlike every labeled "
        f"cell, {novel:,} of the {n:,} named by prediction among them: their type may have no "
        "label yet, and what is said of how often the model is right does not hold for them."
    )
