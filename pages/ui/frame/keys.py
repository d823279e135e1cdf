"""Keys of buttons: they work on the page only, not while something is written or chosen."""

import streamlit as st

from scanvi_core import runtime

_guard = st.components.v2.component(
    "keys", js=(runtime.APP / "assets" / "keys.js").read_text(encoding="utf-8")
)


def guard() -> None:
    """Keep the keys of buttons from what is written in boxes, tables and dialogs."""
    _guard(key="keys-guard")
