"""The choice of labels to set aside."""

import streamlit as st

from pages.ui.text import count, error_text
from scanvi_core import config
from scanvi_core.errors import ScanviError
from scanvi_core.services import checking, holdout, workspace

WAYS = {
    "A share of every type": holdout.CELLS,
    "Whole donors or samples": holdout.GROUP,
    "Nothing": holdout.NONE,
}


def draw(project: str) -> None:
    """Draw what is set aside and the form to change it."""
    opened = workspace.workspace(project)
    labels = opened.labels()
    n = int((labels.holdout & (labels.codes >= 0)).sum())
    st.markdown(
        f"**{count(n, 'labelled cell')}** set aside. The model never sees these labels, so "
        "Evaluate can say how often it is right."
        if n
        else "Nothing is set aside: there will be no honest score."
    )
    if opened.current_run() is not None:
        st.caption("The current model was scored with the choice made before it was trained.")
    with st.expander("Change"):
        way = WAYS[st.radio("What to set aside", list(WAYS), key="holdout-how")]
        request = _request(project, way)
        if st.button("Set aside", key="set-aside"):
            try:
                holdout.set_aside(project, request)
            except ScanviError as error:
                st.error(error_text(error))
            else:
                st.rerun()


def _request(project: str, way: str) -> holdout.HoldoutRequest:
    if way == holdout.CELLS:
        share = st.slider(
            "Share of each type with 10 labelled cells or more", 5, 50,
            round(100 * config.HOLDOUT_FRACTION), 5, format="%d %%", key="holdout-share",
        )  # fmt: skip
        return holdout.HoldoutRequest(way, share / 100)
    if way == holdout.NONE:
        return holdout.HoldoutRequest(way)
    columns = checking.batch_columns(project)
    column = st.selectbox("Column with the donors", columns, key="holdout-column")
    if column is None:
        return holdout.HoldoutRequest(holdout.NONE)
    names = checking.batch_table(project, column)["batch"].tolist()
    values = st.multiselect("Donors that leave training", names, key="holdout-values")
    return holdout.HoldoutRequest(way, column=column, values=tuple(values))
