"""The choice of labels to set aside."""

import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from scanvi_core import config
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import holdout
from scanvi_core.services.projects import data_report
from scanvi_core.services.workspace import Workspace

ASIDE_FIRST = "aside-first"  # a wish of this tab
WAYS = {
    "A share of every type": holdout.CELLS,
    "Whole donors or samples": holdout.HIDDEN,
    "Nothing": holdout.NONE,
}
NOW = {
    holdout.HIDDEN: " They are whole donors, whose counts stay in training.",
    holdout.GROUP: " They are whole donors, left out of training altogether.",
}
MEANING = {
    holdout.CELLS: "How often the model is right on cells like those you labeled.",
    holdout.HIDDEN: "How often it is right on a donor of whom no cell was labeled: harder, and "
    "closer to what new samples will meet.",
    holdout.NONE: "All labels train the model; only random checks on Review can tell how good it "
    "is.",
}


def is_asked_for(opened: Workspace) -> bool:
    """Tell whether Evaluate led here to set labels aside, which was not done yet."""
    if opened.labels().holdout.any():
        state.forget(ASIDE_FIRST)
    return bool(state.recall(ASIDE_FIRST))


def draw(opened: Workspace) -> None:
    """Draw what is set aside and the form to change it."""
    labels = opened.labels()
    n = int((labels.holdout & (labels.codes >= 0)).sum())
    st.markdown(
        f"**{count(n, 'labeled cell')}** set aside. The model never sees these labels, so "
        f"Evaluate can say how often it is right.{NOW.get(holdout.how_now(opened), '')}"
        if n
        else "Nothing is set aside: nobody will be able to say how often the model is right."
    )
    if opened.current_run() is not None:
        st.caption("The current model was scored with the choice made before it was trained.")
    with st.expander("Change"):
        way = WAYS[st.radio("What to set aside", list(WAYS), key="holdout-how")]
        st.caption(MEANING[way])
        request = _request(opened, way)
        if st.button("Set aside", key="set-aside", disabled=request is None) and request:
            do(lambda: holdout.set_aside(opened, request))


def _request(opened: Workspace, way: str) -> holdout.HoldoutRequest | None:
    if way == holdout.CELLS:
        share = st.slider(
            "Share of each type with 10 labeled cells or more", 5, 50,
            round(100 * config.HOLDOUT_FRACTION), 5, format="%d %%", key="holdout-share",
        )  # fmt: skip
        return holdout.HoldoutRequest(way, share / 100)
    if way == holdout.NONE:
        return holdout.HoldoutRequest(way)
    return _donors(opened)


def _donors(opened: Workspace) -> holdout.HoldoutRequest | None:
    """Draw the choice of donors; None until one is chosen."""
    columns = data_report.batch_columns(opened)
    if not columns:
        st.caption("The file has no column that tells donors apart.")
        return None
    column = st.selectbox("Column with the donors", columns, key="holdout-column")
    table = data_report.batch_table(opened, column).set_index("batch")
    labeled = table["labeled"].to_dict()
    values = st.multiselect(
        "Donors to set aside", [name for name, n in labeled.items() if n],
        format_func=lambda name: f"{name} ({count(labeled[name], 'labeled cell')})",
        key="holdout-values",
    )  # fmt: skip
    out = st.checkbox(
        "Leave their cells out of training altogether",
        help="Off: the model reads their counts without labels, as it would those of any "
        "unlabeled cell. On: as if they had been measured after training.",
        key="holdout-out",
    )
    if not values:
        return None
    how = holdout.GROUP if out else holdout.HIDDEN
    return holdout.HoldoutRequest(how, column=column, values=tuple(values))
