"""Cell maps as the pages use them: choose a map and a colour, draw, pick cells by lasso."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.cell_map.colours import value_range
from pages.ui.cell_map.component import (
    CategoryColour,
    SelectionEvent,
    ValueColour,
    cell_map,
    linked_maps,
)
from pages.ui.frame import state
from scanvi_core.colours import type_colour
from scanvi_core.services.explore import colours, conditions, maps, selection, subsample
from scanvi_core.services.explore.colours import Colouring
from scanvi_core.services.workspace import Workspace

GENE = "A gene…"
ONE, FOUR = "One", "Four"
ALSO = "the button Add a condition below the map"  # of pages/ui/explore/rule_chips.py
FURNITURE = 520  # pixels of the page around a map, naming bar included; it grows with the window


def explorable(
    opened: Workspace, *, key: str, height: int, default_colour: str = "", compare: bool = False
) -> str:
    """Draw a map with its choosers; a lasso picks cells for this tab. Return what colours it.

    With `compare`, four linked maps can be had instead of one.
    """
    titles = maps.embeddings(opened)
    columns = st.columns([2, 3, 3, 3] if compare else [3, 3, 3], vertical_alignment="bottom")
    four = compare and _four(columns.pop(0), key)
    with columns[0]:
        embedding = st.selectbox(
            "Map", list(titles), format_func=titles.__getitem__, key=f"{key}.map"
        )
    if four:
        colourings = [colours.colouring(opened, what) for what in _compared(opened)]
        draw_linked(opened, embedding, colourings, key=key, height=height)
        return ""
    options = [*colours.colour_options(opened), GENE]
    start = options.index(default_colour) if default_colour in options else 0
    with columns[1]:
        what = st.selectbox("Colour by", options, start, key=f"{key}.colour")
    with columns[2]:
        colouring = _chosen_colouring(opened, what, key)
    draw(opened, embedding, colouring, key=key, height=height)
    return what


def _four(column: DeltaGenerator, key: str) -> bool:
    with column:
        chosen = st.segmented_control(
            "Maps", [ONE, FOUR], default=ONE, required=True, key=f"{key}.maps", width="stretch",
            help="Four small maps: batch, label, prediction and confidence side by side.",
            persist_state="session",
        )  # fmt: skip
    return chosen == FOUR


def _compared(opened: Workspace) -> list[str]:
    """Return what the four maps show: batch, label, prediction, confidence, as far as there."""
    options = colours.colour_options(opened)
    batch = opened.batch_key
    wanted = [batch, colours.LABEL, colours.PREDICTION, colours.CONFIDENCE]
    usable = [what for what in wanted if what in options]
    return usable if len(usable) > 2 else [*usable, *(o for o in options if o not in usable)][:4]


def _chosen_colouring(opened: Workspace, what: str, key: str) -> Colouring:
    if what != GENE:
        return colours.colouring(opened, what)
    genes = colours.gene_names(opened)
    gene = st.selectbox("Gene", genes, key=f"{key}.gene")
    return colours.gene_colouring(opened, gene)


def draw(
    opened: Workspace, embedding: str, colouring: Colouring, *, key: str, height: int
) -> None:
    """Draw one map; a lasso changes the picked cells of this tab."""
    xy = maps.coordinates(opened, embedding)
    cell_map(
        key,
        xy,
        colour=as_colour(colouring),
        revision=maps.map_revision(opened, embedding),
        selected=selection.picked(opened, state.tab()),
        height=height,
        fill=FURNITURE,
        on_select=lambda event: _pick(opened, xy, colouring, event),
        also=ALSO,
        drawn=subsample.drawn(opened, embedding),
    )


def draw_linked(
    opened: Workspace, embedding: str, colourings: list[Colouring], *, key: str, height: int
) -> None:
    """Draw small maps of the same cells that move and select together."""
    xy = maps.coordinates(opened, embedding)
    linked_maps(
        f"{key}-linked",
        xy,
        {colouring.name: as_colour(colouring) for colouring in colourings},
        revision=maps.map_revision(opened, embedding),
        selected=selection.picked(opened, state.tab()),
        height=height + 90,
        fill=FURNITURE,
        on_select=lambda event: _pick(opened, xy, colourings[event.panel], event),
        also=ALSO,
        drawn=subsample.drawn(opened, embedding),
    )


def highlight(opened: Workspace, rows: np.ndarray, *, key: str, height: int) -> None:
    """Draw a still map with some cells emphasised, coloured by prediction."""
    embedding = next(iter(maps.embeddings(opened)))
    selected = np.zeros(opened.dataset.n_obs, dtype=bool)
    selected[rows] = True
    drawn = subsample.drawn(opened, embedding)
    cell_map(
        key,
        maps.coordinates(opened, embedding),
        colour=as_colour(colours.colouring(opened, colours.PREDICTION)),
        revision=maps.map_revision(opened, embedding),
        selected=selected,
        height=height,
        tools=False,
        drawn=None if drawn is None else drawn.with_cells(rows),
    )


def as_colour(colouring: Colouring) -> CategoryColour | ValueColour:
    """Turn a colouring of the services into what the map draws."""
    if colouring.values is not None:
        return ValueColour(colouring.values, colouring.name, *value_range(colouring.values))
    if colouring.codes is None:
        raise ValueError(f"{colouring.name} has neither values nor codes")
    places = colouring.places or range(len(colouring.names))
    return CategoryColour(
        colouring.codes, colouring.names, [type_colour(place) for place in places]
    )


def _pick(opened: Workspace, xy: np.ndarray, colouring: Colouring, event: SelectionEvent) -> None:
    if not event.only or colouring.codes is None:
        selection.pick_polygon(opened, state.tab(), xy, event)
        return
    only = conditions.shown(opened, colouring, event.only)
    if only is None:  # nothing says it in words: these very cells then
        selection.pick_polygon(
            opened, state.tab(), xy, event, np.isin(colouring.codes, event.only)
        )
    else:
        selection.pick_polygon(opened, state.tab(), xy, event, only)
