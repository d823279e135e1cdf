"""The pages of the app, in the order a biologist walks them."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

SCREENS = "pages/screens"


@dataclass(frozen=True)
class Page:
    """One page of the app."""

    slug: str
    title: str
    icon: str

    @property
    def path(self) -> str:
        """Return the script's path, as Streamlit's page functions want it."""
        return f"{SCREENS}/{self.slug}.py"


OPEN = Page("open", "Open", ":material/folder_open:")
CHECK = Page("check", "Check data", ":material/fact_check:")
LABELS = Page("labels", "Labels", ":material/label:")
TRAIN = Page("train", "Train", ":material/model_training:")
EXPLORE = Page("explore", "Explore", ":material/scatter_plot:")
REVIEW = Page("review", "Review", ":material/rate_review:")
EVALUATE = Page("evaluate", "Evaluate", ":material/analytics:")
EXPORT = Page("export", "Export", ":material/download:")
HISTORY = Page("history", "History", ":material/history:")

LOOK = Page("look", "Look", ":material/visibility:")  # by a link alone: in no menu

PAGES = (OPEN, CHECK, LABELS, TRAIN, EXPLORE, REVIEW, EVALUATE, EXPORT, HISTORY)


def go(page: Page) -> None:
    """Switch to another page."""
    st.switch_page(page.path)


def next_button(page: Page, label: str, *, primary: bool = True) -> None:
    """Draw the button that leads to the next page."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=kind, key=f"next-{page.slug}", icon=":material/arrow_forward:"):
        go(page)
