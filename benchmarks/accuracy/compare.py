"""Our presets against the best baseline of each data set, picked knowing the outcome."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.accuracy import paired
from benchmarks.accuracy.records import Key, Record

Metric = Literal["macro_f1", "accuracy"]
EASY = 0.95  # macro-F1 of the best baseline from which on little can be gained


@dataclass(frozen=True, slots=True)
class Rival:
    """The best baseline of a data set at a fraction, and what we gain on it mask by mask."""

    data_set: str
    fraction: float
    baseline: str
    its_mean: float
    gains: np.ndarray


@dataclass(frozen=True, slots=True)
class Table:
    """All measurements, to be asked by name."""

    records: Mapping[Key, Record]

    def sets(self, fraction: float | None = None) -> list[str]:
        """Return the data sets, or those measured at one fraction, by their number of cells."""
        there = (r for r in self.records.values() if fraction in (None, r.fraction))
        sizes = {r.data_set: r.n_shown + r.n_hidden for r in there}
        return sorted(sizes, key=lambda name: (sizes[name], name))

    def fractions(self) -> list[float]:
        """Return the shares of labels shown, small first."""
        return sorted({record.fraction for record in self.records.values()})

    def cell(self, method: str, data_set: str, fraction: float) -> list[Record]:
        """Return the records of one cell of the table, by mask."""
        wanted = (method, data_set, fraction)
        found = (r for r in self.records.values() if r.key[:3] == wanted)
        return sorted(found, key=lambda record: record.mask)

    def values(self, method: str, data_set: str, fraction: float, metric: str) -> dict[int, float]:
        """Return a figure of one cell of the table, mask by mask."""
        return {r.mask: getattr(r, metric) for r in self.cell(method, data_set, fraction)}

    def rival(
        self, method: str, data_set: str, fraction: float, baselines: Iterable[str], metric: Metric
    ) -> Rival | None:
        """Find the baseline with the best mean under the masks of `method`; None without any.

        Baselines that were not measured under all these masks cannot be paired with it.
        """
        ours = self.values(method, data_set, fraction, metric)
        best: Rival | None = None
        for baseline in baselines:
            theirs = self.values(baseline, data_set, fraction, metric)
            if not ours or not ours.keys() <= theirs.keys():
                continue
            its_mean = float(np.mean([theirs[mask] for mask in ours]))
            if best is None or its_mean > best.its_mean:
                gains = np.array([value - theirs[mask] for mask, value in ours.items()])
                best = Rival(data_set, fraction, baseline, its_mean, gains)
        return best

    def rivals(
        self, method: str, fractions: Iterable[float], baselines: Iterable[str], metric: Metric
    ) -> list[Rival]:
        """Return the rival on every data set and fraction where there is one."""
        names = tuple(baselines)
        found = (
            self.rival(method, data_set, fraction, names, metric)
            for fraction in fractions
            for data_set in self.sets(fraction)
        )
        return [rival for rival in found if rival is not None]


def hard(rivals: Iterable[Rival], table: Table, baselines: Iterable[str]) -> list[Rival]:
    """Keep the rivals on sets where the best baseline's macro-F1 leaves something to gain."""
    names = tuple(baselines)

    def best_f1(rival: Rival) -> float:
        cells = (
            table.values(name, rival.data_set, rival.fraction, "macro_f1").values()
            for name in names
        )
        return max(float(np.mean(list(values))) for values in cells if values)

    return [rival for rival in rivals if best_f1(rival) < EASY]


def by_set(rivals: Iterable[Rival]) -> list[np.ndarray]:
    """Return the gains of each data set, its fractions together."""
    gains: dict[str, list[np.ndarray]] = {}
    for rival in rivals:
        gains.setdefault(rival.data_set, []).append(rival.gains)
    return [np.concatenate(parts) for parts in gains.values()]


def summary(rivals: list[Rival]) -> tuple[paired.Difference, paired.Difference]:
    """Return the mean gain with the interval over pairs, and with that over sets."""
    gains = by_set(rivals)
    return paired.over_pairs(gains), paired.over_sets(gains)
