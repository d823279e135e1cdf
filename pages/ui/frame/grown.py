"""Files were added to a project: what its labels and its model do not know yet."""

import streamlit as st

from pages.ui.frame.pages import TRAIN, next_button
from scanvi_core.services.formatting import count
from scanvi_core.services.projects.joining import grown
from scanvi_core.services.workspace import Workspace


def note(opened: Workspace, *, leads: bool = True) -> None:
    """Say what is to be done after files were added, until a model was trained on all cells.

    With `leads` and labels to learn from there is the way to Train.
    """
    seen = grown.grown(opened)
    if seen is None:
        return
    came = f"{count(seen.n_new, 'cell')} came with the files you added. " if seen.n_new else ""
    model = (
        "The model of before does not know the new cells and stays with the project of before: "
        "train again here."
        if seen.had_model
        else "No model knows these cells yet: train one here."
    )
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="grown"):
        st.markdown(
            f":blue[:material/library_add:] {came}Without a label: "
            f"**{count(seen.n_unlabeled, 'cell')}** of {opened.dataset.n_obs:,}. {model}"
        )
        if leads and seen.n_unlabeled < opened.dataset.n_obs:
            next_button(TRAIN, "Train", primary=False)
