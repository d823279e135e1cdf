"""Labels from a table (CSV) with one line per cell: choose it, see how it fits, take it."""

from typing import IO

import streamlit as st

from pages.ui.frame.actions import do
from pages.ui.labels import unlabeled_values
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import from_csv
from scanvi_core.services.labels.from_csv import LabelTable, Match
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace) -> None:
    """Draw the choice of the table, how its cells match those here, and the button."""
    st.markdown(
        "A table with one line per cell: its name and its label, such as the labels.csv of the "
        "Export page. Cells are found by their names, in any order."
    )
    left, right = st.columns(2, gap="medium")
    file = left.file_uploader("Upload the table", key="csv-upload", max_upload_size=500)
    path = right.text_input("or its path on this computer", key="csv-path")
    try:
        table = _read(opened, file, path)
        if table is not None:
            _offer(opened, table)
    except ScanviError as error:
        st.error(error_text(error))


def _read(opened: Workspace, file: IO[bytes] | None, path: str) -> LabelTable | None:
    if file is not None:
        return from_csv.from_bytes(opened, file.name, file.read())
    return from_csv.from_path(opened, path) if path.strip() else None


def _offer(opened: Workspace, table: LabelTable) -> None:
    columns = from_csv.label_columns(table)
    if not columns:
        st.warning(f"{md(table.name)} has no column that looks like cell types.")
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        column = st.selectbox("Column with the labels", columns, key="csv-column")
        values = from_csv.values(table, column)
        unlabeled, types = unlabeled_values.ask(values, f"csv-unlabeled-{column}")
        _report(from_csv.match(opened, table, column, unlabeled))
        agreed = not table.differing or st.checkbox(
            f"The names differ by an ending: {md(table.differing)}. These are the same cells.",
            key="csv-endings",
        )
        if st.button(
            "Use these labels", type="primary", key="csv-use", icon=":material/label:",
            disabled=not agreed,
        ):  # fmt: skip
            do(
                lambda: from_csv.take_over(
                    opened, table, column, unlabeled, endings_differ=bool(agreed)
                )
            )
    with right:
        st.dataframe(types, hide_index=True, height=260)


def _report(match: Match) -> None:
    """Say how the table fits."""
    first = f"**{match.found:,}** cells found by name, **{match.labeled:,}** of them with a label"
    sentences = [f"{first} of {count(match.types, 'type')}."]
    if match.without_line:
        sentences.append(f"{count(match.without_line, 'cell')} here without a line in the table.")
    if match.strange:
        such = ", ".join(md(name) for name in match.examples)
        sentences.append(
            f"{count(match.strange, 'line')} of cells that are not here, such as {such}."
        )
    if match.repeated:
        sentences.append(f"{count(match.repeated, 'line')} left out: their cell is there twice.")
    st.markdown("\n".join(f"- {line}" for line in sentences))
