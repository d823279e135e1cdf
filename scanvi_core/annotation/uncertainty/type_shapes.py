"""Where the types of a model lie among its components: what novelty needs when no cells travel.

Of each type its middle, how many cells tell of it, and how cells spread around the middle of their
type, pooled over the types. Cells that are drawn from these normal distributions stand for the
labeled cells, and :func:`scanvi_core.annotation.uncertainty.novelty.find_novel` looks at them with
the new ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_CELLS = 3  # of a type whose place is known
MOST_DRAWN = 200  # cells of a type
LEAST_DRAWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class TypeShapes:
    """Middles [K, d] of the types (NaN: unknown), spread [d, d] around them, cells [K]."""

    middles: np.ndarray
    spread: np.ndarray
    cells: np.ndarray

    def tensors(self) -> dict[str, np.ndarray]:
        """Return every array by name, for a safetensors file."""
        return {"middles": self.middles, "spread": self.spread, "cells": self.cells}

    @classmethod
    def from_tensors(cls, arrays: dict[str, np.ndarray]) -> "TypeShapes":
        """Rebuild what `tensors` gave."""
        return cls(arrays["middles"], arrays["spread"], arrays["cells"])

    def of(self, codes: Sequence[int]) -> "TypeShapes":
        """Return those of the types `codes`; -1 is a type of unknown place."""
        middles = np.vstack([self.middles, np.full_like(self.middles[:1], np.nan)])
        return TypeShapes(middles[list(codes)], self.spread, np.append(self.cells, 0)[list(codes)])

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return cells [m, d] drawn from the types, and their codes [m]."""
        known = np.flatnonzero(np.isfinite(self.middles).all(axis=1))
        numbers = np.clip(self.cells[known], LEAST_DRAWN, MOST_DRAWN).astype(np.int64)
        codes = np.repeat(known, numbers)
        values, axes = np.linalg.eigh(self.spread.astype(np.float64))
        root = axes * np.sqrt(np.maximum(values, 0.0))
        points = self.middles[codes] + random.standard_normal((len(codes), len(values))) @ root.T
        return points, codes


def shapes_of(points: np.ndarray, codes: np.ndarray, n_labels: int) -> TypeShapes:
    """Return where the types lie.

    Parameters
    ----------
    points
        Components [n, d]; rows of NaN are left out.
    codes
        Type of each cell [n], below 0 where it tells nothing.
    n_labels
        Number of types K.
    """
    usable = np.isfinite(points).all(axis=1) & (codes >= 0) & (codes < n_labels)
    points, codes = points[usable].astype(np.float64), codes[usable]
    cells = np.bincount(codes, minlength=n_labels)
    middles = np.full((n_labels, points.shape[1]), np.nan)
    around = np.zeros_like(points)
    for code in np.flatnonzero(cells >= MIN_CELLS):
        own = codes == code
        middles[code] = points[own].mean(axis=0)
        around[own] = points[own] - middles[code]
    spread = around.T @ around / max(1, len(points) - np.count_nonzero(cells >= MIN_CELLS))
    return TypeShapes(
        middles.astype(np.float32), spread.astype(np.float32), cells.astype(np.int64)
    )
