"""Two thousand cells in four groups, to be lassoed by cell_map/test_map.py."""

import numpy as np
import streamlit as st

from pages.ui.cell_map.component import (
    CategoryColor,
    SelectionEvent,
    ValueColor,
    cell_map,
    linked_maps,
)
from scanvi_core.annotation.selection.polygon import combine, in_polygon
from scanvi_core.colors import type_colors

N = 2_000
NAMES = ["B cell", "<img src=x onerror=alert(1)>", "NK **cell**", "T cell"]
rng = np.random.default_rng(0)
group = np.repeat(np.arange(4), N // 4)
corners = np.array([(-3, -2), (3, -2), (-3, 2), (3, 2)])
xy = (corners[group] + rng.normal(0, 0.6, (N, 2))).astype(np.float32)
xy[::100, 0] = np.nan
codes = np.where(rng.random(N) < 0.25, -1, group)
state = st.session_state


def select(event: SelectionEvent) -> None:
    inside = in_polygon(xy, event.polygon) if event.op != "clear" else np.zeros(N, bool)
    state.inside, state.op = int(inside.sum()), event.op
    state.only = event.only, event.panel
    state.picked = combine(state.get("picked"), inside, event.op)


st.set_page_config(layout="wide")
by_value = st.toggle("By value")
color = (
    ValueColor(np.where(codes < 0, np.nan, xy[:, 1]), "CD3D", -3.0, 3.0)
    if by_value
    else CategoryColor(codes, NAMES, type_colors(4))
)
event = cell_map(
    "cells",
    xy,
    color=color,
    revision="value" if by_value else "type",
    selected=state.get("picked"),
    height=420,
    hover=[f"cell {i}" for i in range(N)],
    on_select=select,
    also="the switch",
)
picked = int(state.picked.sum()) if "picked" in state else 0
st.text(
    f"server: {picked} picked, {state.get('inside', 0)} inside, only {state.get('only', ((), 0))}"
)
st.text(f"this run: {event.op if event else 'nothing'}")
if st.toggle("Linked"):
    four = {
        "Batch": CategoryColor(rng.integers(0, 2, N), ["left", "right"], type_colors(2)),
        "Label": CategoryColor(codes, NAMES, type_colors(4)),
        "Prediction": CategoryColor(group, NAMES, type_colors(4)),
        "Confidence": ValueColor(rng.random(N), "Confidence", 0.0, 1.0),
    }
    linked_maps("four", xy, four, revision="four", selected=state.get("picked"), on_select=select)
cell_map("still", xy, color=color, revision="still", tools=False, height=220)

many = 20_000  # sent in parts
if st.toggle("Many cells"):
    at = rng.normal(size=(many, 2)).astype(np.float32)
    codes = (at[:, 0] > 0).astype(int)
    cell_map(
        "many",
        at,
        color=ValueColor(at[:, 1], "CD3D", -3.0, 3.0)
        if by_value
        else CategoryColor(codes, ["left", "right"], type_colors(2)),
        revision="value" if by_value else "type",
        selected=state.get("chosen"),
        height=420,
        on_select=lambda event: state.update(chosen=in_polygon(at, event.polygon)),
    )
