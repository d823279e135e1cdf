"""Which matrices of a file hold a part of the molecules that another one holds.

Told by the values, whatever the matrices are called: a part (spliced, exonic, of one strand) is
nowhere larger than the whole, cell by cell and value by value, and lacks some of its values. What
is the same counts in another unit (reads for molecules, counts per million) lacks none. Of a
matrix that was normalized, and that counts can be recovered from, the places of its values tell.
"""

from collections.abc import Iterable

import numpy as np

from scanvi_core.data.counts.report import MatrixReport
from scanvi_core.data.counts.verdicts import COUNTS

ROUGHLY = 1e-6  # relative, of sums of numbers that were rounded
LACKING = 0.01  # share of the values that a part lacks, at least
FEWEST_CELLS = 20  # of a normalized matrix that is read in part only
OWN = frozenset({"X", "raw.X"})  # never given up for a layer: their owner chose them


def wholes(reports: Iterable[MatrixReport]) -> dict[str, str]:
    """Return by the name of each layer that is a part: the matrix it is a part of."""
    reports = list(reports)
    counts = [report for report in reports if report.verdict == COUNTS and report.facts]
    found: dict[str, str] = {}
    for whole in sorted(counts, key=lambda report: (report.name not in OWN, -report.median_total)):
        for report in counts:
            if report.name not in {*OWN, *found} and is_part(report, whole):
                found[report.name] = whole.name
    for report in counts:
        around = (whole.name for whole in reports if _surrounds(whole, report))
        if report.name not in {*OWN, *found} and (name := next(around, None)):
            found[report.name] = name
    return found


def _surrounds(whole: MatrixReport, one: MatrixReport) -> bool:
    """Tell whether counts to be recovered from a matrix are in all places of another, and more."""
    if not whole.recoverable or whole.shape != one.shape or not (whole.facts and one.facts):
        return False
    inside, around = one.facts.some_rows, whole.facts.some_rows
    if inside is None or around is None or inside.shape != around.shape:
        return False
    read = np.flatnonzero(np.diff(around.indptr))[:-1]  # of the last cell, maybe not all
    if read.size < FEWEST_CELLS:
        return False
    places, others = inside[read] != 0, around[read] != 0
    return bool((places > others).nnz == 0 and places.nnz <= (1 - LACKING) * others.nnz)


def is_part(one: MatrixReport, whole: MatrixReport) -> bool:
    """Tell whether all that a matrix holds is in another one, which holds more."""
    if one.shape != whole.shape or one.facts is None or whole.facts is None:
        return False
    if not (one.facts.totals <= whole.facts.totals * (1 + ROUGHLY)).all():
        return False
    if one.facts.n_values.sum() > (1 - LACKING) * whole.facts.n_values.sum():
        return False
    inside, around = one.facts.some_rows, whole.facts.some_rows
    if inside is None or around is None or inside.shape != around.shape:
        return False
    more = inside - around
    return not more.nnz or bool(np.max(more.data) <= 0)
