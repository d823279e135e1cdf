"""Starting from marker genes: which table, built in, pasted or uploaded, and how it is read."""

import streamlit as st

from pages.ui.frame.actions import do
from pages.ui.markers import score_form
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.labels import edit
from scanvi_core.services.markers import scoring, tables
from scanvi_core.services.markers.scoring import Question
from scanvi_core.services.markers.tables import MarkerTable
from scanvi_core.services.opinions import names
from scanvi_core.services.workspace import Workspace

BUILT_IN, PASTE, FILE = "Built in", "Paste", "A file"
EXAMPLE = "B cell: MS4A1, CD79A, CD3E-\nT cell: CD3D, CD3E\nclassical monocyte: CD14, LYZ, S100A8"
LARGEST_MB = 20


def draw(opened: Workspace) -> None:
    """Draw the choice of the table, the table as it was read, and what it says of the cells."""
    st.markdown(
        "Marker genes say which type each part of the data may be. That is an opinion, never a "
        "label: you name each group yourself, with one key where you agree."
    )
    way = st.segmented_control(
        "Where the marker genes come from", [BUILT_IN, PASTE, FILE], default=BUILT_IN,
        key="markers-source", required=True, label_visibility="collapsed",
    )  # fmt: skip
    _in_use(opened)
    try:
        table = {BUILT_IN: _built_in, PASTE: _pasted, FILE: _from_file}[way](opened)
        question = None if table is None else _as_meant(table)
        if question is not None:
            score_form.draw(opened, question)
    except ScanviError as error:
        st.error(error_text(error))


def _in_use(opened: Workspace) -> None:
    """Draw the marker genes whose opinion is in use, and the buttons that put it away."""
    for kept in scoring.in_use(opened):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"In use: {md(kept.name)}, {len(kept.label_names)} types.")
            if st.button(
                "Put away", key=f"markers-away-{kept.id}", type="tertiary",
                disabled=bool(edit.read_only(opened)),
                help="Nothing is offered by it any more. Labels stay.",
            ):  # fmt: skip
                do(lambda own=kept: names.remove(opened, own))  # type: ignore[misc]


def _built_in(opened: Workspace) -> MarkerTable | None:
    left, right = st.columns([1, 3], gap="medium")
    likely = tables.likely_species(opened)
    with left:
        species = st.segmented_control(
            "Species", [tables.HUMAN, tables.MOUSE], default=likely, key="markers-species",
            required=True, help="As the genes of the file are written.",
        )  # fmt: skip
    guess = tables.likely_tissue(opened, species)
    with right:
        tissue = st.pills(
            "Tissue", tables.TISSUES, key="markers-tissue",
            help="Types of several tissues can be kept together: score one, then another.",
        )  # fmt: skip
        if tissue is None:
            st.caption(
                f"The types seen in these cells are those of **{guess}**, it seems. Which is it?"
                if guess
                else "None of these tissues is recognized in the cells. Which is it?"
            )
            return None
    return tables.built_in(tissue, species)


def _pasted(opened: Workspace) -> MarkerTable | None:
    text = st.text_area(
        "Types and their marker genes", key="markers-pasted", placeholder=EXAMPLE, height=150,
        help="A line per type, or a table copied from a spreadsheet, long or wide. "
        "A minus behind a gene (CD3E-): the type does not show it.",
    )  # fmt: skip
    return tables.from_text(opened, text) if text.strip() else None


def _from_file(opened: Workspace) -> MarkerTable | None:
    st.markdown(
        "CSV, TSV, Excel (.xlsx), GMT or JSON; also the tables of Seurat's FindAllMarkers, "
        "scanpy's rank_genes_groups and ScType."
    )
    left, right = st.columns(2, gap="medium")
    file = left.file_uploader("Upload the table", key="markers-upload", max_upload_size=LARGEST_MB)
    path = right.text_input("or its path on this computer", key="markers-path")
    if file is not None:
        return tables.from_bytes(opened, file.name, file.read())
    return tables.from_path(opened, path) if path.strip() else None


def _as_meant(table: MarkerTable) -> Question | None:
    """Return the one way the table is read, as its owner says where there are several."""
    at: int | None = 0
    if len(table.readings) > 1:
        at = st.selectbox(
            "This table can be read in several ways. Which is meant?",
            range(len(table.readings)), index=None, key=f"markers-reading-{hash(table.readings)}",
            placeholder="Choose one",
            format_func=lambda place: _titled(table, place),
        )  # fmt: skip
    if at is None:
        return None
    reading = table.readings[at]
    if table.about.get("table") != "built in":
        st.caption(f"Read as: {md(reading.how)}.")
    for note in reading.notes:
        st.caption(f":orange[:material/info:] {md(note)}")
    about = table.about if len(table.readings) == 1 else {**table.about, "read as": reading.how}
    return scoring.Question(table.name, reading.types, about)


def _titled(table: MarkerTable, place: int) -> str:
    reading = table.readings[place]
    names = ", ".join(own.name for own in reading.types[:3])
    return f"{reading.how} ({len(reading.types)} types: {names}…)"
