"""Which matrix of a file holds counts: decided from the values, never from the name alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.data.blocks.sample import RowSample
from scanvi_core.data.counts.evidence import FEW_VALUES, CellFacts, Groups, other_scale
from scanvi_core.data.counts.parts import wholes
from scanvi_core.data.counts.report import MatrixReport
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


def judge(
    source: MatrixSource,
    cells: Names,
    genes: Names,
    batches: Groups | None = None,
    *,
    compare: bool = False,
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
    compare
        Whether there are other matrices: some cells are kept, to see which is a part of which.

    Raises
    ------
    FileRefused
        If the matrix points outside itself or cannot be read.
    """
    summary, sample = ValueSummary(np.zeros(source.shape[0])), RowSample(source)
    facts = CellFacts.of(source.shape, batches)
    same_rows = RowSample(source, spread=True) if compare else None
    whole, rows_read = True, 0
    for rows, columns, values in source.blocks():
        if summary.far_from_counts and (sample.by_row or summary.n_negative):
            whole = False
            break
        sample.add(rows, columns, values)
        summary.add(rows, columns, values)
        facts.add(rows, columns, values)
        if same_rows is not None:
            same_rows.add(rows, columns, values)
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
    facts.some_rows = None if same_rows is None else same_rows.matrix()
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
    layer, the one with most counts first. Last come the layers of a part of the molecules, which
    are told by their values where a matrix of all of them has counts. Normalized values that
    counts can be recovered from come only when there are no counts but parts of theirs, and a
    matrix of zeros and ones only when nothing else is there.

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
        of_recovered: set[str] = set()
    else:
        parts = wholes(reports)
        ready = {report.name for report in reports if report.verdict == COUNTS}
        of_recovered = {part for part, whole in parts.items() if recover and whole not in ready}
        order = sorted(reports, key=lambda report: (preference(report), -report.median_total))
        candidates = sorted(order, key=lambda report: report.name in parts)
    usable: tuple[Callable[[MatrixReport], bool], ...] = (
        lambda report: report.verdict == COUNTS and report.name not in of_recovered,
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
