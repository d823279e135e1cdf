"""The box in which cells get a name, with the names somebody may have meant."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.ui.text import md
from scanvi_core.services.labels.near_names import near_names


def name_box(label: str, known: Sequence[str], key: str, **more: Any) -> str | None:
    """Draw the box; return the name that was chosen or typed, None for none."""
    name: str | None = st.selectbox(
        label, known, index=None, key=key, accept_new_options=True,
        placeholder="Choose or type a name", **more,
    )  # fmt: skip
    return name


def near_note(name: str | None, known: Sequence[str]) -> None:
    """Say which known names are near a new one, if there are any."""
    near = near_names(name, known) if name else []
    if near:
        st.caption(f"**{md(str(name))}** is a new type. Near it: {md(', '.join(near))}.")
