"""Cell maps: a point per cell, its color the type or a number, with a legend or a scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scanvi_core.colors import UNLABELED
from scanvi_core.export.figures import names as names_on_maps
from scanvi_core.export.figures.layout import (
    LINE_MM,
    MM,
    PAGE_MM,
    axes_of,
    color_bar,
    legend,
    legend_size,
    text_of,
    text_width,
)
from scanvi_core.export.figures.names import Written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_MM, SEVERAL_MM = 100.0, 80.0  # side of a map that stands alone, and of one among others
GAP_MM, BAR_MM = 12.0, 22.0
LEAST_MM = 45.0  # side of a map, however much room its legend takes
BELOW_MM, COLUMN_MM = 7.0, 7.0  # from a map to a legend below it; beside each of its names
VECTOR_CELLS = 50_000  # of more the points are drawn as a picture
PALE = 0.25  # how much of their color cells keep that are not the ones meant
NOT_NAMED = "no label"


@dataclass(frozen=True, eq=False)
class CellMap:
    """One map.

    Attributes
    ----------
    xy
        Places [n, 2]; cells with one that is not finite are left out.
    title, place
        What the colors mean, and which map it is.
    codes, names, colors
        Type of each cell [n] (-1: none), and the name and #RRGGBB of each type.
    values, low, high
        In their place: a number of each cell [n] (NaN: none), and the ends of the scale.
    meant
        The cells to emphasise [n]: others are pale. None: all alike.
    most_vector
        Cells up to which each is a shape of its own; of more, all are one picture.
    is_written
        Whether the names of types are written on the map, too.
    """

    xy: np.ndarray
    title: str
    place: str = ""
    codes: np.ndarray | None = None
    names: Sequence[str] = ()
    colors: Sequence[str] = ()
    values: np.ndarray | None = None
    low: float = 0.0
    high: float = 1.0
    meant: np.ndarray | None = None
    most_vector: int = VECTOR_CELLS
    is_written: bool = False


def cell_maps(maps: Sequence[CellMap]) -> "Figure":
    """Draw one map, or several two by two, each as large as the others, as wide as a page."""
    side = ONE_MM if len(maps) == 1 else SEVERAL_MM
    figure, first = axes_of(side, side)
    panels = [first, *(figure.add_axes((0, 0, 1, 1), label=str(i)) for i in range(1, len(maps)))]
    written = [_draw(axes, drawn, side) for axes, drawn in zip(panels, maps, strict=True)]
    if len(panels) > 1:
        _spread(figure, panels)
    else:
        _below_if_wide(first, side)
    for axes, own in zip(panels, written, strict=True):
        names_on_maps.part(axes, own)
    return figure


def _draw(axes: "Axes", drawn: CellMap, side: float) -> list[Written]:
    """Draw a map with its legend or scale; return the names that are written on it."""
    axes.set_title(text_of(drawn.title), loc="left")
    axes.set_xlabel(text_of(drawn.place), loc="left")
    axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    for spine in axes.spines.values():
        spine.set_visible(False)
    cells = np.flatnonzero(np.isfinite(drawn.xy).all(axis=1))
    if drawn.values is None:
        return _by_type(axes, drawn, cells, int(side / LINE_MM))
    _by_value(axes, drawn, cells)
    color_bar(axes, drawn.low, drawn.high, drawn.title)
    return []


def _by_type(axes: "Axes", drawn: CellMap, cells: np.ndarray, rows: int) -> list[Written]:
    codes = np.full(len(drawn.xy), -1) if drawn.codes is None else np.asarray(drawn.codes)
    table = np.array([*drawn.colors, UNLABELED])
    own = codes[cells]
    _points(axes, drawn, cells, own, table, below=own < 0)
    here = [code for code in range(len(drawn.names)) if (own == code).any()]
    names, colors = [drawn.names[code] for code in here], [drawn.colors[code] for code in here]
    if (own < 0).any():
        names, colors = [*names, NOT_NAMED], [*colors, UNLABELED]
    legend(axes, names, colors, rows)
    if not drawn.is_written:
        return []
    return names_on_maps.write(axes, np.asarray(drawn.xy)[cells], own, drawn.names)


def _by_value(axes: "Axes", drawn: CellMap, cells: np.ndarray) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    scale = colormaps["viridis"]
    values = np.asarray(drawn.values, dtype=np.float32)[cells]
    share = np.clip((values - drawn.low) / ((drawn.high - drawn.low) or 1.0), 0, 1)
    known = np.isfinite(share)
    steps = np.where(known, np.rint(255 * np.nan_to_num(share)), 256).astype(np.int32)
    table = np.array([*(to_hex(scale(step)) for step in range(256)), UNLABELED])
    _points(axes, drawn, cells, steps, table, below=~known)


def _points(
    axes: "Axes", drawn: CellMap, cells: np.ndarray, own: np.ndarray, table: np.ndarray,
    *, below: np.ndarray,
) -> None:  # fmt: skip
    """Draw cells in a random order, so that no type covers another; those `below` first."""
    from matplotlib.colors import to_rgba_array

    order = np.random.default_rng(0).permutation(len(cells))
    colors = to_rgba_array(table)
    pale = np.zeros(len(cells), dtype=bool)
    if drawn.meant is not None:
        pale = ~np.asarray(drawn.meant, dtype=bool)[cells]
        below = pale
    order = order[np.argsort(~below[order], kind="stable")]
    paint = colors[own[order]]
    faint = pale[order]
    paint[faint, :3] = 1 - PALE * (1 - paint[faint, :3])
    shown = np.asarray(drawn.xy, dtype=np.float32)[cells[order]]
    size = _point_size(len(cells))
    more: dict[str, Any] = {"rasterized": len(cells) > drawn.most_vector, "gid": "cells"}
    axes.scatter(shown[:, 0], shown[:, 1], c=paint, s=size**2, lw=0, marker="o", **more)


def _point_size(n_cells: int) -> float:
    """Return the width of a point, in points of print."""
    return float(np.clip(150 / np.sqrt(max(1, n_cells)), 0.4, 3.0))


def _below_if_wide(axes: "Axes", side: float) -> None:
    """Put the legend of a map below it where beside it both are wider than a page."""
    names = axes.get_legend()
    width, _height = legend_size(axes)
    if names is None or side + width <= PAGE_MM:
        return
    texts = [text.get_text() for text in names.get_texts()]
    handles = [handle for handle in names.legend_handles if handle is not None]
    axes.legend(
        handles, texts, loc="upper left", bbox_to_anchor=(0.0, -BELOW_MM / side),
        ncols=max(1, int(PAGE_MM // (text_width(texts) + COLUMN_MM))), handletextpad=0.1,
        borderaxespad=0.0, columnspacing=1.0, labelspacing=0.35,
    )  # fmt: skip


def _spread(figure: "Figure", panels: "Sequence[Axes]") -> None:
    """Put maps two by two, with room for the legend of each."""
    sizes = [legend_size(axes) for axes in panels]
    room = [max([BAR_MM, *(width + 4 for width, _ in sizes[i::2])]) for i in range(2)]
    side = float(np.clip((PAGE_MM - sum(room) - GAP_MM) / 2, LEAST_MM, SEVERAL_MM))
    heights = [max(side, *(high for _, high in sizes[i : i + 2])) for i in range(0, len(sizes), 2)]
    width = 2 * side + sum(room) + GAP_MM
    height = sum(heights) + (len(heights) - 1) * GAP_MM
    figure.set_size_inches(width * MM, height * MM)
    for i, axes in enumerate(panels):
        left = (i % 2) * (side + room[0] + GAP_MM)
        above = sum(heights[: i // 2]) + (i // 2) * GAP_MM
        bottom = height - above - side
        axes.set_position((left / width, bottom / height, side / width, side / height))
