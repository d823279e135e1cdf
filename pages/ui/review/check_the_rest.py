"""The click that measures a model in the batches that no held-out cell is of."""

import streamlit as st

from pages.ui.frame import state, where_measured
from pages.ui.frame.pages import REVIEW, go
from pages.ui.review import tabs
from pages.ui.text import md
from scanvi_core.services.formatting import count
from scanvi_core.services.review import measured, random_check
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace) -> None:
    """Warn that the score is not that of all batches, and offer cells at random of the others."""
    known = random_check.random_check(measured.without_refit(opened))
    if not where_measured.warn(opened) or known is None:
        return
    left = known.n_missing
    words = f"Check {count(left, 'cell')}{known.of} at random" if left else "Check more at random"
    if st.button(md(words), key="check-the-rest", icon=":material/casino:"):
        state.set_widget(tabs.TAB, tabs.RANDOM_CHECK)
        go(REVIEW)
