"""Marker genes as they were read, what they say of the cells, and the button that keeps it."""

import streamlit as st

from pages.ui.cell_map import maps
from pages.ui.frame import jobs
from pages.ui.frame.actions import do
from pages.ui.frame.pages import REVIEW, go
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.labels import edit
from scanvi_core.services.markers import scoring, tables
from scanvi_core.services.markers.scoring import Opinion, Question
from scanvi_core.services.workspace import Workspace

ROW, TALLEST = 35, 320  # pixels


def draw(opened: Workspace, question: Question) -> None:
    """Draw the table as it was read; then, once scored, what it says."""
    _as_read(opened, question)
    opinion = scoring.answer(opened, question)
    if opinion is None:
        _score(opened, question)
        return
    _result(opened, question, opinion)


def _as_read(opened: Workspace, question: Question) -> None:
    found = tables.match(opened, question.types)
    table = tables.as_read(question.types, found, opened.dataset.symbols)
    st.caption(f"{count(len(table), 'type')}, {len(found.scored)} with two genes or more here")
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
    left, right = st.columns([2, 3], gap="medium")
    with left:
        table = scoring.summary(opinion)
        bar = st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f")
        st.dataframe(
            table, hide_index=True, height=min(TALLEST, ROW * (len(table) + 1) + 2),
            column_config={"strength": bar},
        )  # fmt: skip
    with right:
        colorings = scoring.colorings(opened, opinion, question.key)
        shown = st.segmented_control(
            "Color by", list(colorings), default=next(iter(colorings)), key="markers-color",
            required=True, label_visibility="collapsed",
        )  # fmt: skip
        maps.still(opened, colorings[shown], key="markers-map", height=TALLEST)
    _use(opened, question)


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
