"""Numbers and their nouns in words, the same on every page."""

from math import isnan

from scanvi_core.plurals import count as count  # noqa: PLC0414  passed on to the pages

LONG_S = 90  # from here on, minutes
MANY = 1_000  # cells from which a tenth of a percent means something


def duration(seconds: float) -> str:
    """Return ``45 s`` or ``3 min``."""
    return f"{seconds:.0f} s" if seconds < LONG_S else f"{seconds / 60:.0f} min"


def percent(share: float, n: int = 0) -> str:
    """Return ``91 %``; ``91.3 %`` where it is a share of many cells."""
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


def points(difference: float) -> str:
    """Return a difference of two shares without its sign: ``2.1 points``."""
    return f"{100 * abs(difference):.1f} points"


def signed_range(interval: tuple[float, float]) -> str:
    """Return ``-1.0 to +5.2``, in points."""
    low, high = (round(100 * end, 1) for end in interval)
    return f"{low:+.1f} to {high:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")


def _number(share: float, n: int) -> str:
    return f"{100 * share:.{1 if n >= MANY else 0}f}"
