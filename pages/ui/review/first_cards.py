"""The review before there is a model: groups of similar cells, waiting for a first name."""

from functools import partial

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.explore import naming
from pages.ui.frame import jobs
from pages.ui.frame.name_box import name_box, near_note
from pages.ui.frame.pages import TRAIN, next_button
from pages.ui.review import card, card_trail
from pages.ui.text import md, short
from scanvi_core.services.explore import maps as explore_maps
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.markers import levels
from scanvi_core.services.opinions.proposals import TOGETHER
from scanvi_core.services.review import answers, first_cards, queue
from scanvi_core.services.review.first_cards import Discovery
from scanvi_core.services.review.queue import SUGGESTED, ReviewItem
from scanvi_core.services.workspace import Workspace

ALL = 0.995  # as good as all of it


def draw(opened: Workspace) -> None:
    """Draw the next group to name; at first, find the groups."""
    parts = first_cards.progress(opened)
    if parts is None:
        _find(opened)
        return
    _top(parts)
    item = card_trail.front(queue.review_state(opened), SUGGESTED)
    if item is None:
        st.success("Every group has a name. Train a model to name the other cells.")
    else:
        _card(opened, item)


def _find(opened: Workspace) -> None:
    """Offer to find the groups, or show how far that is."""
    job = jobs.latest(opened.id, explore_maps.MAP)
    with st.container(border=True):
        st.markdown("**There is no model yet. Name a few groups of similar cells to begin.**")
        st.markdown(
            "One group from each part of the data comes first. With two types or more, a model "
            "can name the rest, and ask about what it does not know."
        )
        if job is not None and not job.status.final:
            jobs.show(job, can_stop=True)
            return
        if job is not None:
            jobs.show(job)  # why it failed
        with st.container(horizontal=True):
            if st.button(
                "Find groups of similar cells", type="primary", key="find-groups",
                icon=":material/scatter_plot:",
            ):  # fmt: skip
                explore_maps.start_base_map(opened)
                st.rerun()
            next_button(TRAIN, "Train on the labels there are", primary=False)


def _top(parts: Discovery) -> None:
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
    left.progress(
        parts.n_named / max(1, parts.n_parts),
        text=f"{parts.n_named} of {count(parts.n_parts, 'part')} of the data named so far; "
        f"{count(parts.n_types, 'type')}",
    )
    with right:
        if parts.may_train:
            next_button(TRAIN, "Train a model", primary=parts.n_named == parts.n_parts)
        else:
            st.caption("Name cells of two types, then train.")


def _card(opened: Workspace, item: ReviewItem) -> None:
    with st.container(border=True, key="review-card"):
        more = item.n_alike - len(item.rows)
        st.markdown(
            f"**{count(len(item.rows), 'similar cell')}**. {_question(item)}"
            + (f" {count(more, 'more cell')} much like these." if more > 0 else "")
        )
        card.draw_words(opened, item)
        _offer(opened, item)
        _actions(opened, item)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            maps.highlight(
                opened, item.rows, key="review-map", height=330, by=explore_maps.CLUSTER
            )
            st.caption("These cells among all, colored by part of the data.")
        with right:
            _markers(opened, item)
            st.markdown("**Genes that are high in these cells**")
            genes = opened.cache.get(
                ("first markers", item.key), lambda: first_cards.markers(opened, item.rows)
            )
            card.draw_levels(genes, "Mean level, ribosomal and mitochondrial genes last")


def _offered(item: ReviewItem) -> bool:
    """Tell whether an opinion says what these cells are."""
    return bool(item.candidates and item.candidates[0].whose)


def _question(item: ReviewItem) -> str:
    if not _offered(item):
        return "What are they?"
    first = item.candidates[0]
    sure = "" if first.probability > ALL else f", {percent(first.probability)} sure"
    verb = "say" if first.whose == TOGETHER else "says"
    return f"Are they **{md(first.name)}**? {md(first.whose)} {verb} so{sure}."


def _offer(opened: Workspace, item: ReviewItem) -> None:
    """Draw the button that says yes, for all cells of this part of which the same is said."""
    if not _offered(item):
        return
    seen, name = opened.labels().seq, item.candidates[0].name
    rows = first_cards.of_the_part(opened, item.rows, name)
    st.button(
        f"Name these {count(len(rows), 'cell')} {md(name)}", type="primary", shortcut="A",
        key="name-part", on_click=card.decide, icon=":material/done_all:",
        args=(item, lambda: answers.choose_part(opened, item, rows, seen)),
        help="The cells of this card, and all in the same part of the data of which the same is "
        "said and which have no label.",
    )  # fmt: skip


def _markers(opened: Workspace, item: ReviewItem) -> None:
    """Draw the markers that an offer rests on."""
    if not _offered(item):
        return
    name = item.candidates[0].name
    table = opened.cache.get(
        ("markers of the offer", item.key, name, item.candidates[0].whose),
        lambda: levels.of_type(opened, item.rows, name),
    )
    if not table.empty:
        st.markdown(f"**Markers of {md(name)}**")
        card.draw_levels(table, "Mean level")


def _actions(opened: Workspace, item: ReviewItem) -> None:
    seen = opened.labels().seq
    answer = partial(card.decide, item)
    with st.container(horizontal=True, vertical_alignment="bottom", key="review-actions"):
        known = list(opened.labels().active)
        name = name_box("Their name", known, f"first-name-{item.key}", width=320)
        st.button(
            f"Name {count(len(item.rows), 'cell')}", key="name-them",
            type="secondary" if _offered(item) and not name else "primary",
            disabled=not name, on_click=answer,
            args=(lambda: answers.choose(opened, item, str(name), seen),),
        )  # fmt: skip
        for i, near in enumerate(item.candidates, start=1):
            st.button(
                md(short(near.name, card.NAME_WIDTH)), shortcut=str(i), key=f"choose-{i}",
                on_click=answer, help=md(near.whose) if near.whose else "Named nearby",
                args=(lambda name=near.name: answers.choose(opened, item, name, seen),),
            )  # fmt: skip
    near_note(name, known)
    with st.container(horizontal=True):
        st.button("Unknown", shortcut="U", key="unknown", on_click=answer,
                  args=(lambda: answers.unknown(opened, item, seen),))  # fmt: skip
        st.button("Skip", shortcut="S", key="skip", on_click=card_trail.skip, args=(SUGGESTED,))
        st.button("Back", shortcut="B", key="back", on_click=card_trail.back,
                  disabled=not card_trail.can_go_back(opened, SUGGESTED),
                  args=(opened, SUGGESTED))  # fmt: skip
        naming.undo_buttons(opened)
    card.draw_error(item)
