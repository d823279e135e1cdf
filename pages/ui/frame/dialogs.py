"""Dialogs that stay open while the page behind them is drawn anew, until answered or closed.

Work that ends in the background draws the page again; a dialog that a button alone had opened
would be gone then, and what is being written would go to the keys of the page.
"""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from pages.ui.frame import state

OPEN = "dialog"  # the name of the open one; there is one at a time
DRAWN, PAGE = "dialog-drawn", "dialog-page"  # the one of this drawing; the page it belongs to


def ask(name: str) -> None:
    """Open a dialog with the next drawing of the page (inside callbacks)."""
    state.remember(OPEN, name)


def close() -> None:
    """Close the open dialog with the next drawing of the page."""
    state.forget(OPEN)


def begin(page: str) -> None:
    """Begin to draw a page; on another one than before nothing is open."""
    state.forget(DRAWN)
    if state.recall(PAGE) != page:
        state.remember(PAGE, page)
        close()


def end() -> None:
    """End the drawing of a page: what it did not draw is closed, as for a card that is gone."""
    if state.recall(OPEN) != state.recall(DRAWN):
        close()


def redraw() -> None:
    """Draw the page anew, for work that has ended; not while a dialog is open.

    What is being written there would be lost. Who polls comes here again.
    """
    if state.recall(OPEN) is None:
        st.rerun()


def draw(
    name: str, title: str, content: Callable[..., None], *arguments: Any,
    width: Literal["small", "large"] = "small",
) -> None:  # fmt: skip
    """Draw a dialog if it is the open one."""
    if state.recall(OPEN) == name:
        state.remember(DRAWN, name)
        st.dialog(title, width=width, on_dismiss=close)(content)(*arguments)
