"""The stations of the loop, in the order a biologist walks them."""

from dataclasses import dataclass
from typing import Literal

import streamlit as st

SCREENS = "pages/screens"


@dataclass(frozen=True)
class Station:
    """One page of the app."""

    slug: str
    title: str
    icon: str

    @property
    def path(self) -> str:
        """Return the script's path, as Streamlit's page functions want it."""
        return f"{SCREENS}/{self.slug}.py"


OPEN = Station("open", "Open", ":material/folder_open:")
CHECK = Station("check", "Check data", ":material/fact_check:")
LABELS = Station("labels", "Labels", ":material/label:")
TRAIN = Station("train", "Train", ":material/model_training:")
EXPLORE = Station("explore", "Explore", ":material/scatter_plot:")
REVIEW = Station("review", "Review", ":material/rate_review:")
EVALUATE = Station("evaluate", "Evaluate", ":material/analytics:")
EXPORT = Station("export", "Export", ":material/download:")
HISTORY = Station("history", "History", ":material/history:")

STATIONS = (OPEN, CHECK, LABELS, TRAIN, EXPLORE, REVIEW, EVALUATE, EXPORT, HISTORY)


def go(station: Station) -> None:
    """Switch to another page."""
    st.switch_page(station.path)


def next_button(station: Station, label: str, *, primary: bool = True) -> None:
    """Draw the button that leads to the next station."""
    kind: Literal["primary", "secondary"] = "primary" if primary else "secondary"
    if st.button(label, type=kind, key=f"next-{station.slug}", icon=":material/arrow_forward:"):
        go(station)
