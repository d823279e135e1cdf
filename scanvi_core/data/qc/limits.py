"""Limits on the numbers of a cell: which ones to suggest, and how many cells each would flag.

A limit is one number per batch. Cells below it (counts, genes) or above it (mitochondrial share,
doublet score) are flagged. The suggestions stand here alone: the Check page, the reasons for
doubt and the export all take them from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scanvi_core.config import MIN_BATCH_CELLS

# What may be technically wrong with a cell, by code
FLAG_NAMES = (
    "ok", "no counts", "low counts", "high mitochondrial", "doublet", "stray batch", "few genes",
)  # fmt: skip
FINE, NO_COUNTS, LOW_COUNTS, MITOCHONDRIA, DOUBLETS, STRAY, FEW_GENES = range(7)

BINS = 30
MAD_TO_SD = 1.4826
LOW_SPREADS = 3.0  # standard deviations of the logs below the batch's median, but
LOW_FOLDS = (3.0, 5.0)  # never at less than 3 times below it, always at more than 5 times
HIGH_SPREADS = 5.0  # standard deviations above the batch's median
LEAST_PERCENT, PERCENT_STEP = 10.0, 0.5  # of mitochondrial counts; limits are never lower
LEAST_SCORE, SCORE_STEP = 0.1, 0.01  # of doublets: twice the rate that scrublet expects
STEPS = 100  # of a slider between 0 and a typical cell
LAST_SHARE = 0.95  # of the cells lie within the bins where low values are flagged


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The values of one number, sorted within each batch, so that counting costs next to nothing.

    Attributes
    ----------
    values
        The numbers, of the cells of batch 0 first, each batch sorted; float64.
    starts
        Where each batch begins in `values`, and the end of the last [n_batch + 1].
    edges
        Ends of the bins [BINS + 1], the same for all batches; the first and the last bin are open.
    upper
        Whether cells above a limit are flagged; else those below it.
    """

    values: np.ndarray
    starts: np.ndarray
    edges: np.ndarray
    upper: bool

    @classmethod
    def of(
        cls,
        values: np.ndarray,
        batch_index: np.ndarray,
        n_batch: int,
        *,
        upper: bool,
        least_top: float = 0.0,
    ) -> "Spread":
        """Sort `values` [n_obs] within batches; NaN is left out.

        Bins begin at 0 and end at the largest value, or `least_top` if that is larger; where low
        ones are flagged, above `LAST_SHARE` of the cells: the last bin takes the rest.
        """
        known = np.flatnonzero(~np.isnan(values))
        batch, own = batch_index[known], np.asarray(values[known], dtype=np.float64)
        order = np.lexsort((own, batch))
        starts = np.concatenate([[0], np.bincount(batch, minlength=n_batch).cumsum()])
        return cls(own[order], starts, _edges(own, upper, least_top), upper)

    def batch(self, code: int) -> np.ndarray:
        """Return the sorted values of one batch."""
        return self.values[self.starts[code] : self.starts[code + 1]]

    def middles(self) -> np.ndarray:
        """Return the median of each batch; that of all cells for batches of fewer than 20."""
        middles = np.full(len(self.starts) - 1, self.middle)
        for code in np.flatnonzero(np.diff(self.starts) >= MIN_BATCH_CELLS):
            middles[code] = np.median(self.batch(int(code)))
        return middles

    @property
    def middle(self) -> float:
        """The median of all cells; 0 where there are none."""
        return float(np.median(self.values)) if len(self.values) else 0.0

    def flagged(self, limits: np.ndarray) -> np.ndarray:
        """Return how many cells of each batch a limit per batch flags, int64 [n_batch]."""
        sizes = np.diff(self.starts)
        if self.upper:
            within = [self.batch(i).searchsorted(limit, "right") for i, limit in enumerate(limits)]
            return sizes - np.array(within, dtype=np.int64)
        below = [self.batch(i).searchsorted(limit, "left") for i, limit in enumerate(limits)]
        return np.array(below, dtype=np.int64)

    def histogram(
        self, limits: np.ndarray, batches: Iterable[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the cells per bin that would stay and that would be flagged, over `batches`."""
        cells, low = np.zeros((2, len(self.edges) - 1), dtype=np.int64)
        side: Literal["left", "right"] = "right" if self.upper else "left"
        inner = self.edges[1:-1]
        for code in batches:
            own = self.batch(code)
            ends = np.concatenate([[0], own.searchsorted(inner, "left"), [len(own)]])
            cells += np.diff(ends)
            low += np.diff(np.minimum(ends, own.searchsorted(limits[code], side)))
        return (low, cells - low) if self.upper else (cells - low, low)


def _edges(values: np.ndarray, upper: bool, least_top: float) -> np.ndarray:
    top = float(np.quantile(values, 1.0 if upper else LAST_SHARE)) if len(values) else 1.0
    if upper:
        return np.linspace(0.0, max(top, least_top) or 1.0, BINS + 1)
    step = step_of(float(np.median(values)) if len(values) else 1.0)
    return np.linspace(0.0, max(1.0, np.ceil(top / step)) * step, BINS + 1)


def low_limits(spread: Spread) -> np.ndarray:
    """Return below how many counts, or genes, a cell of each batch is poor, float64 [n_batch].

    Three standard deviations (by the median absolute deviation of the logs within batches,
    pooled) below the median of the batch, taken as a factor of at least 3 and at most 5.
    Rounded down to a step of the batch's slider.
    """
    middles = spread.middles()
    away = np.abs(np.log1p(spread.values) - np.repeat(np.log1p(middles), np.diff(spread.starts)))
    width = LOW_SPREADS * MAD_TO_SD * (float(np.median(away)) if len(away) else 0.0)
    folds = np.exp(np.clip(width, *np.log(LOW_FOLDS)))
    limits = np.expm1(np.log1p(middles) - np.log(folds))
    steps = np.array([step_of(middle) for middle in middles])
    return np.floor(np.maximum(limits, 0) / steps) * steps


def high_limits(spread: Spread, least: float, step: float) -> np.ndarray:
    """Return above which share a cell of each batch stands out, float64 [n_batch].

    Five standard deviations (by the median absolute deviation within batches, pooled) above the
    median of the batch, never less than `least`. Rounded up to a step of the slider.
    """
    middles = spread.middles()
    away = np.abs(spread.values - np.repeat(middles, np.diff(spread.starts)))
    width = HIGH_SPREADS * MAD_TO_SD * (float(np.median(away)) if len(away) else 0.0)
    return np.maximum(np.ceil((middles + width) / step - 1e-9) * step, least)


def step_of(middle: float) -> float:
    """Return the step of a slider from 0 to `middle`: 1 or more, a round number."""
    wanted = max(1.0, middle / STEPS)
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(scale for scale in (1, 2, 5) if scale * power <= wanted) * power)
