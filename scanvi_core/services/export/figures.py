"""The figures of the pages as files for print, drawn when one is asked for.

Each function returns how to draw a figure from what is on the page now; `figure_file` draws it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.colors import type_color
from scanvi_core.export.figures import dots as dot_plot
from scanvi_core.export.figures import grids, lines, violins
from scanvi_core.export.figures.maps import VECTOR_CELLS, CellMap, cell_maps
from scanvi_core.export.figures.write import PDF, PNG, SVG
from scanvi_core.export.figures.write import figure_file as figure_file  # noqa: PLC0414  for pages
from scanvi_core.services.explore import colors, drawn_cells, maps
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[], "Figure"]
MIME = {SVG: "image/svg+xml", PDF: "application/pdf", PNG: "image/png"}
PRINTED = {colors.PREDICTION: "Predicted type", colors.LABEL: "Cell type"}  # for who reads a paper
PROVISIONAL = "(provisional)", "(with answers the model has yet to learn)"
SCALED, LEVEL = "mean level, each\ngene scaled 0 to 1", "mean level, log(1 +\ncounts per 10,000)"
WRITTEN_TYPES = 25  # names that a map has room for
WORDS = {SVG: "SVG, to be edited", PDF: "PDF", PNG: "PNG, 300 dots per inch"}


def grouped_by(what: str, n_cells: int) -> str:
    """Return which cells a dot plot shows."""
    return f"{count(n_cells, 'cell')} by {_printed(what).lower()}"


def on_map(
    opened: Workspace, embedding: str, colorings: Sequence[Coloring],
    meant: np.ndarray | None = None, most_vector: int = VECTOR_CELLS,
    *, is_written: bool = True,
) -> Draw:  # fmt: skip
    """Draw one of the maps of a project, once per coloring.

    Of more cells than a page draws it draws those that the page does, and says how many.

    Parameters
    ----------
    opened, embedding
        The project and its map, one of `scanvi_core.services.explore.maps.embeddings`.
    colorings
        What the colors mean.
    meant
        Positions of the cells to emphasise; None: all alike.
    most_vector
        Cells up to which each is a shape of its own.
    is_written
        Whether names of types are written on the map, too, where there is a place for them.
    """
    xy, title = maps.coordinates(opened, embedding), maps.printed(embedding)
    drawn = drawn_cells.drawn(opened, embedding)
    if drawn is not None:
        drawn = drawn if meant is None else drawn.with_cells(meant)
        title = f"{title}, {len(drawn.rows):,} of {opened.dataset.n_obs:,} cells"
    rows = slice(None) if drawn is None else drawn.rows
    emphasis = None
    if meant is not None:
        emphasis = np.zeros(len(xy), dtype=bool)
        emphasis[meant] = True
    return partial(
        _maps, xy, title, tuple(colorings), rows, emphasis, most_vector, is_written=is_written
    )


def has_names(coloring: Coloring) -> bool:
    """Tell whether the colors of a map are names that have a place on it."""
    return coloring.codes is not None and coloring.is_place


def may_write(colorings: Sequence[Coloring]) -> bool:
    """Tell whether names are few enough to be written on maps unless somebody says otherwise."""
    return all(len(one.names) <= WRITTEN_TYPES for one in colorings if has_names(one))


def _maps(
    xy: np.ndarray, title: str, colorings: Sequence[Coloring], rows: slice | np.ndarray,
    meant: np.ndarray | None, most_vector: int, *, is_written: bool,
) -> "Figure":  # fmt: skip
    chosen = None if meant is None else meant[rows]
    places = np.asarray(xy[rows])
    shown = [_one(places, title, coloring, rows, chosen) for coloring in colorings]
    return cell_maps([
        replace(one, most_vector=most_vector, is_written=is_written and has_names(coloring))
        for one, coloring in zip(shown, colorings, strict=True)
    ])  # fmt: skip


def _printed(name: str) -> str:
    """Return what a coloring is called on paper."""
    for here, printed in PRINTED.items():
        if name == here or name.startswith(f"{here} ("):
            return printed + name.removeprefix(here).replace(*PROVISIONAL)
    return name


def _one(
    xy: np.ndarray, title: str, coloring: Coloring, rows: slice | np.ndarray,
    meant: np.ndarray | None,
) -> CellMap:  # fmt: skip
    if coloring.values is not None:
        low, high = colors.value_range(coloring.values)
        values = np.asarray(coloring.values[rows])
        return CellMap(
            xy, _printed(coloring.name), title, values=values, low=low, high=high, meant=meant
        )
    if coloring.codes is None:
        raise ValueError(f"{coloring.name} has neither values nor codes")
    codes = np.asarray(coloring.codes[rows])
    places = coloring.places or range(len(coloring.names))
    paint = [type_color(place) for place in places]
    return CellMap(
        xy,
        _printed(coloring.name),
        title,
        codes=codes,
        names=coloring.names,
        colors=paint,
        meant=meant,
    )


def sample_map(xy: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> Draw:
    """Draw the map of a sample of cells, colored by type as the first types are."""
    paint = [type_color(place) for place in range(len(names))]
    drawn = CellMap(xy, PRINTED[colors.PREDICTION], "A sample of cells", codes, names, paint)
    return partial(cell_maps, [drawn])


def confusion(
    matrix: np.ndarray, names: Sequence[str], places: Mapping[str, int], *, counts: bool = False
) -> Draw:
    """Draw a confusion matrix; `places` of the types are those in the palette."""
    return partial(grids.confusion, matrix, names, _paint(names, places), counts=counts)


def dots(
    table: pd.DataFrame, places: Mapping[str, int], *, is_scaled: bool = True, title: str = ""
) -> Draw:
    """Draw levels of genes in groups; see `scanvi_core.services.explore.gene_groups.levels`.

    Colors are levels, `is_scaled` ones from 0 in the lowest group of a gene to 1 in its highest.
    `title` says which cells they are of.
    """
    paint = _paint(list(dict.fromkeys(table["group"])), places)
    by, words = ("scaled", SCALED) if is_scaled else ("mean", LEVEL)
    return partial(dot_plot.dots, table, paint, by=by, words=words, title=title)


def spread(values: Mapping[str, np.ndarray], places: Mapping[str, int], gene: str) -> Draw:
    """Draw the spread of a gene in groups."""
    return partial(violins.violins, values, _paint(list(values), places), gene)


def curve(table: pd.DataFrame, names: Sequence[str]) -> Draw:
    """Draw columns of a table over its epochs."""
    return partial(lines.curve, table, names)


def reliability(bins: pd.DataFrame) -> Draw:
    """Draw how honest the confidence is."""
    return partial(lines.reliability, bins)


def coverage(table: pd.DataFrame, marked: float) -> Draw:
    """Draw the share right by the share accepted."""
    return partial(lines.coverage, table, marked)


def taught(table: pd.DataFrame) -> Draw:
    """Draw what decisions taught."""
    return partial(lines.taught, table)


def _paint(names: Sequence[str], places: Mapping[str, int]) -> list[str]:
    return [type_color(place) for place in colors.places_of(names, places)]
