"""Which cells the review suggests next."""

from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.project.runs import Run
from scanvi_core.services.runs import review_clusters
from scanvi_core.services.runs.results import Z1

if TYPE_CHECKING:
    from scanvi_core.annotation.review.doubt_groups import ReviewGroup


def suggested(
    run: Run,
    probabilities: tuple[np.ndarray, np.ndarray],
    open_: np.ndarray,
    known: np.ndarray,
    broader: np.ndarray | None = None,
    n_asked: int = 0,
) -> "tuple[tuple[ReviewGroup, ...], np.ndarray]":
    """Return the cards of a run, the most useful first, and the novelty [n_obs] they go by.

    Parameters
    ----------
    probabilities
        What the run said of the types of now, and what is said now, each [n_obs, K].
    open_
        Cells [n_obs] without a label.
    known
        Label codes [n_obs], below 0 where there is none.
    broader
        Which types are part of each broader one [nodes, K]; None: there is none.
    n_asked
        Decisions since the run was begun.
    """
    from scanvi_core.annotation.review.card_order import cards
    from scanvi_core.annotation.review.doubt_groups import review_queue

    before, now = probabilities
    made = review_clusters.read(run)
    if made is None:  # a run of an earlier version
        unknown = np.full(len(now), np.nan, dtype=np.float32)
        return tuple(review_queue(run.array(Z1), now, open_, known=known)), unknown
    since = (known >= 0) & (run.array("y") < 0)
    new = review_clusters.novelty(run, before, now, made.nearness(since))
    asked = cards(made, now, new, open_, known=known, broader=broader, n_asked=n_asked)
    return tuple(asked), new
