"""Counts from normalized values, cell by cell, with a proof that they are the only ones possible.

A value stands for an interval of what it may have been before it was rounded to float32 (and to
some decimals). A cell is counts times a unit: its smallest value is k units, for k = 1, 2, ...
With k chosen, every other interval must hold a whole number of units: none refutes the k, one
fixes the count and narrows the unit, several are settled when the unit has been narrowed, or
never, and then the cell is left out. All of it in interval arithmetic, a block of cells at once.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from scanvi_core import config
from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.counts.scale import (
    BASES,
    FEWEST_DECIMALS,
    LINEAR,
    LOG_MAX,
    Scale,
    decimals_of,
)
from scanvi_core.errors import CountsNotFound

EMPTY, PROVEN, WEAK, TOO_LARGE, NO_FIT = range(5)
ROUNDS = 8  # times a unit is narrowed; each multiplies what can be settled by a hundred or more
BUCKETS = 64
FIRST_LOOK = 40  # cells
BLOCK_VALUES = 2**17  # values solved at once: what fits a processor's cache
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
LARGEST = 2.0**24  # beyond it float32 no longer tells a whole number from the next


@dataclass(slots=True)
class Solution:
    """Counts of some cells, and how sure they are.

    Attributes
    ----------
    counts
        Whole numbers, float64, one per value; meaningful where `status` is PROVEN or WEAK.
    status
        Per cell: EMPTY; PROVEN; WEAK (whole numbers, but so few values that chance could make
        them fit); TOO_LARGE (a count that cannot be told from the next one); NO_FIT.
    unit
        Per cell, what one count stands for.
    """

    counts: np.ndarray
    status: np.ndarray
    unit: np.ndarray


def solve(values: np.ndarray, indptr: np.ndarray, scale: Scale) -> Solution:
    """Return the counts of cells given as positive `values` cut by `indptr`."""
    n_cells = indptr.size - 1
    solution = Solution(np.zeros(values.size), np.zeros(n_cells, np.int8), np.zeros(n_cells))
    for start, stop in row_blocks(indptr, BLOCK_VALUES):
        some = slice(indptr[start], indptr[stop])
        part = _solve_block(values[some], indptr[start : stop + 1] - indptr[start], scale)
        solution.counts[some] = part.counts
        solution.status[start:stop], solution.unit[start:stop] = part.status, part.unit
    return solution


def _solve_block(values: np.ndarray, indptr: np.ndarray, scale: Scale) -> Solution:
    lengths = np.diff(indptr)
    solution = Solution(
        np.zeros(values.size),
        np.where(lengths > 0, NO_FIT, EMPTY).astype(np.int8),
        np.zeros(lengths.size),
    )
    open_rows = np.flatnonzero(lengths)
    low, high = scale.bounds(values)
    for smallest in range(1, config.RECOVERY_SMALLEST + 1):
        if not open_rows.size:
            break
        at, starts = _places(indptr, open_rows)
        status, unit, counts = _fit(low[at], high[at], starts, smallest)
        solution.status[open_rows], solution.unit[open_rows] = status, unit
        solution.counts[at] = counts
        # Another k may settle a cell in which this one left a large count open, but never better.
        open_rows = open_rows[status == NO_FIT]
    return solution


def recover_counts(values: sp.csr_matrix, totals: np.ndarray | None = None) -> sp.csr_matrix:
    """Return the counts behind log-normalized values, all cells or none.

    Parameters
    ----------
    values
        Cells × genes, non-negative.
    totals
        Counts per cell before normalization, over all genes measured; they settle a factor that
        all counts of a cell share.

    Returns
    -------
    scipy.sparse.csr_matrix
        Whole numbers as float32, same cells and genes.

    Raises
    ------
    CountsNotFound
        If any cell has no proven solution; nothing is ever approximated.
    """
    scale = detect(values)
    n_bad = values.shape[0]
    if scale is not None:
        solution = solve(values.data, values.indptr, scale)
        if totals is not None:
            apply_totals(solution, values.indptr, totals, target_of(solution, totals))
        n_bad = int(np.count_nonzero(solution.status > PROVEN))
    if scale is None or n_bad:
        raise CountsNotFound(
            f"The counts of {n_bad:,} of {values.shape[0]:,} cells cannot be recovered exactly.",
            "Open the file from before normalization.",
        )
    return sp.csr_matrix(
        (solution.counts.astype(np.float32), values.indices.copy(), values.indptr.copy()),
        shape=values.shape,
    )


def detect(sample: sp.csr_matrix) -> Scale | None:
    """Return the scale that explains most cells of a sample; None below half of them."""
    values = sample.data
    if not values.size or values.dtype == np.float16:
        return None
    if values.min() <= 0 or not np.isfinite(values.max()):
        return None
    decimals = decimals_of(values)
    if decimals is not None and decimals < FEWEST_DECIMALS:
        return None
    bases = [LINEAR] if float(values.max()) > LOG_MAX else [*BASES, LINEAR]
    sample = sample[np.diff(sample.indptr) > 0]
    few = sample[:: max(1, sample.shape[0] // FIRST_LOOK)]  # most scales fail on a few cells
    shares = {}
    for base in bases:
        scale = Scale(base, decimals)
        if _proven_share(few, scale) > 1 / 2:
            shares[scale] = _proven_share(sample, scale)
            if shares[scale] > 1 - config.RECOVERY_LEFT_OUT:
                return scale
    best = max(shares, key=lambda scale: shares[scale], default=None)
    return best if best is not None and shares[best] > 1 / 2 else None


def _proven_share(sample: sp.csr_matrix, scale: Scale) -> float:
    return float(np.mean(solve(sample.data, sample.indptr, scale).status == PROVEN))


def target_of(solution: Solution, totals: np.ndarray) -> float | None:
    """Return the total that cells were scaled to, as `totals` of the cells show it, or None.

    None when the totals do not explain the units: another column, or computed on other genes.
    """
    some = (solution.status == PROVEN) & (totals > 0)
    if np.count_nonzero(some) < 2:
        return None
    targets = totals[some] * solution.unit[some]
    middle = float(np.median(targets))
    factor = np.rint(targets / middle)
    near = (factor >= 1) & (np.abs(targets / middle - factor) <= config.RECOVERY_TOTALS * factor)
    return middle if near.mean() >= 1 - config.RECOVERY_LEFT_OUT else None


def apply_totals(
    solution: Solution, indptr: np.ndarray, totals: np.ndarray, target: float | None
) -> np.ndarray:
    """Multiply the counts of cells by the factor their totals ask for; return the cells settled.

    A cell whose total, unit and target agree is proven, whatever its number of values.
    """
    if target is None:
        return np.zeros(solution.status.size, dtype=bool)
    ratio = totals * solution.unit / target
    factor = np.maximum(np.rint(ratio), 1)
    fits = (solution.status == PROVEN) | (solution.status == WEAK)
    settled = fits & (np.abs(ratio - factor) <= config.RECOVERY_TOTALS * factor)
    factor = np.where(settled, factor, 1)
    solution.counts *= np.repeat(factor, np.diff(indptr))
    solution.unit /= factor
    solution.status[settled] = PROVEN
    return settled


def _places(indptr: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray | slice, np.ndarray]:
    """Return where the values of some rows lie, and where each row starts among them."""
    lengths = np.diff(indptr)[rows].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    if starts[-1] == indptr[-1]:
        return slice(None), starts
    return np.arange(starts[-1]) + np.repeat(indptr[rows] - starts[:-1], lengths), starts


def _fit(
    low: np.ndarray, high: np.ndarray, starts: np.ndarray, smallest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return status, unit and counts of cells whose smallest value is taken as `smallest` counts.

    `starts` has one entry more than there are cells; no cell is empty.
    """
    lengths, begin = np.diff(starts), starts[:-1]
    unit_low = np.minimum.reduceat(low, begin) / smallest
    unit_high = np.minimum.reduceat(high, begin) / smallest
    for _ in range(ROUNDS):
        with np.errstate(divide="ignore", over="ignore"):
            least = np.ceil(low * np.repeat(1 / unit_high, lengths))
            most = np.floor(high * np.repeat(1 / unit_low, lengths))
        np.maximum(least, 1, out=least)
        bad, unsettled = _any(least > most, begin), least < most
        several = _any(unsettled, begin)
        narrow_low, narrow_high = low / least, high / least
        if several.any():
            narrow_low[unsettled], narrow_high[unsettled] = 0, np.inf
        before = unit_high - unit_low
        np.maximum(unit_low, np.maximum.reduceat(narrow_low, begin), out=unit_low)
        np.minimum(unit_high, np.minimum.reduceat(narrow_high, begin), out=unit_high)
        bad |= unit_low > unit_high
        if not (several & ~bad & (unit_high - unit_low < before)).any():
            break
    unit = (unit_low + unit_high) / 2
    status = np.where(several, TOO_LARGE, PROVEN).astype(np.int8)
    status[np.maximum.reduceat(least, begin) > LARGEST] = TOO_LARGE
    chance = _chance(least, (high - low) / np.repeat(unit, lengths), starts, smallest)
    status[(status == PROVEN) & (chance > config.RECOVERY_CHANCE)] = WEAK
    status[bad] = NO_FIT
    return status, unit, least


def _any(where: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """Return for each cell whether `where` holds for any of its values."""
    if not where.any():
        return np.zeros(begin.size, dtype=bool)
    return np.logical_or.reduceat(where, begin)


def _chance(
    counts: np.ndarray, width: np.ndarray, starts: np.ndarray, smallest: int
) -> np.ndarray:
    """Return how probable it is, per cell, that values that are no counts fit as well: at most.

    A value that is anywhere between two counts falls into an interval as wide as a part `width` of
    their distance with that probability. Equal counts say it once; the smallest set the unit. When
    the smallest is several counts, only what would not fit a larger unit speaks for the smaller:
    a cell with one changed value would else pass, with a unit small enough for that one.
    """
    chance = np.zeros(starts.size - 1)
    for factor in [prime for prime in PRIMES if smallest % prime == 0] or [0]:
        telling = counts != 1 if factor == 0 else counts % factor != 0
        other = np.flatnonzero(telling)
        evidence = np.zeros((starts.size - 1, BUCKETS))
        rows = np.searchsorted(starts, other, side="right") - 1
        buckets = np.remainder(counts[other], BUCKETS).astype(np.int64)
        evidence[rows, buckets] = -np.log(np.minimum(width[other], 1.0))
        np.maximum(chance, smallest * np.exp(-evidence.sum(axis=1)), out=chance)
    return chance
