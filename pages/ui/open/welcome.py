"""What a newcomer wants to know before anything is opened."""

import streamlit as st

from scanvi_core.services.projects import library

NEEDED = (
    "**You need** counts per cell and gene (or log-normalized values, from which they can be "
    "worked out), and something known: at least two types with a few labeled cells each, or "
    "marker genes to begin with."
)
TIME = (
    "**It takes** ten minutes with the example. A few thousand cells train within a minute; most "
    "of the time you look at doubtful groups."
)
NOT = (
    "**It is not** an aligner or a cell caller, takes genes only, and knows no biology by itself: "
    "its names are proposals, each with how sure it is."
)
ASK = (
    "**Ask** who gave you this program, or in an issue where it is published; the questions "
    "others had are in `docs/pages/faq.md` there."
)


def draw() -> None:
    """Draw it below the line that says what the program does; folded in for who has projects."""
    with st.expander(
        "What you need, how long it takes, what it is not, where to ask",
        expanded=not library.listing(),
    ):
        st.markdown("\n".join(f"- {line}" for line in (NEEDED, TIME, NOT, ASK)))
