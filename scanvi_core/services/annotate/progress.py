"""How far ``annotate`` is, over everything it does, and how long the rest takes.

Every part is planned in seconds of a core of reference. How much longer the parts took that are
done tells how long those take that are left: what slows one slows all.
"""

import time
from collections.abc import Mapping

from scanvi_core.runtime import Report
from scanvi_core.services.formatting import duration

READING, GENES, TRAINING, PREDICTING, MAPS, DOUBTS, WRITING = (
    "reading", "genes", "training", "predicting", "maps", "doubts", "writing",
)  # fmt: skip
PARTS = (READING, GENES, TRAINING, PREDICTING, MAPS, DOUBTS, WRITING)
READ_SHARE = 0.05  # of the bar: how long the rest takes is known once the file is read
TOLD_FROM_S = 3.0  # at work, before which nothing is said of the time left

# Seconds of the core of reference, the part alone and for every cell
SECONDS = {
    GENES: (1.0, 2e-4),
    PREDICTING: (2.0, 4e-4),
    MAPS: (4.0, 1.6e-3),  # of each map, up to as many cells as are laid out
    DOUBTS: (3.0, 6e-5),  # as measured by `benchmarks.speed.doubts`
    WRITING: (1.5, 1e-4),
}
DOUBLETS = 4e-4  # for every cell, in which they are looked for; with the doubts


def planned(
    n_cells: int, limits: Mapping[str, int], training_s: float, n_maps: int
) -> dict[str, float]:
    """Return about how many seconds each part takes after the file is read.

    Parameters
    ----------
    n_cells
        Of all files.
    limits
        Most cells of a map (`MAPS`), and with which doublets are looked for (`DOUBTS`).
    training_s
        How long the training takes.
    n_maps
        How many maps are drawn.
    """
    seconds = {part: once + each * n_cells for part, (once, each) in SECONDS.items()}
    once, each = SECONDS[MAPS]
    laid_out = once + each * min(n_cells, limits[MAPS])
    doublets = DOUBLETS * n_cells if n_cells <= limits[DOUBTS] else 0.0
    return seconds | {
        TRAINING: training_s, MAPS: n_maps * laid_out, DOUBTS: seconds[DOUBTS] + doublets
    }  # fmt: skip


class Progress:
    """One bar over all parts, which never goes back."""

    def __init__(self, report: Report) -> None:
        self._report, self._seconds, self._far = report, dict[str, float](), 0.0
        self._began = time.monotonic()

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Say how long the parts after the reading take, as `planned` does."""
        self._seconds, self._began = dict(seconds), time.monotonic()

    def within(self, *marks: tuple[str, float]) -> Report:
        """Return who is told of work of several parts: each ends at its fraction of the work."""

        def tell(fraction: float, message: str) -> None:
            low = 0.0
            for part, high in marks:
                if fraction < high or high == marks[-1][1]:
                    self._tell(part, (fraction - low) / (high - low), message)
                    return
                low = high

        return tell

    def _tell(self, part: str, share: float, message: str) -> None:
        share = min(1.0, max(0.0, share))
        if not self._seconds:
            self._show(READ_SHARE * share, message)
            return
        before = PARTS[: PARTS.index(part)]
        done = sum(self._seconds.get(name, 0.0) for name in before)
        done += share * self._seconds.get(part, 0.0)
        total = sum(self._seconds.values())
        worked = time.monotonic() - self._began
        if worked > TOLD_FROM_S and done > 0:
            left = (total - done) * worked / done
            message = f"{message}, about {duration(left)} left"
        self._show(READ_SHARE + (1 - READ_SHARE) * done / total, message)

    def _show(self, fraction: float, message: str) -> None:
        self._far = max(self._far, fraction)
        self._report(self._far, message)
