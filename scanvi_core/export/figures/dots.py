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
    text_of,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LARGEST_MM, SMALLEST_MM = 5.0, 3.2  # from dot to dot
DOT = 12.0 / LARGEST_MM  # points of print for each of these, of a gene that every cell shows
SIZES = (0.1, 0.5, 1.0)  # of the legend
LEGEND_MM, BESIDE_MM, BAR_ASIDE, NAME_MM, LEAST_MM = 40.0, 2.0, 22.0, 4.0, 40.0
NAME_LETTERS, ENDS = 34, (22, 11)  # of a group's name; of both ends of a longer one
SLANT = 0.75  # of the length of a gene's name is its height


def dots(
    table: pd.DataFrame, colors: Sequence[str], *, by: str = "mean", words: str = "mean level",
    title: str = "",
) -> "Figure":  # fmt: skip
    """Draw a dot per group and gene: its area is the share of cells, its color a level.

    `table` has the columns ``group``, ``gene``, ``share`` and the one of the levels, `by`, which
    `words` name; the groups have `colors` in the order they first appear, and `title` says which
    cells they are of. Genes that a page has no room for beside the others come in further rows;
    neighbors that are highest in the same group stay together.
    """
    if table.empty:
        return _nothing()
    groups, genes = (list(dict.fromkeys(table[name])) for name in ("group", "gene"))
    named = [_brief(name) for name in groups]
    step, rows = _rows(named, _together(table, genes))
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
        name_ticks(axes, named, colors, along_x=False)
    first.set_title(text_of(title), loc="left")
    _sizes(first, DOT * step, 1 + BESIDE_MM / (step * len(rows[0])))
    color_bar(first, 0, top, words, aside=BAR_ASIDE)
    return figure


def _nothing() -> "Figure":
    """Draw that there is nothing to draw."""
    figure, axes = axes_of(LEAST_MM, NAME_MM)
    axes.set_axis_off()
    axes.text(0.0, 0.5, "No group has a cell.", va="center")
    return figure


def _brief(name: str) -> str:
    """Return a name that leaves the dots room: both ends of a long one."""
    return name if len(name) <= NAME_LETTERS else f"{name[: ENDS[0]]}…{name[-ENDS[1] :]}"


def _together(table: pd.DataFrame, genes: list[str]) -> list[list[str]]:
    """Return the genes in their order, in runs that are highest in one group."""
    highest = table.loc[table.groupby("gene", sort=False)["mean"].idxmax()]
    of = dict(zip(highest["gene"], highest["group"], strict=True))
    runs = list[list[str]]()
    for gene in genes:
        if runs and of[runs[-1][-1]] == of[gene]:
            runs[-1].append(gene)
        else:
            runs.append([gene])
    return runs


def _rows(groups: list[str], runs: list[list[str]]) -> tuple[float, list[list[str]]]:
    """Return millimeters from dot to dot, and the genes of each row, of alike length."""
    n_genes = sum(map(len, runs))
    room = max(LEAST_MM, PAGE_MM - LEGEND_MM - NAME_MM - text_width(groups))
    step = float(np.clip(room / max(1, n_genes), SMALLEST_MM, LARGEST_MM))
    most = int(room // step)
    least = -(-n_genes // max(1, -(-n_genes // most)))
    every = [_filled(runs, each) for each in range(least, most + 1)]
    return step, min(every, key=len)


def _filled(runs: list[list[str]], each: int) -> list[list[str]]:
    """Return rows of at most so many genes; a run is cut only where it is longer than a row."""
    rows = [list[str]()]
    for run in runs:
        for start in range(0, len(run), each):
            part = run[start : start + each]
            if rows[-1] and len(rows[-1]) + len(part) > each:
                rows.append([])
            rows[-1].extend(part)
    return rows


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
