"""Which matrix of a file holds counts: decided from the values, never from the name alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from scanvi_core import keys
from scanvi_core.data.reading import MatrixSource
from scanvi_core.data.words import counted
from scanvi_core.errors import ColumnMissing, CountsNotFound, FileRefused

COUNTS, BINARY = "counts", "binary"
DAMAGED, NEARLY = "damaged", "nearly counts"
SCALED, LOG, NORMALISED, OTHER, EMPTY = "scaled", "log-normalised", "normalised", "other", "empty"
NEAR_SHARE = 0.05  # part of the values that may be odd in what is otherwise a count matrix
FLOAT32_EXACT = 2.0**24  # the largest range in which float32 holds every whole number
LOG_MAX = 20.0  # no cell has e^20 counts
SAME_TOTAL = 0.02  # relative spread of cell totals that says "scaled to one total"
NEED_COUNTS = (
    "SCANVI needs raw counts. Save them in layers['counts'] or in X, or open the file from before "
    "normalisation."
)


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """What one matrix holds.

    Attributes
    ----------
    name
        ``X``, ``raw.X`` or ``layers/NAME``.
    n_values
        Values looked at (stored or non-zero); all of them when the verdict is ``counts``.
    minimum, maximum, whole_share
        Of those values; the share that is whole numbers, 0 to 1.
    median_total
        Median over the cells of the sum of their values; 0 when not all was read.
    verdict, reason
        One of this module's verdicts, and why, in words.
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

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "shape": list(self.shape)}


@dataclass(slots=True)
class _Tally:
    """Running facts about the values of a matrix."""

    totals: np.ndarray
    exp_totals: np.ndarray
    n: int = 0
    n_fractional: int = 0
    n_negative: int = 0
    n_broken: int = 0
    n_not_one: int = 0
    low: float = 0.0
    high: float = 0.0
    n_rows: int = 0
    first: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        if not values.size:
            return
        finite = np.isfinite(values)
        self.n_broken += self._count("broken", ~finite, rows, columns, values)
        if not finite.all():
            rows, columns, values = rows[finite], columns[finite], values[finite]
        self.n += finite.size
        if not values.size:
            return
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self.n_negative += self._count("negative", values < 0, rows, columns, values)
        if values.dtype.kind == "f":
            odd = values != np.rint(values)
            self.n_fractional += self._count("fractional", odd, rows, columns, values)
        self.n_not_one += int(np.count_nonzero((values != 1) & (values != 0)))
        self._sum(rows, values)

    def _sum(self, rows: np.ndarray, values: np.ndarray) -> None:
        length = self.totals.size
        self.n_rows = max(self.n_rows, int(rows.max()) + 1)
        self.totals += np.bincount(rows, weights=values, minlength=length)
        if self.n_fractional and self.high <= LOG_MAX:
            self.exp_totals += np.bincount(rows, weights=np.expm1(values), minlength=length)

    def _count(
        self,
        kind: str,
        where: np.ndarray,
        rows: np.ndarray,
        columns: np.ndarray,
        values: np.ndarray,
    ) -> int:
        n = int(np.count_nonzero(where))
        if n and kind not in self.first:
            at = int(np.argmax(where))
            self.first[kind] = (int(rows[at]), int(columns[at]), float(values[at]))
        return n

    @property
    def hopeless(self) -> bool:
        """Whether this cannot be a count matrix with a few faults."""
        return self.n > 0 and max(self.n_fractional, self.n_negative) > NEAR_SHARE * self.n


def judge(
    source: MatrixSource, cells: Sequence[str] | np.ndarray, genes: Sequence[str] | np.ndarray
) -> MatrixReport:
    """Read a matrix block by block and say what it holds.

    Reading ends early when a matrix is clearly not counts.

    Raises
    ------
    FileRefused
        If the matrix points outside itself or cannot be read.
    """
    tally = _Tally(np.zeros(source.shape[0]), np.zeros(source.shape[0]))
    whole = True
    for rows, columns, values in source.blocks():
        if tally.hopeless:
            whole = False
            break
        tally.add(rows, columns, values)
    verdict, reason = _verdict(tally, cells, genes)
    fractional = tally.n_fractional + tally.n_broken
    return MatrixReport(
        source.name,
        source.shape,
        str(source.dtype),
        source.stored,
        tally.n,
        tally.low,
        tally.high,
        round(1 - fractional / tally.n, 6) if tally.n else 1.0,
        float(np.median(tally.totals)) if whole and tally.totals.size else 0.0,
        verdict,
        reason,
    )


def choose(reports: Sequence[MatrixReport], wanted: str | None = None) -> MatrixReport:
    """Return the matrix to train on.

    A layer with a usual name (``counts``) comes first, then ``raw.X``, then ``X``, then any other
    layer; a matrix of zeros and ones only when nothing else is there.

    Parameters
    ----------
    reports
        All matrices of the file.
    wanted
        ``X``, ``raw.X``, ``layers/NAME`` or just the name of a layer: the user's choice.

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
        found = names.get(wanted) or names.get(f"layers/{wanted}")
        if found is None:
            raise ColumnMissing(
                f"The file has no matrix {wanted}.",
                f"It has {', '.join(names) or 'none at all'}.",
            )
        candidates: Sequence[MatrixReport] = [found]
    else:
        candidates = sorted(reports, key=_preference)
    for verdict in (COUNTS, BINARY):
        for report in candidates:
            if report.verdict == verdict:
                return report
    raise _refusal(candidates)


def _preference(report: MatrixReport) -> int:
    layer = report.name.removeprefix("layers/").casefold()
    if report.name.startswith("layers/"):
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
        if report.verdict == NEARLY:
            return CountsNotFound(f"{report.name} {report.reason}.", NEED_COUNTS)
    words = "; ".join(f"{report.name} {report.reason}" for report in candidates)
    return CountsNotFound(f"No counts found: {words}.", NEED_COUNTS)


def _verdict(
    tally: _Tally, cells: Sequence[str] | np.ndarray, genes: Sequence[str] | np.ndarray
) -> tuple[str, str]:
    """Return the verdict and a reason that reads on from the matrix's name."""

    def example(kind: str) -> str:
        row, column, value = tally.first[kind]
        return f"first {value:.9g} in cell {cells[row]}, gene {genes[column]}"

    if tally.n_broken:
        words = (
            f"holds {counted(tally.n_broken, 'missing or infinite value')} ({example('broken')})"
        )
        return DAMAGED, words
    if tally.high == 0 and tally.low == 0:
        return EMPTY, "holds only zeros"
    if tally.n_negative and not tally.hopeless:
        return (
            DAMAGED,
            f"holds {counted(tally.n_negative, 'negative value')} ({example('negative')})",
        )
    if tally.n_negative:
        return SCALED, "has negative values: it looks scaled (z-scores)"
    if tally.n_fractional and not tally.hopeless:
        words = f"has {tally.n_fractional:,} of {tally.n:,} values that are not whole numbers"
        return NEARLY, f"{words} ({example('fractional')}): it looks corrected or averaged"
    if tally.n_fractional:
        return _normalised(tally)
    if tally.high > FLOAT32_EXACT:
        return OTHER, f"has values up to {tally.high:g}, too large for counts"
    if tally.n_not_one == 0:
        return BINARY, "holds only zeros and ones: it looks binarised"
    return COUNTS, f"holds whole numbers from 0 to {tally.high:,.0f}"


def _normalised(tally: _Tally) -> tuple[str, str]:
    total = _common_total(tally.exp_totals[: tally.n_rows])
    if tally.high <= LOG_MAX and total:
        return LOG, f"is log-normalised (every cell scaled to {total:,.0f}, then log)"
    total = _common_total(tally.totals[: tally.n_rows])
    if total:
        return NORMALISED, f"is normalised (every cell adds up to {total:,.0f})"
    if tally.high <= LOG_MAX:
        return LOG, f"looks log-normalised (fractional values up to {tally.high:.3g})"
    return OTHER, f"has fractional values up to {tally.high:,.4g}"


def _common_total(totals: np.ndarray) -> float:
    """Return the total that nearly all cells share, or 0."""
    full = totals[totals > 0][:-1]  # the last row of a block may be cut
    if full.size < 2:
        return 0.0
    middle = float(np.median(full))
    return middle if np.mean(np.abs(full - middle) <= SAME_TOTAL * middle) > 0.95 else 0.0
