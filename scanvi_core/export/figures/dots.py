"""The dot plot: genes in groups of cells, in as many rows as a page needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.export.figures.layout import (
    GRAY,
    PAGE_MM,
    axes_of,
    color_bar,
    name_ticks,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_MM, SMALLEST_MM = 5.0, 3.2  # from dot to dot
DOT = 12.0 / LARGEST_MM  # points of print for each of these, of a gene that every cell shows
SIZES = (0.1, 0.5, 1.0)  # of the legend
LEGEND_MM, BESIDE_MM, BAR_ASIDE, NAME_MM, LEAST_MM = 40.0, 2.0, 22.0, 4.0, 40.0
SLANT = 0.75  # of the length of a gene's name is its height


def dots(
    table: pd.DataFrame, colors: Sequence[str], *, by: str = "mean", words: str = "mean level"
) -> "Figure":
    """Draw a dot per group and gene: its area is the share of cells, its color a level.

    `table` has the columns ``group``, ``gene``, ``share`` and the one of the levels, `by`, which
    `words` name; the groups have `colors` in the order they first appear. Genes that a page has no
    room for beside the others come in further rows.
    """
    groups, genes = (list(dict.fromkeys(table[name])) for name in ("group", "gene"))
    step, rows = _rows(groups, genes)
    height, gap = step * len(groups), NAME_MM + SLANT * text_width(genes)
    width, whole = step * max(map(len, rows)), len(rows) * height + (len(rows) - 1) * gap
    figure, first = axes_of(width, whole)
    top = 1.0 if by == "scaled" else float(table[by].max()) or 1.0
    for i, own in enumerate(rows):
        place = (0, 1 - (i * (height + gap) + height) / whole, step * len(own) / width,
                 height / whole)  # fmt: skip
        axes = first if i == 0 else figure.add_axes(place, label=str(i))
        axes.set_position(place)
        _row(axes, table[table["gene"].isin(own)], (groups, own), (by, top), DOT * step)
        name_ticks(axes, own, along_x=True)
        name_ticks(axes, groups, colors, along_x=False)
    _sizes(first, DOT * step, 1 + BESIDE_MM / (step * len(rows[0])))
    color_bar(first, 0, top, words, aside=BAR_ASIDE)
    return figure


def _rows(groups: list[str], genes: list[str]) -> tuple[float, list[list[str]]]:
    """Return millimeters from dot to dot, and the genes of each row, of alike length."""
    room = max(LEAST_MM, PAGE_MM - LEGEND_MM - NAME_MM - text_width(groups))
    step = float(np.clip(room / max(1, len(genes)), SMALLEST_MM, LARGEST_MM))
    n_rows = max(1, -(-len(genes) // int(room // step)))
    each = -(-len(genes) // n_rows)
    return step, [genes[start : start + each] for start in range(0, len(genes), each)]


def _row(
    axes: "Axes", table: pd.DataFrame, names: tuple[list[str], list[str]],
    level: tuple[str, float], dot: float,
) -> None:  # fmt: skip
    y, x = ({name: i for i, name in enumerate(own)} for own in names)
    by, top = level
    axes.scatter(
        table["gene"].map(x), table["group"].map(y), s=table["share"] * dot**2,
        c=table[by], cmap="viridis", vmin=0, vmax=top, ec=GRAY, lw=0.3,
    )  # fmt: skip
    axes.set_xlim(-0.6, len(x) - 0.4)
    axes.set_ylim(len(y) - 0.4, -0.6)


def _sizes(axes: "Axes", dot: float, beside: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker="o", ms=dot * np.sqrt(share), mfc="white", mec=GRAY, mew=0.6)
        for share in SIZES
    ]
    axes.legend(
        handles, [f"{share:.0%}" for share in SIZES], title="cells that\nshow it",
        loc="upper left", bbox_to_anchor=(beside, 1.0), borderaxespad=0.0,
        labelspacing=0.6,
    )  # fmt: skip
