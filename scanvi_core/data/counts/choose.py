"""Which matrix of a file holds counts: decided from the values, never from the name alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.data.blocks.sample import RowSample
from scanvi_core.data.counts.evidence import FEW_VALUES, CellFacts, Groups, other_scale
from scanvi_core.data.counts.scale import Scale
from scanvi_core.data.counts.value_summary import ValueSummary
from scanvi_core.data.counts.verdicts import (  # fmt: skip
    BINARY,
    COUNTS,
    DAMAGED,
    EMPTY,
    LOG,
    MIXED,
    NEARLY,
    NORMALIZED,
    OTHER,
    SCALED,
    Names,
    Verdict,
    give_verdict,
)
from scanvi_core.errors import ColumnMissing, CountsNotFound, FileRefused

__all__ = [
    "BINARY", "COUNTS", "DAMAGED", "EMPTY", "LOG", "MIXED", "NEARLY", "NORMALIZED", "OTHER",
    "SCALED", "MatrixReport", "choose", "judge", "with_scales",
]  # fmt: skip
ONE_SCALE = "Put the counts of all batches together, from before normalization, and open that."
NEED_COUNTS = (
    "SCANVI needs raw counts. Save them in layers['counts'] or in X, or open the file from before "
    "normalization."
)


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """What one matrix holds.

    Attributes
    ----------
    name
        ``X``, ``raw.X`` or ``layers/NAME``.
    n_values
        Values stored (non-zero ones of a dense matrix); an estimate for a dense matrix that was
        not read to its end.
    minimum, maximum, whole_share
        Of those values; the share that is whole numbers, 0 to 1.
    median_total
        Median over the cells of the sum of their values; 0 when not all was read.
    verdict, reason
        One of this module's verdicts, and why, in words.
    scale
        How to read normalized values as counts, proven on a sample of cells; None: not possible,
        or not needed.
    target
        What every cell adds up to before the logarithm; None when cells differ.
    n_zeros
        Zeros stored as values; None when not all was read.
    n_unsorted
        Values stored before one of a smaller position in their row.
    facts
        What was seen of each cell.
    rounded
        Whether its owner agreed to have its values rounded to whole numbers.
    """

    name: str
    shape: tuple[int, int]
    dtype: str
    stored: str
    n_values: int
    minimum: float
    maximum: float
    whole_share: float
    median_total: float
    verdict: str
    reason: str
    scale: Scale | None = None
    target: float | None = None
    n_zeros: int | None = None
    n_unsorted: int = 0
    facts: CellFacts | None = field(default=None, compare=False, repr=False)
    rounded: bool = False

    @property
    def recoverable(self) -> bool:
        """Whether counts can be recovered from the values, as a sample of cells shows."""
        return self.scale is not None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        plain = asdict(replace(self, facts=None))
        del plain["facts"], plain["rounded"]
        return {**plain, "shape": list(self.shape), "recoverable": self.recoverable}


def judge(
    source: MatrixSource, cells: Names, genes: Names, batches: Groups | None = None
) -> MatrixReport:
    """Read a matrix block by block and say what it holds.

    Reading ends early when a matrix is clearly not counts.

    Parameters
    ----------
    source
        The matrix.
    cells, genes
        Names of its sides.
    batches
        By which the genes found are counted; None: they are not.

    Raises
    ------
    FileRefused
        If the matrix points outside itself or cannot be read.
    """
    summary, sample = ValueSummary(np.zeros(source.shape[0])), RowSample(source)
    facts = CellFacts.of(source.shape, batches)
    whole, rows_read = True, 0
    for rows, columns, values in source.blocks():
        if summary.far_from_counts and (sample.by_row or summary.n_negative):
            whole = False
            break
        sample.add(rows, columns, values)
        summary.add(rows, columns, values)
        facts.add(rows, columns, values)
        if source.stored != "dense":
            summary.add_order(*((rows, columns) if sample.by_row else (columns, rows)))
        elif rows.size:
            rows_read = int(rows[-1]) + 1
    n_values = summary.n
    if not whole:
        part = source.shape[0] / max(1, rows_read)
        n_values = source.n_stored if rows_read == 0 else int(summary.n * part)
    verdict = give_verdict(summary, sample.matrix(), source.dtype, (cells, genes))
    facts.totals = summary.totals
    return replace(_report(source, summary, verdict, n_values, whole=whole), facts=facts)


def _report(
    source: MatrixSource, summary: ValueSummary, verdict: Verdict, n_values: int, *, whole: bool
) -> MatrixReport:
    fractional = summary.n_fractional + summary.n_broken
    return MatrixReport(
        source.name,
        source.shape,
        str(source.dtype),
        source.stored,
        n_values,
        summary.low,
        summary.high,
        round(1 - fractional / summary.n, 6) if summary.n else 1.0,
        float(np.median(summary.totals)) if whole and summary.totals.size else 0.0,
        *verdict,
        summary.n_zeros if whole else None,
        summary.n_unsorted,
    )


def with_scales(report: MatrixReport, obs: pd.DataFrame) -> MatrixReport:
    """Return a report that says so where batches are on different scales."""
    facts = report.facts
    if facts is None or report.verdict in {COUNTS, BINARY, EMPTY, DAMAGED}:
        return report
    fractional = facts.n_fractional > 0
    whole = ~fractional & (facts.n_values >= FEW_VALUES)
    reason = other_scale(whole, fractional, obs)
    return replace(report, verdict=MIXED, reason=reason, scale=None) if reason else report


def choose(
    reports: Sequence[MatrixReport], wanted: str | None = None, *, recover: bool = False
) -> MatrixReport:
    """Return the matrix to train on.

    A layer with a usual name (``counts``) comes first, then ``raw.X``, then ``X``, then any other
    layer, and last the layers of a part of the molecules (``spliced``). Normalized values that
    counts can be recovered from come only when there are no counts, and a matrix of zeros and ones
    only when nothing else is there.

    Parameters
    ----------
    reports
        All matrices of the file.
    wanted
        ``X``, ``raw.X``, ``layers/NAME`` or just the name of a layer: the user's choice.
    recover
        Whether the caller recovers counts, with
        :class:`scanvi_core.data.counts.convert.CountsConverter`.

    Raises
    ------
    ColumnMissing
        If the wanted matrix is not there.
    CountsNotFound
        If no matrix, or not the wanted one, holds counts.
    FileRefused
        If the best candidate is a count matrix with NaN, infinite or negative values.
    """
    if wanted is not None:
        names = {report.name: report for report in reports}
        named = names.get(wanted) or names.get(f"layers/{wanted}")
        if named is None:
            raise ColumnMissing(
                f"The file has no matrix {wanted}.",
                f"It has {', '.join(names) or 'none at all'}.",
            )
        candidates: Sequence[MatrixReport] = [named]
    else:
        candidates = sorted(reports, key=preference)
    usable: tuple[Callable[[MatrixReport], bool], ...] = (
        lambda report: report.verdict == COUNTS,
        lambda report: recover and report.recoverable,
        lambda report: report.verdict == BINARY,
    )
    for fits in usable:
        for report in filter(fits, candidates):
            return report
    raise _refusal(candidates)


def preference(report: MatrixReport) -> int:
    """Return the place of a matrix in the order in which they are taken, 0 first."""
    layer = report.name.removeprefix("layers/").casefold()
    if report.name.startswith("layers/"):
        if layer in keys.PART_LAYERS:  # first what is the larger part in whole cells
            return len(keys.COUNT_LAYERS) + 3 + (layer not in {"spliced", "mature"})
        known = layer in keys.COUNT_LAYERS
        return keys.COUNT_LAYERS.index(layer) if known else len(keys.COUNT_LAYERS) + 2
    return len(keys.COUNT_LAYERS) + (report.name == "X")


def _refusal(candidates: Sequence[MatrixReport]) -> FileRefused | CountsNotFound:
    if not candidates:
        return CountsNotFound(
            "The file has no matrix: X is missing and so are layers.", NEED_COUNTS
        )
    for report in candidates:
        if report.verdict == DAMAGED:
            return FileRefused(
                f"{report.name} {report.reason}.",
                "Find out where these values come from, and save the raw counts again.",
            )
    for report in candidates:
        if report.verdict == MIXED:
            return CountsNotFound(f"{report.name} {report.reason}.", ONE_SCALE)
    for report in candidates:
        if report.verdict == NEARLY:
            return CountsNotFound(f"{report.name} {report.reason}.", NEED_COUNTS)
    words = "; ".join(f"{report.name} {report.reason}" for report in candidates)
    return CountsNotFound(f"No counts found: {words}.", NEED_COUNTS)
