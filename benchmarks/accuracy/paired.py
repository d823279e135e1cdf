"""Differences between two methods measured under the same masks, and how far to trust them."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
N_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference and its 95 % interval; `n` measurements went into it."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` where the interval leaves out 0, else ``even``."""
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else "even"


def within(differences: np.ndarray) -> Difference:
    """Return the mean over the masks of one data set, with Student's interval.

    NaN bounds for a single mask: one measurement has no spread.
    """
    n, mean = len(differences), float(np.mean(differences))
    if n < 2:
        return Difference(mean, np.nan, np.nan, n)
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)
    return Difference(mean, mean - float(half), mean + float(half), n)


def over_pairs(by_set: list[np.ndarray], seed: int = 0) -> Difference:
    """Return the mean over all sets and masks; every pair is drawn anew, as if on its own.

    Percentile bootstrap (Efron 1979). It says how sure the mean is on these data sets.
    """
    pairs = np.concatenate(by_set)
    random = np.random.default_rng(seed)
    draws = pairs[random.integers(len(pairs), size=(N_DRAWS, len(pairs)))].mean(axis=1)
    return _from_draws(float(pairs.mean()), draws, len(pairs))


def over_sets(by_set: list[np.ndarray], seed: int = 0) -> Difference:
    """Return the mean of the sets' means; whole sets are drawn anew.

    Wider than `over_pairs`, because it also asks what other data sets would have given.
    """
    means = np.array([float(np.mean(part)) for part in by_set])
    random = np.random.default_rng(seed)
    draws = means[random.integers(len(means), size=(N_DRAWS, len(means)))].mean(axis=1)
    return _from_draws(float(means.mean()), draws, len(means))


def _from_draws(mean: float, draws: np.ndarray, n: int) -> Difference:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(mean, float(low), float(high), n)
