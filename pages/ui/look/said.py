"""What colleagues said who came by a link, for those who work on the project."""

import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.frame.pages import EXPLORE, go
from pages.ui.look import comments
from pages.ui.text import md, short
from scanvi_core.services.explore import selection
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import sharing
from scanvi_core.services.viewing import remarks
from scanvi_core.services.viewing.remarks import Remark
from scanvi_core.services.workspace import Workspace

MOST_SHOWN, MOST_NAMES = 30, 3
NAME_WIDTH = 22  # characters of a type on a button


def draw(opened: Workspace) -> None:
    """Draw what is not done, folded in, by type; nothing where nobody said anything."""
    said = remarks.said(opened)
    if not said.items and not said.n_unreadable:
        return
    with st.expander(f"What colleagues said: {said.n_open} open", icon=":material/forum:"):
        st.caption("From the link for looking. Nothing here changes a label by itself.")
        if said.n_unreadable:
            st.caption(f"{count(said.n_unreadable, 'line')} of the comments cannot be read.")
        also = st.toggle("Also what is done", key="said-done")
        items = [item for item in said.items if also or not item.done]
        items.sort(key=lambda item: (item.done, item.subject.kind, item.subject.name))
        for item in items[:MOST_SHOWN]:
            _line(opened, item, "all")
        if items[MOST_SHOWN:]:
            st.caption(f"{len(items) - MOST_SHOWN:,} more after these are done.")


def of_types(opened: Workspace) -> None:
    """Draw the newest names proposed for types, to be taken or dismissed."""
    about = remarks.said(opened).open_about(remarks.TYPE)
    for item in [item for item in about if remarks.way_to_take(opened, item)][:MOST_NAMES]:
        _line(opened, item, "types")


def _line(opened: Workspace, item: Remark, where: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            comments.tell(item)
        if item.is_proposal:
            st.caption(md(comments.in_votes(item)), width="content")
        mask = remarks.cells_of(opened, item.subject)
        if mask is not None and st.button("Show these cells", key=f"said-show-{where}-{item.id}"):
            selection.pick(opened, state.tab(), mask)
            go(EXPLORE)
        if sharing.may_change(opened.id):
            _answers(opened, item, where)


def _answers(opened: Workspace, item: Remark, where: str) -> None:
    way = remarks.way_to_take(opened, item)
    if way and st.button(
        f"{'Merge into' if way == 'merge' else 'Rename to'} {md(short(item.text, NAME_WIDTH))}",
        key=f"said-take-{where}-{item.id}", help="One step of the labels: Undo takes it back.",
    ):  # fmt: skip
        do(lambda: remarks.take_name(opened, item.id))
    label = "Open again" if item.done else "Dismiss" if item.is_proposal else "Done"
    if st.button(label, key=f"said-done-{where}-{item.id}", type="tertiary"):
        do(lambda: remarks.mark_done(opened, item.id, done=not item.done))
