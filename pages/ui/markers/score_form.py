"""Marker genes as they were read, what they say of the cells, and the button that keeps it."""

import pandas as pd
import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.frame import jobs
from pages.ui.frame.actions import do
from pages.ui.frame.pages import REVIEW, go
from pages.ui.text import error_text, md
from scanvi_core.colors import type_color
from scanvi_core.errors import ScanviError
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.labels import edit
from scanvi_core.services.markers import scoring, tables
from scanvi_core.services.markers.scoring import Opinion, Question
from scanvi_core.services.workspace import Workspace

ROW, TALLEST = 35, 320  # pixels
DOT = "\u2b24"
STRENGTH = (
    "How sure the markers are of the type, on average, from 0.5 (as likely as all other types and "
    "none together) to 1."
)


def draw(opened: Workspace, question: Question) -> None:
    """Draw the table as it was read; once the cells are scored, first what it says of them."""
    opinion = scoring.answer(opened, question)
    if opinion is None:
        _score(opened, question)
        _as_read(opened, question)
        return
    _result(opened, question, opinion)
    with st.expander("The markers as they were read"):
        _as_read(opened, question)


def _as_read(opened: Workspace, question: Question) -> None:
    found = tables.match(opened, question.types)
    table = tables.as_read(question.types, found, opened.dataset.symbols)
    n = count(len(table), "type")
    st.caption(f"{n}, of which {len(found.scored)} have two genes or more in these data.")
    st.dataframe(table, hide_index=True, height=min(TALLEST, ROW * (len(table) + 1) + 2))
    for remark in tables.remarks(found):
        st.caption(md(remark))
    if sources := question.about.get("sources"):
        st.caption(f"Compiled by this project from common knowledge (CC0). See {md(sources)}.")


def _score(opened: Workspace, question: Question) -> None:
    job = jobs.latest(opened.id, scoring.MARKERS)
    if job is not None:
        jobs.show(job, can_stop=True)
        if not job.status.final:
            return
    closed = bool(edit.read_only(opened))
    if st.button(
        "Score the cells", type="primary", key="markers-score", icon=":material/query_stats:",
        disabled=closed,
    ):  # fmt: skip
        do(lambda: scoring.start(opened, question))


def _result(opened: Workspace, question: Question, opinion: Opinion) -> None:
    said = float((opinion.labels >= 0).mean())
    st.markdown(
        f"**{md(opinion.name)}** says something of **{percent(said)}** of the cells; of the "
        "others no type is as likely as all the rest together."
    )
    colorings = scoring.colorings(opened, opinion, question.key)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _types(scoring.summary(opinion), colorings[scoring.TYPE])
    with right:
        shown = st.segmented_control(
            "Color by", list(colorings), default=scoring.TYPE, key="markers-color",
            required=True, label_visibility="collapsed",
        )  # fmt: skip
        maps.still(opened, colorings[shown], key="markers-map", height=TALLEST)
    _use(opened, question)


def _types(table: pd.DataFrame, coloring: Coloring) -> None:
    """Draw the types with their numbers of cells, each beside its color on the map."""
    places = dict(zip(coloring.names, coloring.places, strict=True))
    table.insert(0, "", DOT)
    inks = [f"color: {type_color(places[name])}" for name in table["type"]]
    st.dataframe(
        table.style.apply(lambda _column: inks, subset=[""]),
        hide_index=True, height=min(TALLEST, ROW * (len(table) + 1) + 2),
        column_config={
            "": st.column_config.Column(width=30),
            "strength": st.column_config.NumberColumn(format="%.2f", help=STRENGTH),
        },
    )  # fmt: skip


def _use(opened: Workspace, question: Question) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Use as opinion, and name the groups", type="primary", key="markers-use",
            icon=":material/arrow_forward:", disabled=bool(edit.read_only(opened)),
        ):  # fmt: skip
            try:
                scoring.use(opened, question)
            except ScanviError as error:
                st.error(error_text(error))
            else:
                go(REVIEW)
        st.caption("No cell gets a label by this.")
