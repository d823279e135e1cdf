"""How often predictions of at least some confidence are right: measured, else as calibrated.

Evaluate and Export say it with the same sentence, so that they cannot differ.
"""

import numpy as np

from scanvi_core.annotation.model.calibration import MIN_CELLS
from scanvi_core.metrics.confidence import SurestCells, keep_above
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.diagnostics.held_out import held_out
from scanvi_core.services.formatting import count, percent, percent_range
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace


def open_confidence(opened: Workspace) -> np.ndarray:
    """Return the confidence of the predictions that may fill in a label, float64, ascending."""
    predictions, state = results.current(opened), opened.labels()
    if predictions is None:
        return np.empty(0)

    def look() -> np.ndarray:
        open_ = results.filled(state, predictions, 0.0)
        return np.sort(predictions.confidence[open_].astype(np.float64))

    return opened.cache.get(("open confidence", predictions.run_id, state.seq), look)


def expected(opened: Workspace, level: float) -> float:
    """Return the mean confidence of the cells without a label from `level` on; NaN for none.

    That share of them is right as far as the model is calibrated.
    """
    ordered = open_confidence(opened)
    sure = ordered[np.searchsorted(ordered, level) :]
    return float(sure.mean()) if sure.size else np.nan


def measured(opened: Workspace, level: float) -> SurestCells | None:
    """Return how right held-out cells from `level` on were; None where they are too few to say."""
    surest = _surest(opened, level)
    return surest if surest.n >= MIN_CELLS else None


def sentence(opened: Workspace, level: float) -> str:
    """Say how often predictions of a confidence of `level` or more are right."""
    known, as_sure = measured(opened, level), f" with a confidence of {level:.2f} or more"
    as_sure = as_sure if level > 0 else ""
    if known is not None:
        gap = measured_batches.gap(opened)
        cells = f"held-out cells{'' if gap is None else gap.of}"
        of = f"Of {cells}{as_sure}" if as_sure else f"Of all {cells}"
        return (
            f"{of}, {percent(known.accuracy, known.n)} were right (n = {known.n:,}, "
            f"95 % interval {percent_range(known.interval, known.n)})."
        )
    told, predictions = expected(opened, level), results.current(opened)
    n = _surest(opened, level).n
    few = f"{'only ' if n else ''}{count(n, 'held-out cell')} of {MIN_CELLS} needed"
    if predictions is None or not predictions.is_calibrated or np.isnan(told):
        return f"How often predictions{as_sure} are right is not known: {few}."
    return (
        f"The model expects about {percent(told)} of the predictions{as_sure} to be right, if "
        f"the labels it learned are. Not checked: {few}; the random check on Review can tell."
    )


def _surest(opened: Workspace, level: float) -> SurestCells:
    run = opened.current_run()
    if run is None:
        return keep_above(np.empty(0, dtype=bool), np.empty(0), level)
    cells = held_out(opened, run.id)
    return keep_above(cells.right, cells.confidence, level)
