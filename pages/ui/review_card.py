"""One card of the review queue: evidence, candidates, keys."""

from collections.abc import Callable

import streamlit as st

from pages.ui import maps, naming, review_trail, state
from pages.ui.text import count, error_text, md, short
from scanvi_core.errors import ScanviError
from scanvi_core.services import evidence, reviewing, workspace
from scanvi_core.services.reviewing import RANDOM, TECHNICAL, Candidate, ReviewItem

NAME_WIDTH = 22  # characters of a type on a button
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
    with st.container(border=True, key="review-card"):
        st.markdown(
            f"**{count(len(item.rows), 'similar cell')}**. "
            f"Are they **{md(item.candidates[0].name)}**?"
            + (" :violet-badge[provisional]" if item.seq else "")
            + (" :blue-badge[random check]" if check else ""),
            help=CHECK_HELP if check else PROVISIONAL_HELP if item.seq else None,
        )
        _actions(project, item, kind)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            maps.highlight(project, item.rows, key="review-map", height=270)
        with right:
            _evidence(project, item)
    _new_name(project, item)


def _evidence(project: str, item: ReviewItem) -> None:
    found = evidence.of(project, item)
    st.markdown(md(found.verdict))
    if not found.markers.empty:
        levels = [name for name in found.markers.columns if name != "gene"]
        top = float(found.markers[levels].to_numpy().max())
        bars = {
            name: st.column_config.ProgressColumn(
                short(name, NAME_WIDTH), min_value=0.0, max_value=top, format="%.1f"
            )
            for name in levels
        }
        st.dataframe(found.markers, hide_index=True, column_config=bars)
        st.caption("Mean level (log of counts per 10,000) in trusted cells and in this group.")
    if len(found.batches) > 1:
        parts = [f"{md(b)}: {n}" for b, n in found.batches.head(6).to_numpy()]
        st.caption("Batches: " + ", ".join(parts))


def _move(project: str, kind: str) -> None:
    st.button("Skip", shortcut="S", key="skip", on_click=review_trail.skip, args=(kind,))
    st.button("Back", shortcut="B", key="back", on_click=review_trail.back, args=(project, kind))


def _actions(project: str, item: ReviewItem, kind: str) -> None:
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
            type="secondary" if item.kind == TECHNICAL else "primary",
            on_click=decide, args=(lambda: reviewing.accept(project, item, seen),),
        )  # fmt: skip
        for i, other in enumerate(others, start=2):
            st.button(
                _named(other), shortcut=str(i), key=f"choose-{i}", on_click=decide,
                args=(lambda name=other.name: reviewing.choose(project, item, name, seen),),
            )  # fmt: skip
    with st.container(horizontal=True):
        st.button("Another name", shortcut="N", key="new-label", on_click=state.remember,
                  args=("review-naming", item.token))  # fmt: skip
        st.button("Unknown", shortcut="U", key="unknown", on_click=decide,
                  type="primary" if item.kind == TECHNICAL else "secondary",
                  args=(lambda: reviewing.unknown(project, item, seen),))  # fmt: skip
        _move(project, kind)
        naming.undo_buttons(project)
    if state.recall("review-error"):
        st.error(state.recall("review-error"))
        state.forget("review-error")


def _named(candidate: Candidate) -> str:
    return f"{md(short(candidate.name, NAME_WIDTH))} {candidate.probability:.0%}"


def _new_name(project: str, item: ReviewItem) -> None:
    if state.recall("review-naming") != item.token:
        return
    with st.form("new-name"):
        known = list(workspace.workspace(project).labels().active)
        name = st.selectbox("Name of these cells", known, index=None, accept_new_options=True,
                            placeholder="Choose or type a name", key="review-name")  # fmt: skip
        if st.form_submit_button("Name them", type="primary") and name:
            try:
                reviewing.choose(project, item, str(name))
            except ScanviError as error:
                st.error(error_text(error))
                return
            state.forget("review-naming")
            st.rerun()
