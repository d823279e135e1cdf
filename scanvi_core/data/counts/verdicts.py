"""What the values of a matrix say about how they were made."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.counts.recovery import detect
from scanvi_core.data.counts.scale import BASES, LINEAR, LOG_MAX, Scale
from scanvi_core.data.counts.value_summary import ValueSummary
from scanvi_core.plurals import count

COUNTS, BINARY = "counts", "binary"
DAMAGED, NEARLY, MIXED = "damaged", "nearly counts", "on different scales"
SCALED, LOG, NORMALIZED, OTHER, EMPTY = "scaled", "log-normalized", "normalized", "other", "empty"
FLOAT32_EXACT = 2.0**24  # the largest range in which float32 holds every whole number
SAME_TOTAL = 0.02  # relative spread of cell totals that says "scaled to one total"

Names = Sequence[str] | np.ndarray
Verdict = tuple[str, str, Scale | None, float | None]  # verdict, reason, scale, target


def give_verdict(
    summary: ValueSummary,
    sample: sp.csr_matrix,
    dtype: np.dtype,
    names: tuple[Names, Names],
) -> Verdict:
    """Return the verdict, a reason that reads on from the matrix's name, scale and target."""
    cells, genes = names
    if (
        summary.n_fractional
        and summary.far_from_counts
        and not (summary.n_negative or summary.n_broken)
    ):
        return _normalized(summary, sample, dtype)
    return (*_whole_verdict(summary, cells, genes), None, None)


def _whole_verdict(summary: ValueSummary, cells: Names, genes: Names) -> tuple[str, str]:
    def example(kind: str) -> str:
        row, column, value = summary.first[kind]
        return f"first {value:.9g} in cell {cells[row]}, gene {genes[column]}"

    if summary.n_broken:
        words = (
            f"holds {count(summary.n_broken, 'missing or infinite value')} ({example('broken')})"
        )
        return DAMAGED, words
    if summary.high == 0 and summary.low == 0:
        return EMPTY, "holds only zeros"
    if summary.n_negative and not summary.far_from_counts:
        return (
            DAMAGED,
            f"holds {count(summary.n_negative, 'negative value')} ({example('negative')})",
        )
    if summary.n_negative:
        return SCALED, "has negative values: it looks scaled (z-scores)"
    if summary.n_fractional:
        words = f"has {summary.n_fractional:,} of {summary.n:,} values that are not whole numbers"
        return NEARLY, f"{words} ({example('fractional')}): it looks corrected or averaged"
    if summary.high > FLOAT32_EXACT:
        return OTHER, f"has values up to {summary.high:g}, too large for counts"
    if summary.n_not_one == 0:
        return BINARY, "holds only zeros and ones: it looks binarized"
    return COUNTS, f"holds whole numbers from 0 to {summary.high:,.0f}"


def _normalized(summary: ValueSummary, sample: sp.csr_matrix, dtype: np.dtype) -> Verdict:
    """Say how fractional values were made: base and target of the normalization, if it was one."""
    scale = None if dtype == np.float16 else detect(sample)
    logs = [] if summary.high > LOG_MAX else list(BASES)
    base, target = _common_total(sample, [scale.base] if scale else [*logs, LINEAR])
    if not (scale or target):
        if summary.high > LOG_MAX:
            return OTHER, f"has fractional values up to {summary.high:,.4g}", None, None
        words = f"looks log-normalized (fractional values up to {summary.high:.3g})"
        return LOG, f"{words}; exact counts cannot be recovered from it", None, None
    verdict = NORMALIZED if base == LINEAR else LOG
    how = [] if base == LINEAR else [f"base {base}"]
    if target:
        how.append(f"every cell {'adds up' if base == LINEAR else 'scaled'} to {target:,.0f}")
    if scale and scale.decimals is not None:
        how.append(f"rounded to {scale.decimals} decimals")
    words = f"is {verdict} ({', '.join(how)})" if how else f"is {verdict}"
    can = "exact counts can be recovered" if scale else "exact counts cannot be recovered from it"
    if dtype == np.float16:
        can = "float16 is too coarse to recover counts from"
    return verdict, f"{words}; {can}", scale, target or None


def _common_total(sample: sp.csr_matrix, bases: Sequence[str]) -> tuple[str, float]:
    """Return the base, and the total that nearly all cells share once undone (0: they differ)."""
    rows = np.repeat(np.arange(sample.shape[0]), np.diff(sample.indptr))
    best = (bases[0], 0.0, SAME_TOTAL)
    for base in bases:
        totals = np.bincount(rows, weights=Scale(base).undo(sample.data.astype(np.float64)))
        totals = totals[totals > 0]
        if totals.size < 2:
            continue
        middle = float(np.median(totals))
        spread = float(np.quantile(np.abs(totals / middle - 1), 0.95))
        if spread < best[2]:
            best = (base, middle, spread)
    return best[:2]
