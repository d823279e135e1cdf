"""The confusion matrix, with names on both sides."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scanvi_core.export.figures.layout import (
    GRAY,
    PAGE_MM,
    axes_of,
    name_ticks,
    shades,
    text_width,
)
from scanvi_core.metrics.classification import row_names, row_percents

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES_MM = 10.0  # beside the names, for squares and the name of the axis
SMALLEST_MM, LARGEST_MM = 3.2, 8.0  # rows of a matrix
NUMBERS = 40  # types up to which the matrix has its numbers written in
DARK = 0.55  # shares from which numbers are white


def confusion(
    matrix: np.ndarray, names: Sequence[str], colors: Sequence[str], *, counts: bool = False
) -> "Figure":
    """Draw a confusion matrix [K, K]: rows are known types, columns predictions.

    The shade is the share of the row; the number is that in percent, or cells. Behind the name of
    a row are its cells.
    """
    n = len(names)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    known = row_names(matrix, names)
    room = PAGE_MM - NAMES_MM - text_width(known)
    row = float(np.clip(room / max(1, n), SMALLEST_MM, LARGEST_MM))
    figure, axes = axes_of(row * n, row * n)
    edges = np.arange(n + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=shades(), vmin=0, vmax=1, ec=GRAY, lw=0.15)
    axes.invert_yaxis()
    if n <= NUMBERS:
        _numbers(axes, matrix if counts else row_percents(matrix), shares, size=min(6.5, row))
    name_ticks(axes, names, colors, along_x=True)
    name_ticks(axes, known, colors, along_x=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel(
        "known, cells (shade: share of the row)" if counts else "known, cells (% of the row)"
    )
    return figure


def _numbers(axes: "Axes", shown: np.ndarray, shares: np.ndarray, size: float) -> None:
    for i, j in np.argwhere(np.round(shown) > 0):
        color = "white" if shares[i, j] > DARK else "black"
        axes.text(j, i, f"{shown[i, j]:,.0f}", size=size, color=color, ha="center", va="center")
