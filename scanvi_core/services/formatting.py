"""Numbers and their nouns in words, the same on every page."""

from collections.abc import Sequence
from math import isnan

from scanvi_core.metrics.classification import row_names as row_names  # noqa: PLC0414
from scanvi_core.metrics.classification import row_percents as row_percents  # noqa: PLC0414
from scanvi_core.plurals import count as count  # noqa: PLC0414  passed on to the pages

LONG_S = 90  # from here on, minutes
JUST = 1e-9  # of a share: what arithmetic adds to 0 and 1
MANY = 1_000  # cells from which a tenth of a percent means something


def duration(seconds: float) -> str:
    """Return ``45 s`` or ``3 min``."""
    return f"{seconds:.0f} s" if seconds < LONG_S else f"{seconds / 60:.0f} min"


def percent(share: float, n: int = 0) -> str:
    """Return ``91 %``; ``91.3 %`` where it is a share of many cells.

    ``100 %`` and ``0 %`` are just that: with one wrong of many it is ``99.9 %``.
    """
    return "" if isnan(share) else f"{_number(share, n)} %"


def percent_range(interval: tuple[float, float], n: int = 0) -> str:
    """Return ``87 to 94 %``."""
    return f"{_number(interval[0], n)} to {_number(interval[1], n)} %"


def percent_with_interval(share: float, interval: tuple[float, float]) -> str:
    """Return ``91 % (87 to 94)`` for a table; nothing when there is no share."""
    if isnan(share):
        return ""
    low, high = (_number(end, 0) for end in interval)
    return f"{percent(share)} ({low} to {high})"


def listed(parts: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def points(difference: float) -> str:
    """Return a difference of two shares without its sign: ``2.1 points``."""
    return f"{100 * abs(difference):.1f} points"


def signed_range(interval: tuple[float, float]) -> str:
    """Return ``-1.0 to +5.2``, in points."""
    low, high = (round(100 * end, 1) for end in interval)
    return f"{low:+.1f} to {high:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")


def hundredths(share: float) -> float:
    """Return an F1 that is shown with two digits; 1.00 and 0.00 only where it is just that."""
    return share if isnan(share) else _told(share, 1.0, 2)


def thousandths(share: float) -> str:
    """Return ``0.913``; ``1.000`` and ``0.000`` only where it is just that."""
    return f"{_told(share, 1.0, 3):.3f}"


def _number(share: float, n: int) -> str:
    digits = 1 if n >= MANY else 0
    if f"{100 * share:.{digits}f}" in {f"{end:.{digits}f}" for end in (0, 100)}:
        value = _told(100 * share, 100.0, 1)  # 99.6, where 100 would say that all were right
        return f"{value:.{1 if value % 100 else digits}f}"
    return f"{100 * share:.{digits}f}"


def _told(value: float, whole: float, digits: int) -> float:
    """Return a share of `whole`; what would be rounded to 0 or all of it stays beside that."""
    if min(abs(value), abs(value - whole)) < JUST * whole:
        return whole * round(value / whole)
    return min(max(value, 10.0**-digits), whole - 10.0**-digits)
