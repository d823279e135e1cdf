"""How right a model is in each batch: by held-out cells, elsewhere by random checks."""

import numpy as np
import pandas as pd

from scanvi_core.metrics.intervals import exact_interval
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.diagnostics.holdout_report import NOT_MEASURED
from scanvi_core.services.diagnostics.measured_batches import named
from scanvi_core.services.formatting import percent_range
from scanvi_core.services.review.queue import CHECK, ReviewState
from scanvi_core.services.review.random_check import checked, random_check
from scanvi_core.services.runs.provisional import ProvisionalState
from scanvi_core.services.workspace import Workspace


def without_refit(opened: Workspace) -> ReviewState:
    """Return the review as the model in use leaves it: nothing is refitted to look at it."""
    run, named = opened.current_run(), opened.labels().codes >= 0
    return ReviewState(opened, None if run is None else run.id, named, ProvisionalState())


def sentence(review: ReviewState) -> str:
    """Say where the model was measured, and what random checks tell of the rest.

    Empty where held-out cells tell of all batches, or nothing was held out.
    """
    gap, missing = measured_batches.gap(review.opened), measured_batches.sentence(review.opened)
    known = random_check(review)
    if gap is None or known is None or not known.n_checked:
        return missing
    return f"Held-out cells tell of {named(gap.measured)} only. {known.sentence}"


def batch_table(review: ReviewState, scored: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of the batches with those that random checks tell of, named as such."""
    run = review.opened.current_run()
    gap = measured_batches.gap(review.opened)
    if run is None or gap is None:
        return scored
    rows, right = checked(review, CHECK)
    batches, table = measured_batches.divided(review.opened, run), scored.copy()
    of = np.array(batches.names, dtype=object)[batches.index[rows]]
    for at in np.flatnonzero(table["batch"].isin(gap.missing)):
        own = right[of == table["batch"].iloc[at]]
        if own.size:
            n, n_right = int(own.size), int(own.sum())
            about = percent_range(exact_interval(n_right, n))
            drawn, held = f"{n_right} of {n} drawn at random ({about})", table["right"].iloc[at]
            said = drawn if held == NOT_MEASURED else f"{held}; {drawn}"
            table.loc[table.index[at], "right"] = said
    return table
