"""Running facts about the values of a matrix that is read block by block."""

from dataclasses import dataclass, field

import numpy as np

NEAR_SHARE = 0.05  # part of the values that may be odd in what is otherwise a count matrix


@dataclass(slots=True)
class ValueSummary:
    """How many values are odd, in which way, and where the first of each kind lies.

    Attributes
    ----------
    totals
        Sum of the values of each cell so far.
    n, n_zeros, n_unsorted
        Values seen; zeros among them; values stored before one of a smaller position.
    n_fractional, n_negative, n_broken, n_not_one
        Values that are no whole numbers; negative; missing or infinite; neither 0 nor 1.
    low, high
        Range of the values, 0 included.
    first
        Kind of odd value -> row, column and value of the first.
    """

    totals: np.ndarray
    n: int = 0
    n_zeros: int = 0
    n_unsorted: int = 0
    n_fractional: int = 0
    n_negative: int = 0
    n_broken: int = 0
    n_not_one: int = 0
    low: float = 0.0
    high: float = 0.0
    first: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Take in the next values."""
        if not values.size:
            return
        self.n_zeros += int(np.count_nonzero(values == 0))
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
        self.totals += np.bincount(rows, weights=values, minlength=self.totals.size)

    def add_order(self, major: np.ndarray, minor: np.ndarray) -> None:
        """Count positions out of order; `major` rises in every sparse matrix."""
        falls = (np.diff(minor) < 0) & (np.diff(major) == 0)
        self.n_unsorted += int(np.count_nonzero(falls))

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
    def far_from_counts(self) -> bool:
        """Whether this cannot be a count matrix with a few faults."""
        return self.n > 0 and max(self.n_fractional, self.n_negative) > NEAR_SHARE * self.n
