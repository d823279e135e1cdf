"""Cell maps as the pages use them: choose a map and a colour, draw, pick cells by lasso."""

import numpy as np
import streamlit as st

from pages.ui import state
from pages.ui.cell_map import CategoryColour, SelectionEvent, ValueColour, cell_map
from pages.ui.colours import type_colour, value_range
from scanvi_core.services import exploring, picking, workspace
from scanvi_core.services.exploring import Colouring

GENE = "A gene…"


def explorable(project: str, *, key: str, height: int, default_colour: str = "") -> str:
    """Draw a map with its choosers; a lasso picks cells for this tab. Return what colours it."""
    titles = exploring.embeddings(project)
    left, middle, right = st.columns([3, 3, 3])
    with left:
        embedding = st.selectbox(
            "Map", list(titles), format_func=titles.__getitem__, key=f"{key}.map"
        )
    options = [*exploring.colour_options(project), GENE]
    start = options.index(default_colour) if default_colour in options else 0
    with middle:
        what = st.selectbox("Colour by", options, start, key=f"{key}.colour")
    with right:
        colouring = _chosen_colouring(project, what, key)
    draw(project, embedding, colouring, key=key, height=height)
    return what


def _chosen_colouring(project: str, what: str, key: str) -> Colouring:
    if what != GENE:
        return exploring.colouring(project, what)
    genes = exploring.gene_names(project)
    gene = st.selectbox("Gene", genes, key=f"{key}.gene")
    return exploring.gene_colouring(project, gene)


def draw(
    project: str, embedding: str, colouring: Colouring, *, key: str, height: int, pick: bool = True
) -> None:
    """Draw one map; with `pick`, a lasso changes the picked cells of this tab."""
    xy = exploring.coordinates(project, embedding)

    def on_select(event: SelectionEvent) -> None:
        _pick(project, xy, colouring, event)

    cell_map(
        key,
        xy,
        colour=as_colour(colouring),
        revision=exploring.map_revision(project, embedding),
        selected=picking.picked(project, state.tab()) if pick else None,
        height=height,
        on_select=on_select if pick else None,
        tools=pick,
    )


def highlight(project: str, rows: np.ndarray, *, key: str, height: int) -> None:
    """Draw a still map with some cells emphasised, coloured by prediction."""
    embedding = next(iter(exploring.embeddings(project)))
    selected = np.zeros(workspace.workspace(project).dataset.n_obs, dtype=bool)
    selected[rows] = True
    cell_map(
        key,
        exploring.coordinates(project, embedding),
        colour=as_colour(exploring.colouring(project, exploring.PREDICTION)),
        revision=exploring.map_revision(project, embedding),
        selected=selected,
        height=height,
        tools=False,
    )


def as_colour(colouring: Colouring) -> CategoryColour | ValueColour:
    """Turn a colouring of the services into what the map draws."""
    if colouring.values is not None:
        return ValueColour(colouring.values, colouring.name, *value_range(colouring.values))
    assert colouring.codes is not None  # noqa: S101 - either values or codes, by construction
    places = colouring.places or range(len(colouring.names))
    return CategoryColour(
        colouring.codes, colouring.names, [type_colour(place) for place in places]
    )


def _pick(project: str, xy: np.ndarray, colouring: Colouring, event: SelectionEvent) -> None:
    state.remember("picked-by", "lasso")
    only = None
    if event.only and colouring.codes is not None:
        only = np.isin(colouring.codes, event.only)
    picking.pick_polygon(project, state.tab(), xy, event, only)
