"""How far a score could be off by chance: 95 % intervals."""

from math import sqrt

import numpy as np
import numpy.typing as npt

Interval = tuple[float, float]
Z_95 = 1.959963984540054
N_DRAWS = 1_000


def wilson_interval(right: int, n: int, z: float = Z_95) -> Interval:
    """Return the Wilson score interval of a share (Wilson 1927); (0, 1) without observations.

    Parameters
    ----------
    right, n
        Successes, of so many.
    z
        Quantile of the normal distribution; the default gives 95 %.
    """
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def exact_interval(right: int, n: int) -> Interval:
    """Return the exact 95 % interval of a share (Clopper and Pearson 1934); (0, 1) without any.

    It holds the truth in at least 95 % of draws whatever n is, where Wilson's does so on average:
    with one draw of a share of .8, Wilson's interval misses it in 20 %.
    """
    from scipy.special import betaincinv

    low = float(betaincinv(right, n - right + 1, 0.025)) if right else 0.0
    high = float(betaincinv(right + 1, n - right, 0.975)) if right < n else 1.0
    return low, high


def f1_interval(right: int, support: int, predicted: int) -> Interval:
    """Return an interval for the F1 of one type; (0, 1) when it is neither there nor predicted.

    Of the ``support + predicted - right`` cells that are of the type or called so, the share J
    that is both is a plain share with a Wilson interval, and F1 = 2 J / (1 + J) rises with J.
    """
    low, high = wilson_interval(right, support + predicted - right)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def macro_f1_interval(
    confusion: npt.NDArray[np.int64], scored: npt.NDArray[np.bool_], missed: npt.NDArray[np.int64]
) -> Interval:
    """Return a bootstrap interval of the mean F1: cells drawn anew within each true type.

    Parameters
    ----------
    confusion
        Cells by true (row) and predicted (column) label [K, K].
    scored
        Which types [K] the mean is over.
    missed
        Cells per true type [K] that have no prediction.
    """
    if not scored.any():
        return 0.0, 1.0
    random = np.random.default_rng(0)  # the same cells give the same interval
    outcomes = np.column_stack([confusion, missed])
    drawn = np.stack(
        [random.multinomial(row.sum(), row / max(1, row.sum()), size=N_DRAWS) for row in outcomes],
        axis=1,
    )[:, :, :-1]
    right = np.diagonal(drawn, axis1=1, axis2=2)
    total = outcomes.sum(axis=1) + drawn.sum(axis=1)
    f1 = 2 * right[:, scored] / total[:, scored]
    low, high = np.quantile(f1.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def paired_difference(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]
) -> tuple[float, Interval]:
    """Return how much more often `first` is right than `second`, both on the same cells [n].

    Only the cells on which they differ decide, as in McNemar's test; the interval is the adjusted
    Wald interval of Agresti and Min (2005, doi:10.1002/sim.1781), which adds half a cell to each
    of the four outcomes. NaN and (-1, 1) without cells.
    """
    n = len(first)
    if n == 0:
        return float("nan"), (-1.0, 1.0)
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    middle = (gained - lost) / (n + 2)
    half = Z_95 * sqrt(gained + lost + 1 - (gained - lost) ** 2 / (n + 2)) / (n + 2)
    return (gained - lost) / n, (max(-1.0, middle - half), min(1.0, middle + half))


def paired_chance(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """Return how likely chance alone makes two as different in how often they are right.

    McNemar's test on the same cells [n], exact: of the cells on which they differ, each is as
    likely to be either's (McNemar 1947, doi:10.1007/BF02295996).
    """
    from scipy.special import bdtr

    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))
