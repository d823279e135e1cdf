"""A project that can only be read says so."""

import streamlit as st

from pages.ui.text import md
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import Workspace


def note(opened: Workspace) -> bool:
    """Say why nothing can be saved, if so; return whether saving is possible."""
    reason = edit.read_only(opened)
    if reason:
        st.warning(f"You can look, but not change anything: nothing can be saved. {md(reason)}")
    return not reason
