"""Twenty thousand cells, 6,000 of them drawn, for cell_map/test_thinned.py."""

import numpy as np
import streamlit as st

from pages.ui.cell_map.component import (
    CategoryColor,
    SelectionEvent,
    ValueColor,
    cell_map,
    linked_maps,
)
from scanvi_core.annotation.layout.thinning import thinned
from scanvi_core.annotation.selection.polygon import combine, in_polygon
from scanvi_core.colors import type_colors
from scanvi_core.services.explore.drawn_cells import Drawn

N, DRAWN = 20_000, 6_000
NAMES = ["left", "right", "rare"]


@st.cache_resource
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray, Drawn]:
    """Coordinates, types, confidence, and the cells to draw."""
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(N, 2)).astype(np.float32)
    codes = (xy[:, 0] > 0).astype(int)
    codes[100:110], xy[100:110] = 2, (0.8, 0.1)
    xy[50] = np.nan
    sure = rng.random(N)
    found = thinned(xy, DRAWN, keep=sure < 0.02, types=codes)
    return xy, codes, sure, Drawn(found.rows, found.n_placed, found.n_keep, found.n_kept)


def select(event: SelectionEvent) -> None:
    """Pick the cells inside."""
    inside = in_polygon(xy, event.polygon) if event.op != "clear" else np.zeros(N, dtype=bool)
    if event.only:
        inside &= np.isin(codes, event.only)
    state.picked = combine(state.get("picked"), inside, event.op)


st.set_page_config(layout="wide")
state = st.session_state
xy, codes, sure, drawn = cells()
by_value = st.toggle("By value")
value = ValueColor(sure, "Confidence", 0.0, 1.0)
types = CategoryColor(codes, NAMES, type_colors(3))
cell_map(
    "cells", xy, color=value if by_value else types, revision="value" if by_value else "type",
    selected=state.get("picked"), height=420, hover=[f"cell {row}" for row in range(N)],
    on_select=select, drawn=drawn,
)  # fmt: skip
picked = state.get("picked", np.zeros(N, dtype=bool))
st.text(f"server: {picked.sum()} picked, {picked[drawn.rows].sum()} drawn")
st.text(f"types: {np.bincount(codes[picked], minlength=3).tolist()}")
if st.toggle("Linked"):
    linked_maps(
        "two", xy, {"Type": types, "Confidence": value}, revision="linked",
        selected=state.get("picked"), on_select=select, drawn=drawn,
    )  # fmt: skip
