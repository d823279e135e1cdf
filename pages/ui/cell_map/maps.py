"""Cell maps as the pages use them: choose a map and a color, draw, pick cells by lasso."""

import numpy as np
import streamlit as st

from pages.ui.cell_map.component import (
    CategoryColor,
    SelectionEvent,
    ValueColor,
    cell_map,
    linked_maps,
)
from pages.ui.frame import download, state
from pages.ui.text import md
from scanvi_core.colors import type_color
from scanvi_core.services.explore import (
    colors,
    conditions,
    drawn_cells,
    gene_search,
    maps,
    selection,
)
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.export import figures
from scanvi_core.services.workspace import Workspace

GENE = "\0"  # before the name of a gene among the ways to color
ONE, FOUR = "One", "Four"
ALSO = "the button Add a condition below the map"  # of pages/ui/explore/rule_chips.py
FURNITURE = 194  # pixels of the page around a map; it grows with the window
LEAST_HEIGHT = 400
FOUR_MAPS = 520  # pixels of the page around four of them, with what stands above


def is_four(key: str) -> bool:
    """Tell whether four linked maps are wanted in place of one."""
    return bool(state.widget(f"{key}.maps") == FOUR)


def choose_map(opened: Workspace, *, key: str, compare: bool) -> str:
    """Draw the choice of the map, and whether to see one or four of it; return the map."""
    titles = maps.embeddings(opened)
    embedding = st.selectbox(
        "Map", list(titles), format_func=titles.__getitem__, key=f"{key}.map",
        label_visibility="collapsed", width=320,
    )  # fmt: skip
    if compare:
        _four(key)
    return str(embedding)


def choose_color(opened: Workspace, *, key: str, default_color: str) -> str:
    """Draw the choice of what colors the map, genes among it, and return it."""
    genes = gene_search.suggested(opened)
    options = [*colors.color_options(opened), *(GENE + name for name in genes)]
    start = options.index(default_color) if default_color in options else 0
    what = st.selectbox(
        "Color by", options, start, key=f"{key}.color", accept_new_options=True,
        format_func=lambda name: genes.get(name.removeprefix(GENE), name)
        if name.startswith(GENE) else name,
        help="Type any gene to find it: LYZ, or an alias such as CD20.",
    )  # fmt: skip
    if what in options:
        return str(what)
    gene = gene_search.gene_here(opened, str(what))
    if gene is None:
        st.caption(f":orange[:material/info:] No gene here is called {md(what)}.")
        return options[start]
    return GENE + gene


def draw_chosen(
    opened: Workspace, embedding: str, what: str, *, key: str, aside: int
) -> list[Coloring]:
    """Draw a map as chosen (no color: four linked maps); a lasso picks cells for this tab.

    Returns what it shows.
    """
    colorings = _chosen_colorings(opened, what)
    if what:
        draw(opened, embedding, colorings[0], key=key, aside=aside)
    else:
        draw_linked(opened, embedding, colorings, key=key)
    return colorings


def offer(
    opened: Workspace, embedding: str, colorings: list[Coloring], *, key: str,
    meant: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Offer a map, or several of the same cells, as a figure; `meant` are emphasised."""
    name = f"map {colorings[0].name}" if len(colorings) == 1 else "maps"

    def drawn(is_written: bool) -> figures.Draw:
        return figures.on_map(opened, embedding, colorings, meant, is_written=is_written)

    if any(map(figures.has_names, colorings)):
        written = meant is None and figures.may_write(colorings)
        option = download.Option("Write the names on the map", written, drawn)
        download.figure(opened, name, option, key=key)
    else:
        download.figure(opened, name, drawn(False), key=key)


def _four(key: str) -> None:
    st.segmented_control(
        "Maps", [ONE, FOUR], default=ONE, required=True, key=f"{key}.maps",
        help="Four small maps: batch, label, prediction and confidence side by side.",
        persist_state="session", label_visibility="collapsed",
        format_func={ONE: "One map", FOUR: "Four maps"}.__getitem__,
    )  # fmt: skip


def _compared(opened: Workspace) -> list[str]:
    """Return what the four maps show: batch, label, prediction, confidence, as far as there."""
    options = colors.color_options(opened)
    batch = opened.batch_key
    wanted = [batch, colors.LABEL, colors.PREDICTION, colors.CONFIDENCE]
    usable = [what for what in wanted if what in options]
    return usable if len(usable) > 2 else [*usable, *(o for o in options if o not in usable)][:4]


def _chosen_colorings(opened: Workspace, what: str) -> list[Coloring]:
    if not what:
        return [colors.coloring(opened, name) for name in _compared(opened)]
    if what.startswith(GENE):
        return [colors.gene_coloring(opened, what.removeprefix(GENE))]
    return [colors.coloring(opened, what)]


def draw(
    opened: Workspace, embedding: str, coloring: Coloring, *, key: str, aside: int, more: int = 0
) -> None:
    """Draw one map; a lasso changes the picked cells of this tab.

    `more` are pixels beside it on its page, beyond those of the pages that work on it.
    """
    xy = maps.coordinates(opened, embedding)
    cell_map(
        key,
        xy,
        color=as_color(coloring),
        revision=maps.map_revision(opened, embedding),
        selected=selection.picked(opened, state.tab()),
        height=LEAST_HEIGHT,
        fill=FURNITURE + more,
        aside=aside,
        on_select=lambda event: _pick(opened, xy, coloring, event),
        also=ALSO,
        drawn=drawn_cells.drawn(opened, embedding),
    )


def draw_linked(opened: Workspace, embedding: str, colorings: list[Coloring], *, key: str) -> None:
    """Draw small maps of the same cells that move and select together."""
    xy = maps.coordinates(opened, embedding)
    linked_maps(
        f"{key}-linked",
        xy,
        {coloring.name: as_color(coloring) for coloring in colorings},
        revision=maps.map_revision(opened, embedding),
        selected=selection.picked(opened, state.tab()),
        height=LEAST_HEIGHT,
        fill=FOUR_MAPS,
        on_select=lambda event: _pick(opened, xy, colorings[event.panel], event),
        also=ALSO,
        drawn=drawn_cells.drawn(opened, embedding),
    )


def highlight(
    opened: Workspace, rows: np.ndarray, *, key: str, height: int, by: str = colors.PREDICTION
) -> None:
    """Draw a still map with some cells emphasised, colored by prediction or otherwise."""
    embedding = next(iter(maps.embeddings(opened)))
    selected = np.zeros(opened.dataset.n_obs, dtype=bool)
    selected[rows] = True
    drawn, coloring = drawn_cells.drawn(opened, embedding), colors.coloring(opened, by)
    cell_map(
        key,
        maps.coordinates(opened, embedding),
        color=as_color(coloring),
        revision=maps.map_revision(opened, embedding),
        selected=selected,
        height=height,
        tools=False,
        drawn=None if drawn is None else drawn.with_cells(rows),
    )
    offer(opened, embedding, [coloring], key=key, meant=rows)


def still(opened: Workspace, coloring: Coloring, *, key: str, height: int) -> None:
    """Draw the first map there is as a still picture, colored as asked for."""
    embedding = next(iter(maps.embeddings(opened)))
    cell_map(
        key,
        maps.coordinates(opened, embedding),
        color=as_color(coloring),
        revision=maps.map_revision(opened, embedding),
        height=height,
        tools=False,
        drawn=drawn_cells.drawn(opened, embedding),
    )
    offer(opened, embedding, [coloring], key=key)


def as_color(coloring: Coloring) -> CategoryColor | ValueColor:
    """Turn a coloring of the services into what the map draws."""
    if coloring.values is not None:
        return ValueColor(coloring.values, coloring.name, *colors.value_range(coloring.values))
    if coloring.codes is None:
        raise ValueError(f"{coloring.name} has neither values nor codes")
    places = coloring.places or range(len(coloring.names))
    return CategoryColor(
        coloring.codes, coloring.names, [type_color(place) for place in places], coloring.is_place
    )


def _pick(opened: Workspace, xy: np.ndarray, coloring: Coloring, event: SelectionEvent) -> None:
    if not event.only or coloring.codes is None:
        selection.pick_polygon(opened, state.tab(), xy, event)
        return
    only = conditions.shown(opened, coloring, event.only)
    if only is None:  # nothing says it in words: these very cells then
        selection.pick_polygon(opened, state.tab(), xy, event, np.isin(coloring.codes, event.only))
    else:
        selection.pick_polygon(opened, state.tab(), xy, event, only)
