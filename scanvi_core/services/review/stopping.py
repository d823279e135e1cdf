"""When to stop a review: how right the rest is, and what the groups that are left would bring.

A model may be sure of cells of a type nobody named. Advice that trusted it before any random check
came at the first card in two of ten simulated reviews, and cost half of the cells; with two checks
before it, it cost .002 of the accuracy at most (``python -m benchmarks.quality.stopping FOLDER``).
"""

from dataclasses import dataclass

import numpy as np

from scanvi_core import config
from scanvi_core.metrics.intervals import Interval, exact_interval
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.review.queue import RANDOM, ReviewState
from scanvi_core.services.review.random_check import outcomes
from scanvi_core.services.runs import results

ENOUGH = 0.01  # share of the cells: groups expected to correct fewer are not worth the clicks
ENOUGH_CHECKS = 2  # random checks of a model, before its own word on the rest is trusted


@dataclass(frozen=True)
class Rest:
    """What is known about the cells that nobody named.

    Attributes
    ----------
    n_cells, n_sure
        Cells of the data set, and those without a label that the model is sure of.
    n_checked, n_right
        Random checks among the sure cells that were decided, and those the model was right about.
    n_groups, n_expected
        Open groups of doubtful cells, and cells in them whose first guess is expected to be wrong.
    promised
        Share of the sure cells that are right if the model's confidence is.
    """

    n_cells: int
    n_sure: int
    n_checked: int
    n_right: int
    n_groups: int
    n_expected: float
    promised: float

    @property
    def interval(self) -> Interval:
        """95 % interval of the share of sure cells that are right, exact: checks are few."""
        return exact_interval(self.n_right, self.n_checked)

    @property
    def is_misled(self) -> bool:
        """Whether the random checks say that the model is right less often than it says."""
        return self.n_checked > 0 and self.interval[1] < self.promised

    @property
    def n_missing(self) -> int:
        """Random checks that are missing before the model's word on the rest is trusted."""
        return max(0, min(ENOUGH_CHECKS, self.n_sure) - self.n_checked)

    @property
    def _is_little(self) -> bool:
        """Whether, by the model's word, the groups left would change too little."""
        return self.n_expected < ENOUGH * self.n_cells

    @property
    def is_due(self) -> bool:
        """Whether random checks are all that is missing to tell whether one can stop."""
        return self._is_little and self.n_missing > 0

    @property
    def can_stop(self) -> bool:
        """Whether the groups left are not worth the clicks, as far as random checks agree."""
        return self._is_little and not self.n_missing and not self.is_misled

    def accuracy(self) -> str:
        """Say how right the sure cells are, as far as the random checks tell."""
        if not self.n_checked:
            return (
                "Every tenth card is a random check of a cell the model is sure of. None was "
                "answered since this model was trained; each model is checked anew."
            )
        low, high = self.interval
        return (
            f"{self.n_right} of {count(self.n_checked, 'random check')} were right: "
            f"of the {self.n_sure:,} cells the model is sure of, "
            f"between {percent(low)} and {percent(high)} are right."
        )

    def advice(self) -> str:
        """Say whether more decisions would pay."""
        left = (
            f"The {count(self.n_groups, 'group')} left would correct about {self.n_expected:,.0f} "
            f"of {self.n_cells:,} cells."
            if self.n_groups
            else "No group is left."
        )
        if self.is_misled:
            return (
                f"{left} But the model is right less often than it says: "
                "update it, and look at the tab Novel."
            )
        if self.is_due:
            more = count(self.n_missing, "random check")
            return f"{left} Whether you can stop, {more} will tell: the next cards."
        return f"You can stop now. {left}" if self.can_stop else left


def rest(review: ReviewState) -> Rest:
    """Return what is known about the cells that nobody named; a model must be there.

    Random checks are a fixed random order of the cells the model was sure of; see
    `random_check.outcomes`.
    """
    if review.run_id is None:
        return Rest(review.named.size, 0, 0, 0, 0, 0.0, 1.0)
    predictions = results.load(review.opened, review.run_id)
    sure = (predictions.confidence >= config.LOW_CONFIDENCE) & ~review.named & ~predictions.holdout
    right = outcomes(review, RANDOM)
    open_ = [item for item in review.queue if not review.is_decided(item)]
    expected = sum(item.gain for item in open_)
    promised = float(predictions.confidence[sure].mean()) if sure.any() else 1.0
    n, n_sure = review.named.size, int(np.count_nonzero(sure))
    return Rest(n, n_sure, len(right), sum(right), len(open_), expected, promised)
