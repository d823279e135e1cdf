"""The map that visitors see, colored by type or doubt; what they picked on it is told."""

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.frame import state
from pages.ui.text import md
from scanvi_core.services.explore import colors, picked_cells, selection
from scanvi_core.services.explore import maps as explore_maps
from scanvi_core.services.formatting import count
from scanvi_core.services.viewing import types_seen
from scanvi_core.services.workspace import Workspace

KEY = "look"
MORE = 90  # pixels: a title, what a link allows, and the line below the map


def draw(opened: Workspace) -> None:
    """Draw the map with the choice of its color, and what is picked on it."""
    if not explore_maps.embeddings(opened):
        st.info("This project has no map yet.")
        return
    ways = types_seen.ways_to_color(opened)
    way = st.segmented_control(
        "Color by", ways, default=ways[0], key="look-color", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    embedding = next(iter(explore_maps.embeddings(opened)))
    maps.draw(opened, embedding, colors.coloring(opened, way), key=KEY, aside=0, more=MORE)
    picked = selection.selection(opened, state.tab())
    if not picked.n:
        st.caption("Draw around cells to see what they are, or to comment on them.")
        return
    told = picked_cells.about(opened, picked)
    lines = [f"**{count(picked.n, 'cell')} picked:** {md(told.labels)}"]
    lines += [f"Markers: {md(', '.join(told.markers))}"] if told.markers else []
    st.caption("  \n".join(lines))
