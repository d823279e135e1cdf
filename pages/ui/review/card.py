"""One card of the review queue: evidence, candidates, keys."""

from collections.abc import Callable

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.explore import naming
from pages.ui.frame import state
from pages.ui.frame.text import count, error_text, md, short
from pages.ui.review import card_order
from scanvi_core.errors import ScanviError
from scanvi_core.services import workspace
from scanvi_core.services.diagnostics.uncertainty import Reason
from scanvi_core.services.review import evidence, queue
from scanvi_core.services.review.evidence import Evidence
from scanvi_core.services.review.queue import RANDOM, Candidate, ReviewItem

NAME_WIDTH = 22  # characters of a type on a button
MOST_ROWS = 4  # of a small table
ALL = 99.5  # percent
PROVISIONAL_HELP = (
    "The suggestions were refitted on your decisions a moment ago. The model itself learns them "
    "when you update it."
)

CHECK_HELP = (
    "The model is sure of these cells, and one of them was drawn at random. Your answer tells how "
    "right the cells are that nobody looks at."
)


def draw(project: str, item: ReviewItem, kind: str) -> None:
    """Draw a card of the trail of a kind; it looks the same as long as it is in front."""
    check = item.kind == RANDOM
    first = item.candidates[0].name
    found = evidence.of(project, item)
    with st.container(border=True, key="review-card"):
        st.markdown(
            f"**{count(len(item.rows), 'similar cell')}**. "
            f"{'Is it' if len(item.rows) == 1 else 'Are they'} **{md(first)}**?"
            + (" :violet-badge[provisional]" if item.seq else "")
            + (" :blue-badge[random check]" if check else "")
            + (" :gray-badge[part of a group]" if item.path else ""),
            help=CHECK_HELP if check else PROVISIONAL_HELP if item.seq else None,
        )
        asked = _actions(project, item, kind)
        n_open = queue.n_open_cells(project, item)
        st.caption(f"Accepting: {md(found.effect(first, n_open))}")
        left, right = st.columns([2, 3], gap="medium")
        with left:
            maps.highlight(project, item.rows, key="review-map", height=270)
        with right:
            _genes(found)
        _around(found)
    step = queue.last_step(project)
    if step:
        st.caption(f"Last step: {md(step)}. Ctrl+Z takes it back.")
    if asked:
        _ask_name(project, item)


def _genes(found: Evidence) -> None:
    st.markdown(f"**{md(found.verdict)}**")
    if found.markers.empty:
        return
    levels = [name for name in found.markers.columns if name != "gene"]
    top = float(found.markers[levels].to_numpy().max())
    bars = {
        name: st.column_config.ProgressColumn(
            short(name, NAME_WIDTH), min_value=0.0, max_value=top, format="%.1f"
        )
        for name in levels
    }
    st.dataframe(found.markers, hide_index=True, column_config=bars, height="content")
    st.caption("Mean level (log of counts per 10,000) in trusted cells and in this group.")


def _around(found: Evidence) -> None:
    """Draw who is near, where the cells come from, and how good they are, side by side."""
    near, quality, batches = st.columns(3, gap="medium")
    with near:
        st.caption("Nearest labelled cells")
        st.dataframe(found.neighbours.head(MOST_ROWS), hide_index=True, height="content")
    with quality:
        st.caption("Quality (medians)")
        numbers = {
            name: st.column_config.NumberColumn(format="localized")
            for name in ("these cells", "all cells")
        }
        st.dataframe(
            found.quality.round(2), hide_index=True, column_config=numbers, height="content"
        )
    if len(found.batches) > 1 or found.batches["all cells"].max() < ALL:
        with batches:
            st.caption("Batches")
            share = st.column_config.ProgressColumn(
                "of these", min_value=0, max_value=100, format="%.0f %%"
            )
            every = st.column_config.NumberColumn("of all cells", format="%.0f %%")
            st.dataframe(
                found.batches.head(MOST_ROWS)[["batch", "share", "all cells"]], hide_index=True,
                column_config={"share": share, "all cells": every}, height="content",
            )  # fmt: skip


def _move(project: str, item: ReviewItem, kind: str) -> None:
    st.button("Split", shortcut="T", key="split", on_click=card_order.split,
              args=(project, item, kind), disabled=not item.can_split,
              help="Cells of several types? See them as two to four smaller groups.")  # fmt: skip
    st.button("Skip", shortcut="S", key="skip", on_click=card_order.skip, args=(kind,))
    st.button("Back", shortcut="B", key="back", on_click=card_order.back, args=(project, kind))


def _actions(project: str, item: ReviewItem, kind: str) -> bool:
    """Draw the buttons; return whether another name is asked for."""
    first, *others = item.candidates
    seen = workspace.workspace(project).labels().seq  # as this card is drawn

    def decide(work: Callable[[], None]) -> None:
        try:
            work()
        except ScanviError as error:
            state.remember("review-error", error_text(error))

    with st.container(horizontal=True, key="review-actions"):
        st.button(
            f"Accept {_named(first)}", shortcut="A", key="accept",
            type="secondary" if item.kind == Reason.TECHNICAL.label else "primary",
            on_click=decide, args=(lambda: queue.accept(project, item, seen),),
        )  # fmt: skip
        for i, other in enumerate(others, start=2):
            st.button(
                _named(other), shortcut=str(i), key=f"choose-{i}", on_click=decide,
                args=(lambda name=other.name: queue.choose(project, item, name, seen),),
            )  # fmt: skip
    with st.container(horizontal=True):
        asked = st.button("Another name", shortcut="N", key="new-label")
        st.button("Unknown", shortcut="U", key="unknown", on_click=decide,
                  type="primary" if item.kind == Reason.TECHNICAL.label else "secondary",
                  args=(lambda: queue.unknown(project, item, seen),))  # fmt: skip
        _move(project, item, kind)
        naming.undo_buttons(project)
    if state.recall("review-error"):
        st.error(state.recall("review-error"))
        state.forget("review-error")
    return asked


def _named(candidate: Candidate) -> str:
    return f"{md(short(candidate.name, NAME_WIDTH))} {candidate.probability:.0%}"


@st.dialog("Another name")
def _ask_name(project: str, item: ReviewItem) -> None:
    known = list(workspace.workspace(project).labels().active)
    name = st.selectbox(
        f"Name of these {count(len(item.rows), 'cell')}", known, index=None,
        accept_new_options=True, placeholder="Choose or type a name", key="review-name",
    )  # fmt: skip
    if st.button("Name them", type="primary", key="name-them", disabled=not name):
        try:
            queue.choose(project, item, str(name))
        except ScanviError as error:
            st.error(error_text(error))
            return
        st.rerun()
