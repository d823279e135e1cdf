"""A warning that the score of a model is not that of all batches."""

import streamlit as st

from pages.ui.text import md
from scanvi_core.services.review import measured
from scanvi_core.services.workspace import Workspace


def warn(opened: Workspace) -> bool:
    """Say where the model was measured and where not, if there is such a place; tell if so."""
    where = measured.sentence(measured.without_refit(opened))
    if where:
        st.warning(md(where), icon=":material/warning:")
    return bool(where)
