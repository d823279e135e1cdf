"""Very many cells in ten heaps: five on the tips of a star, one in its middle, four outside.

``?n=`` says how many; ``&warm=`` prepares so many and does not show them. A five-pointed star
drawn in one stroke crosses itself: its tips are inside, its middle is not. The page says how many
cells of each heap are picked, and for how many matplotlib, which knows nothing of our test, has
another answer.
"""

import time

import numpy as np
import streamlit as st
from matplotlib.path import Path

from pages.ui.cell_map.component import CategoryColor, SelectionEvent, ValueColor, cell_map
from scanvi_core.annotation.selection.polygon import combine, in_polygon
from scanvi_core.colors import type_colors

N = int(st.query_params.get("n", "20000"))
TURN = np.pi / 2 + 2 * np.pi * np.arange(5) / 5
TIPS = np.column_stack([np.cos(TURN), np.sin(TURN)])
CORNERS = 0.95 * np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)])
HEAPS = np.vstack([0.72 * TIPS, [[0, 0]], CORNERS])
NAMES = [*(f"tip {i}" for i in range(5)), "middle", *(f"outside {i}" for i in range(4))]


@st.cache_resource
def cells(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates, heaps and values; heaps have sharp edges, so that the truth is known."""
    rng = np.random.default_rng(0)
    heap = rng.integers(0, len(HEAPS), n)
    angle, reach = 2 * np.pi * rng.random(n), 0.07 * np.sqrt(rng.random(n))
    xy = HEAPS[heap] + np.column_stack([reach * np.cos(angle), reach * np.sin(angle)])
    return xy.astype(np.float32), heap, rng.random(n)


def select(event: SelectionEvent) -> None:
    """Pick the cells inside and compare with matplotlib."""
    if event.op == "clear":
        state.picked = np.zeros(N, dtype=bool)
        return
    start = time.perf_counter()
    inside = in_polygon(xy, event.polygon)
    state.seconds = time.perf_counter() - start
    state.polygon = event.polygon
    state.picked = combine(state.get("picked"), inside, event.op)


st.set_page_config(layout="wide")
state = st.session_state
cells(int(st.query_params.get("warm", "500")))
xy, heap, values = cells(N)
by_value = st.toggle("By value")
color = (
    ValueColor(values, "Confidence", 0.0, 1.0)
    if by_value
    else CategoryColor(heap, NAMES, type_colors(len(NAMES)))
)
cell_map(
    "cells", xy, color=color, revision="value" if by_value else "type",
    selected=state.get("picked"), height=560, on_select=select,
)  # fmt: skip
if state.get("picked") is not None and "polygon" in state:
    found = np.bincount(heap[state.picked], minlength=len(HEAPS))
    st.text(f"heaps: {found.tolist()} of {np.bincount(heap, minlength=len(HEAPS)).tolist()}")
    st.text(f"the server took {state.seconds:.4f} s")
    if st.button("Compare"):
        known = Path(np.vstack([state.polygon, state.polygon[:1]])).contains_points(xy)
        st.text(f"other answer for {int((known != state.picked).sum())} cells")
