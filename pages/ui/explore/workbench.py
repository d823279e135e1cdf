"""The workbench: a large map, and beside it what colors it, what is picked, its name, and undo."""

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.explore import naming, rule_chips
from pages.ui.frame import state
from pages.ui.text import md
from scanvi_core.services.explore import picked_cells, selection
from scanvi_core.services.explore.rules import Selection
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

ASIDE = 390  # pixels above the legend; assets/page.css puts the panel there


def draw(opened: Workspace, *, key: str, default_color: str, compare: bool = False) -> str:
    """Draw it, and below it which map, and the conditions that pick cells; return the color."""
    four = compare and maps.is_four(key)
    with st.container(key="workbench-four" if four else "workbench", gap="small"):
        panel, stage = st.container(key="workbench-side", gap="small"), st.container(gap=None)
    below = st.container(horizontal=True, vertical_alignment="center")
    with below:
        embedding = maps.choose_map(opened, key=key, compare=compare)
    rule_chips.draw(opened)
    with panel:
        what = "" if four else maps.choose_color(opened, key=key, default_color=default_color)
        picked = selection.selection(opened, state.tab())
        _about(opened, picked)
        naming.bar(opened, picked)
    with stage:
        colorings = maps.draw_chosen(opened, embedding, what, key=key, aside=ASIDE)
    with below:
        maps.offer(opened, embedding, colorings, key=f"{key}-map")
    return what


def _about(opened: Workspace, picked: Selection) -> None:
    """Say what is picked: how many cells, which labels they have, which genes mark them."""
    if not picked.n:
        st.caption(
            "Nothing is picked yet: draw around cells, or click a row of the legend and then "
            "“Select these cells”."
        )
        return
    told = picked_cells.about(opened, picked)
    lines = [f"**{count(picked.n, 'cell')} picked**", md(told.labels)]
    lines += [f"Markers: {md(', '.join(told.markers))}"] if told.markers else []
    st.caption("  \n".join(lines))
