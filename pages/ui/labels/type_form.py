"""Changing the types themselves: add, rename or merge, split, color, delete."""

import streamlit as st

from pages.ui.frame.actions import do
from pages.ui.frame.name_box import name_box
from pages.ui.labels import split_form
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import Workspace

ADD, RENAME, SPLIT, COLOR, DELETE = "Add", "Rename or merge", "Split", "Color", "Delete"


def draw(opened: Workspace) -> None:
    """Draw the choice of what to change, folded in, and its one form."""
    types = opened.labels().active
    with st.expander("Change the types"):
        what = st.segmented_control(
            "What to change", [ADD, RENAME, SPLIT, COLOR, DELETE], default=RENAME,
            key="type-change", required=True, label_visibility="collapsed",
        )  # fmt: skip
        if what == ADD:
            _add(opened)
        elif what and types:
            chosen = st.selectbox("Type", types, key="type-to-change")
            if chosen is not None:
                {RENAME: _rename, SPLIT: split_form.draw, COLOR: _color, DELETE: _delete}[what](
                    opened, chosen
                )


def _add(opened: Workspace) -> None:
    with st.form("add-type", border=False, clear_on_submit=True):
        name = name_box("Name of the new type", [], "new-type")
        if st.form_submit_button("Add this type") and name:
            do(lambda: edit.add_type(opened, name))


def _rename(opened: Workspace, chosen: str) -> None:
    with st.form("rename-type", border=False):
        others = [name for name in opened.labels().active if name != chosen]
        name = name_box(
            "New name", others, f"new-name-{hash(chosen)}",
            help="The name of another type merges the two.",
        )  # fmt: skip
        if st.form_submit_button("Rename or merge") and name and name != chosen:
            do(lambda: edit.rename(opened, chosen, name))


def _color(opened: Workspace, chosen: str) -> None:
    with st.form("color-type", border=False):
        now = opened.labels().colors.get(chosen, "#4477aa")
        color = st.color_picker("Color", now)
        if st.form_submit_button("Use this color"):
            do(lambda: edit.recolor(opened, chosen, color))


def _delete(opened: Workspace, chosen: str) -> None:
    n = opened.labels().counts.get(chosen, 0)
    if st.button(f"Delete it; {n:,} cells lose their label", key="delete-type"):
        do(lambda: edit.delete_type(opened, chosen))
