"""What the map is told of colors: by type or by number, safe for color-blind eyes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from scanvi_core.colors import UNLABELED

FINE_BELOW = 200_000  # cells; of more, values are shown in COARSE_LEVELS steps, so that a new
COARSE_LEVELS = 100  # color of a million cells is less than a megabyte
BLOCK_CELLS = 1_000_000  # looked at together
Rows = NDArray[np.integer]

# 33 of the 256 steps of viridis (Smith and van der Walt 2015, CC0); a straight line between them
# stays within 3 of 255 of the original.
_VIRIDIS = """
440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e
297a8e 26828e 23898e 21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57
84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725
"""


def rgb(colors: Sequence[str]) -> NDArray[np.uint8]:
    """Return colors written #RRGGBB as bytes [n, 3]."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], np.uint8).reshape(-1, 3)


def viridis() -> NDArray[np.uint8]:
    """Return the viridis scale as bytes [256, 3], low to high."""
    stops = rgb([f"#{code}" for code in _VIRIDIS.split()])
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class CategoryColor:
    """Color by type: `codes` [n] point into `names` and `colors` (#RRGGBB); -1 is unlabeled.

    Where types are not `places` on a map, as reasons for doubt are not, no name is written on it.
    """

    codes: NDArray[np.integer]
    names: Sequence[str]
    colors: Sequence[str]
    places: bool = True

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, rows: Rows) -> Self:
        """Return the same for some cells."""
        return replace(self, codes=self.codes[rows])

    def counts(self) -> list[int]:
        """Return how many cells each type has, the unlabeled ones first."""
        n_cells = np.zeros(1 + len(self.names), dtype=np.int64)
        for start in range(0, len(self.codes), BLOCK_CELLS):
            n_cells += np.bincount(
                self.codes[start : start + BLOCK_CELLS] + 1, minlength=len(n_cells)
            )
        return n_cells.tolist()

    def steps(self) -> NDArray[np.unsignedinteger]:
        """Return code + 1 per cell (0: unlabeled), in bytes where 254 types or fewer allow it."""
        dtype = "u1" if len(self.names) < np.iinfo("u1").max else "<u2"
        return (np.asarray(self.codes) + 1).astype(dtype)

    def table(self) -> NDArray[np.uint8]:
        """Return the colors as bytes [1 + types, 3], the gray of unlabeled cells first."""
        return rgb([UNLABELED, *self.colors])

    def legend(self) -> dict[str, Any]:
        """Return what the map's legend says."""
        return {"names": [str(name) for name in self.names], "places": self.places}


@dataclass(frozen=True, eq=False)
class ValueColor:
    """Color by number: `values` [n], NaN where unknown, on a scale from `low` to `high`."""

    values: NDArray[np.floating]
    name: str
    low: float
    high: float
    palette: Literal["viridis"] = "viridis"

    def __len__(self) -> int:
        return len(self.values)

    def of(self, rows: Rows) -> Self:
        """Return the same for some cells."""
        return replace(self, values=self.values[rows])

    def levels(self) -> int:
        """Return how many steps the scale has; of many cells a few, to be sent in a byte each."""
        return 65_535 if len(self.values) < FINE_BELOW else COARSE_LEVELS

    def steps(self) -> NDArray[np.unsignedinteger]:
        """Return steps 1..levels of the scale, 0 for NaN; values beyond an end sit on it."""
        values, last = np.asarray(self.values, np.float32), self.levels() - 1
        share = np.clip((values - self.low) / ((self.high - self.low) or 1.0), 0, 1)
        steps = 1 + np.rint(np.nan_to_num(share) * last)
        return np.where(np.isnan(share), 0, steps).astype("u1" if last < 255 else "<u2")

    def table(self) -> NDArray[np.uint8]:
        """Return the colors as bytes [257, 3], the gray of cells without a number first."""
        return np.vstack([rgb([UNLABELED]), viridis()])

    def legend(self) -> dict[str, Any]:
        """Return what the map's scale says."""
        known = self.values[np.isfinite(self.values)]
        cut = [bool((known < self.low).any()), bool((known > self.high).any())]
        ends = [float(self.low), float(self.high)]
        return {"name": self.name, "range": ends, "cut": cut, "last": self.levels() - 1}
