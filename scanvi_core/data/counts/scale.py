"""How values were made from counts: the logarithm's base, the rounding, the error that leaves."""

import math
from dataclasses import dataclass

import numpy as np

FLOAT_ERROR = 2.0**-22  # two float32 steps: normalizing and taking logarithms in float32 costs one
BASES = {"e": math.e, "2": 2.0, "10": 10.0}
LINEAR = "none"
FEWEST_DECIMALS, MOST_DECIMALS = 3, 6
SURE = 200  # different values that must agree on a number of decimals
LOG_MAX = 20.0  # no cell has 2^20 of a gene


@dataclass(frozen=True, slots=True)
class Scale:
    """A reading of values as ``log_base(1 + unit * count)``, one unit per cell.

    Attributes
    ----------
    base
        ``e``, ``2``, ``10``, or ``none`` for values without a logarithm.
    decimals
        Decimals that values were rounded to; None: not rounded beyond float32.
    """

    base: str
    decimals: int | None = None

    def bounds(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest ``unit * count`` that would be stored as `values`.

        One rounding step of float32 in the value, one in what was under the logarithm, and half a
        unit of the last decimal.
        """
        values = values.astype(np.float64)
        slack = np.maximum(values, 0.5) * FLOAT_ERROR
        if self.decimals is not None:
            slack += 0.5 * 10.0**-self.decimals
        middle = self.undo(values)
        if self.base != LINEAR:
            # d(b^x) = ln b b^x dx, and a thousandth more for what is not linear in it
            slack *= (middle + 1) * (math.log(BASES[self.base]) * 1.001)
        slack += middle * FLOAT_ERROR
        low = middle - slack
        return np.maximum(low, 0.0, out=low), middle + slack

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Return ``base ** values - 1``."""
        if self.base == LINEAR:
            return values
        return np.expm1(values * math.log(BASES[self.base]))

    def redo(self, values: np.ndarray) -> np.ndarray:
        """Return ``log_base(1 + values)``."""
        if self.base == LINEAR:
            return values
        return np.log1p(values) / math.log(BASES[self.base])


def decimals_of(values: np.ndarray) -> int | None:
    """Return how many decimals all values were rounded to, 1 to 6, or None for no rounding."""
    values = np.unique(values.astype(np.float64))  # a value repeated agrees with itself
    for decimals in range(1, MOST_DECIMALS + 1):
        scaled = values * 10.0**decimals
        noise = scaled * 2.0**-23 + 1e-9
        sharp = noise < 0.25  # a float32 of this size can still show that many decimals
        if np.count_nonzero(sharp) < min(SURE, values.size):
            return None
        if (np.abs(scaled - np.rint(scaled))[sharp] <= noise[sharp]).all():
            return decimals
    return None
