"""What a click asks for: done and shown, or said in words why not."""

from collections.abc import Callable

import streamlit as st

from pages.ui.text import error_text
from scanvi_core.errors import ScanviError


def do(action: Callable[[], object]) -> None:
    """Do `action` and draw the page anew; where it cannot be done, say why in its place."""
    try:
        action()
    except ScanviError as error:
        st.error(error_text(error))
    else:
        st.rerun()
