"""Figures with names on both sides: the confusion matrix and the dot plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.export.figures.layout import (
    GRAY,
    axes_of,
    color_bar,
    name_ticks,
    shades,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE_MM = 170.0  # of a page, as far as the smallest rows allow
SMALLEST_MM, LARGEST_MM = 3.2, 8.0  # rows of a matrix
NUMBERS = 40  # types up to which the matrix has its numbers written in
DARK = 0.55  # shares from which numbers are white
DOT_MM, DOT = 5.0, 12.0  # rows of a dot plot; points of print, of a gene that every cell shows
SIZES = (0.1, 0.5, 1.0)  # of the legend


def confusion(
    matrix: np.ndarray, names: Sequence[str], colors: Sequence[str], *, counts: bool = False
) -> "Figure":
    """Draw a confusion matrix [K, K]: rows are known types, columns predictions.

    The shade is the share of the row; the number is that in percent, or cells.
    """
    n = len(names)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    row = float(np.clip(WIDE_MM / max(1, n), SMALLEST_MM, LARGEST_MM))
    figure, axes = axes_of(row * n, row * n)
    edges = np.arange(n + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap=shades(), vmin=0, vmax=1, ec=GRAY, lw=0.15)
    axes.invert_yaxis()
    if n <= NUMBERS:
        _numbers(axes, matrix if counts else 100 * shares, shares, size=min(6.5, row))
    name_ticks(axes, names, colors, along_x=True)
    name_ticks(axes, names, colors, along_x=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("known (shade: share of the row)" if counts else "known (% of the row)")
    return figure


def _numbers(axes: "Axes", shown: np.ndarray, shares: np.ndarray, size: float) -> None:
    for i, j in np.argwhere(np.round(shown) > 0):
        color = "white" if shares[i, j] > DARK else "black"
        axes.text(j, i, f"{shown[i, j]:,.0f}", size=size, color=color, ha="center", va="center")


def dots(table: pd.DataFrame, colors: Sequence[str]) -> "Figure":
    """Draw a dot per group and gene: its area is the share of cells, its color the mean level.

    `table` has the columns ``group``, ``gene``, ``mean`` and ``share``; the groups have `colors`
    in the order they first appear.
    """
    groups, genes = (list(dict.fromkeys(table[name])) for name in ("group", "gene"))
    at = {name: i for i, name in enumerate(groups)}, {name: i for i, name in enumerate(genes)}
    figure, axes = axes_of(DOT_MM * len(genes), DOT_MM * len(groups))
    highest = float(table["mean"].max()) or 1.0
    axes.scatter(
        table["gene"].map(at[1]), table["group"].map(at[0]), s=table["share"] * DOT**2,
        c=table["mean"], cmap="viridis", vmin=0, vmax=highest, ec=GRAY, lw=0.3,
    )  # fmt: skip
    axes.set_xlim(-0.6, len(genes) - 0.4)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    name_ticks(axes, genes, along_x=True)
    name_ticks(axes, groups, colors, along_x=False)
    _sizes(axes)
    color_bar(axes, 0, highest, "mean level", aside=22)
    return figure


def _sizes(axes: "Axes") -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker="o", ms=DOT * np.sqrt(share), mfc="white", mec=GRAY, mew=0.6)
        for share in SIZES
    ]
    axes.legend(
        handles, [f"{share:.0%}" for share in SIZES], title="cells that\nshow it",
        loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, labelspacing=0.6,
    )  # fmt: skip
