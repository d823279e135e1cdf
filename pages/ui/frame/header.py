"""The title of a page, with the next one always in the same place."""

import streamlit as st

from pages.ui.frame.pages import Page, next_button


def draw(title: str, *nexts: tuple[Page, str], primary: bool = True) -> None:
    """Draw the title; to its right the buttons that lead on, the likeliest first.

    Without `primary` the page has a likelier button of its own.
    """
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute",
        key="page-header",
    ):  # fmt: skip
        st.title(title, anchor=False, width="content")
        if nexts:
            with st.container(horizontal=True, width="content"):
                for i, (page, label) in enumerate(nexts):
                    next_button(page, label, primary=primary and i == 0)
