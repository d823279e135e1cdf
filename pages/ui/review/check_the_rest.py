"""The click that measures a model in the batches that no held-out cell is of."""

import streamlit as st

from pages.ui.frame import state, where_measured
from pages.ui.frame.pages import REVIEW, go
from pages.ui.review import tabs
from pages.ui.text import md
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.formatting import count
from scanvi_core.services.review import measured, random_check
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace) -> None:
    """Warn that the score is not that of all batches, and offer cells at random of the others."""
    known = random_check.random_check(measured.without_refit(opened))
    if not where_measured.warn(opened) or known is None:
        return
    left, first = known.n_missing, is_due(opened)
    words = f"Check {count(left, 'cell')}{known.of} at random" if left else "Check more at random"
    if st.button(
        md(words), key="check-the-rest", icon=":material/casino:",
        type="primary" if first else "secondary",
    ):  # fmt: skip
        state.set_widget(tabs.TAB, tabs.RANDOM_CHECK)
        go(REVIEW)


def is_due(opened: Workspace) -> bool:
    """Tell whether batches are not measured that a check could tell of: then it comes first."""
    if not measured_batches.sentence(opened):
        return False
    known = random_check.random_check(measured.without_refit(opened))
    return known is not None and bool(known.batches) and known.n_missing > 0
