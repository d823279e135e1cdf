"""Choosing the label column, and the table of types with what they are part of."""

from typing import Literal

import pandas as pd
import streamlit as st

from pages.ui.frame.actions import do
from pages.ui.labels import csv, names_table, pack, unlabeled_values
from pages.ui.markers import table_form
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, from_export, from_project, type_table
from scanvi_core.services.labels.names import reference_names
from scanvi_core.services.opinions import from_columns
from scanvi_core.services.viewing import remarks
from scanvi_core.services.workspace import Workspace

COLUMN, EMPTY, MARKERS = "A column of the file", "Start empty", "Marker genes"
EARLIER, EXPORTED, TABLE = "An earlier project", "An exported file", "A table (CSV)"
PACK = "A pack"
SOURCE = "label-source"  # the choice among them
SHOWN_COLUMNS = 8


def choose_source(opened: Workspace, *, begun: bool) -> None:
    """Draw the ways to bring labels, and the one chosen."""
    columns = from_columns.of_file(opened)
    told = from_columns.taken(opened, columns) | {
        found.column for found in from_columns.offered(columns)
    }
    every = edit.label_columns(opened)
    types, others = ([name for name in part if name not in told] for part in every)
    tools = [name for part in every for name in part if name in told]
    before = {} if begun else from_project.candidates(opened)
    packs = [PACK] if opened.current_run() is None else []
    more = [*packs, *([EARLIER] if before else []), *([] if begun else [EXPORTED])]
    way = st.segmented_control(
        "Where the labels come from", [COLUMN, EMPTY, MARKERS, TABLE, *more],
        default=COLUMN if types else EMPTY,
        key=SOURCE, required=True, label_visibility="collapsed",
    )  # fmt: skip
    if way == EARLIER:
        _from_earlier(opened, before)
    elif way == PACK:
        pack.draw(opened, primary=not begun)
    elif way == EXPORTED:
        _from_export(opened)
    elif way == MARKERS:
        table_form.draw(opened)
    elif way == TABLE:
        csv.draw(opened)
    elif way == COLUMN and types + others + tools:
        _from_column(opened, types, others, tools, begun=begun)
    else:
        _from_nothing(opened, [] if types else others, begun=begun)


def _from_nothing(opened: Workspace, others: list[str], *, begun: bool) -> None:
    st.markdown("Begin without labels and name cells below, by lasso, cluster or marker rule.")
    if others:
        st.caption(f"{_none_looks(others)} If one does hold cell types, choose “{COLUMN}”.")
    kind = _kind(primary=not begun)
    if st.button("Start empty", type=kind, key="start-empty", icon=":material/ink_pen:"):
        edit.start_empty(opened)
        st.rerun()


def _none_looks(others: list[str]) -> str:
    shown = ", ".join(md(name) for name in others[:SHOWN_COLUMNS])
    more = f" and {len(others) - SHOWN_COLUMNS} more" if others[SHOWN_COLUMNS:] else ""
    return f"These columns of the file do not look like cell types: {shown}{more}."


def _kind(*, primary: bool) -> Literal["primary", "secondary"]:
    return "primary" if primary else "secondary"


def _from_column(
    opened: Workspace, likely: list[str], others: list[str], tools: list[str], *, begun: bool
) -> None:
    """Draw the choice of the column, and the types it would bring; what tools wrote comes last."""
    left, right = st.columns([2, 3], gap="medium")
    with left:
        key = st.selectbox("Label column", [*likely, *others, *tools], key="labels-key")
        values = edit.column_values(opened, key)
        unlabeled, types = unlabeled_values.ask(values, f"unlabeled-{key}")
        label = "Use these labels again" if begun else "Use these labels"
        kind = _kind(primary=key in likely and not begun)
        meant = _reference_names(opened, key, types["value"].tolist())
        if key in others:
            st.caption(":orange[:material/info:] These values do not look like cell types.")
        if key in tools:
            st.caption(":orange[:material/info:] A tool predicted these: an opinion, not labels.")
        if st.button(label, type=kind, key="use-labels", icon=":material/label:"):
            do(lambda: edit.use_column(opened, key, unlabeled, meant))
        if begun:
            st.caption("Using a column again replaces the labels; Undo twice brings them back.")
    with right:
        st.caption(
            f"{count(len(types), 'type')}, {count(int(types['cells'].sum()), 'labeled cell')}"
        )
        st.dataframe(types, hide_index=True, height=220)


def _reference_names(opened: Workspace, key: str, types: list[str]) -> dict[str, str]:
    """Draw what the names mean that only references use; return the types by the names."""
    table = reference_names.table(opened, key)
    if table.empty:
        return {}
    st.markdown("**Names that only the references use**")
    meant = names_table.edit(table, types, key=f"reference-{key}")
    return {own: here for own, here in meant.items() if here}


def _from_earlier(opened: Workspace, names: dict[str, str]) -> None:
    """Draw the choice of the project whose labels are wanted again, and how many were found."""
    st.markdown(
        "For another version of a file you have labeled before: cells may be in another order, "
        "some may be gone or new. Labels come with their whole history."
    )
    chosen = st.selectbox("Project", list(names), format_func=names.__getitem__, key="earlier")
    try:
        if chosen is not None and st.toggle("Look for its cells here", key="earlier-look"):
            _say_found(from_project.find(chosen, opened))
            if st.button("Take over its labels", key="take-earlier", type="primary"):
                from_project.take_over(chosen, opened)
                st.rerun()
    except ScanviError as error:
        st.error(error_text(error))


def _from_export(opened: Workspace) -> None:
    """Draw the choice of a file from the Export page, which carries labels with their history."""
    st.markdown("Every file from the Export page holds the labels with their whole history.")
    path = st.text_input(
        "Path of the exported .h5ad file", key="exported-path",
        placeholder="Leave empty for the file that is open here",
    )  # fmt: skip
    try:
        if st.toggle("Look for its cells here", key="exported-look"):
            carried = from_export.find(opened, path)
            st.markdown(f"It holds {count(len(carried.lines), 'step')} of labeling.")
            _say_found(carried.found)
            if st.button("Take over its labels", key="take-exported", type="primary"):
                from_export.take_over(opened, path)
                st.rerun()
    except ScanviError as error:
        st.error(error_text(error))


def _say_found(found: from_project.Found) -> None:
    st.markdown(
        f"{count(found.by_name, 'cell')} found by name, {found.by_counts:,} by their "
        f"counts, {found.new:,} of this file are new."
    )


def draw_types(opened: Workspace) -> None:
    """Draw the table of types; broader types and expected shares can be edited and saved."""
    table = remarks.types_with_remarks(opened)
    edited = st.data_editor(
        table, hide_index=True, key=f"types-{hash(tuple(table['type']))}",
        disabled=["type", "labeled", "set aside", "term", "note", "remarks"], placeholder="",
        column_config={
            "part of": st.column_config.TextColumn(
                help="The broader type it is one of, such as T cell; several with ; between. "
                "Cells that only have the broader name then teach that they are one of its "
                "types. Optional."),
            "expected share": st.column_config.NumberColumn(
                min_value=0.0, format="%.3g",
                help="How common you expect the type to be. Empty: all equally. Optional."),
            "remarks": st.column_config.NumberColumn(
                width=70, help="How much colleagues said of it that is not done; see above."),
            "term": st.column_config.TextColumn(
                help="Its id in the Cell Ontology. Close: the name may mean other cells as well."),
        },
    )  # fmt: skip
    if not edited.equals(table) and st.button(
        "Save these changes", type="primary", key="save-types"
    ):
        _save(opened, edited)


def _save(opened: Workspace, edited: pd.DataFrame) -> None:
    above = edited[["type", "part of"]].dropna()
    shares = edited[["type", "expected share"]].dropna()
    try:
        edit.set_parents(opened, type_table.parents_of(above))
        edit.set_prior(opened, dict(shares.to_numpy()))
    except ScanviError as error:
        st.error(error_text(error))
        return
    st.rerun()
