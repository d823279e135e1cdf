"""The box in which cells get a name, with the names somebody may have meant."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui.text import md
from scanvi_core.services.labels.names import completions


def name_box(label: str, known: Sequence[str], key: str, **more: Any) -> str | None:
    """Draw the box; return the name that was chosen or typed, None for none.

    It completes the types here and the names of the Cell Ontology; any other name may be typed.
    """
    chosen: str | None = st.selectbox(
        label, completions.completions(known), index=None, key=key, accept_new_options=True,
        placeholder="Choose or type a name", **more,
    )  # fmt: skip
    return None if chosen is None else completions.name_of(chosen, known)


def near_note(name: str | None, known: Sequence[str]) -> None:
    """Say which known names are near a new one, and what it is in the Cell Ontology."""
    if not name or name in known:
        return
    near, there = completions.near(name, known), completions.in_ontology(name)
    told = [f"Near it: {md(', '.join(near))}."] if near else []
    told += [f"In the Cell Ontology: {md(there)}."] if there else []
    if told:
        st.caption(f"**{md(name)}** is a new type. {' '.join(told)}")
