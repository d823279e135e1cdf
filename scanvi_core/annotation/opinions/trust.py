"""How often a witness is right, type by type, with what is not known of it.

Of a type it was right in k of n cases. Its share there is a beta-binomial one, whose Beta(a, b) is
that of the witness: the one under which its counts of all types are likeliest, so that a type
with few cases borrows from the others (empirical Bayes: Casella 1985,
doi:10.1080/00031305.1985.10479400). It is searched for on a grid of means and strengths (a + b),
with a prior that keeps it near Beta(1, 1) where there are no cases: of the mean Beta(1.5, 1.5), of
the log2 of the strength a normal one around 1 with deviation 1.5.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, betaln  # scipy.stats is slow to import

Floats = npt.NDArray[np.float64]

MEANS = np.linspace(0.02, 0.98, 49)
STRENGTHS = 2.0 ** np.arange(0.0, 8.01, 0.5)
USUAL, SPREAD = 1.0, 1.5  # log2 of the strength, before looking
COVERED = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """Shares of right cases of each type [types]: the mean, and a 95 % interval."""

    mean: Floats
    low: Floats
    high: Floats


def trust(right: npt.ArrayLike, cases: npt.ArrayLike) -> Trust:
    """Return what is known of a witness that was right in `right` of `cases`, type by type."""
    k, n = np.asarray(right, dtype=np.float64), np.asarray(cases, dtype=np.float64)
    a, b = _prior(k, n)
    a_now, b_now = a + k, b + n - k
    low, high = (betaincinv(a_now, b_now, q) for q in ((1 - COVERED) / 2, (1 + COVERED) / 2))
    return Trust(a_now / (a_now + b_now), np.asarray(low), np.asarray(high))


def _prior(k: Floats, n: Floats) -> tuple[float, float]:
    """Return the Beta(a, b) that the counts of all types suggest."""
    mean, strength = np.meshgrid(MEANS, STRENGTHS, indexing="ij")
    a, b = mean * strength, (1 - mean) * strength
    told = betaln(a[..., None] + k, b[..., None] + n - k) - betaln(a, b)[..., None]
    before = 0.5 * np.log(mean * (1 - mean)) - 0.5 * ((np.log2(strength) - USUAL) / SPREAD) ** 2
    best = np.unravel_index((told.sum(axis=-1) + before).argmax(), mean.shape)
    return float(a[best]), float(b[best])
