"""What other tools say of the cells: columns offered, what their names mean, how right it is."""

from functools import partial

import streamlit as st

from pages.ui.frame import state
from pages.ui.frame.actions import do
from pages.ui.frame.pages import REVIEW, go
from pages.ui.labels import form, names_table
from pages.ui.text import error_text, md
from scanvi_core.errors import ScanviError
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import edit, from_csv
from scanvi_core.services.labels.from_csv import LabelTable
from scanvi_core.services.opinions import from_columns, kept, names, reliability
from scanvi_core.services.opinions.from_columns import Columns
from scanvi_core.services.opinions.names import Opinion
from scanvi_core.services.projects import sharing
from scanvi_core.services.workspace import Workspace

COLUMN, TABLE = "A column of the file", "A table (CSV)"
WHAT = (
    "They are no labels: they propose names, and the next model heeds each as far as your labels "
    "show it to be right."
)


def offer(opened: Workspace) -> None:
    """Offer the columns that tools wrote and that were not taken yet; nothing without any."""
    found = from_columns.fresh(opened, from_columns.of_file(opened))
    if not found or kept.kept(opened) or not sharing.may_change(opened.id):
        return
    best = from_columns.best_of_each(found)
    tools = " and ".join(one.tool.name for one in best)
    with st.container(border=True, key="opinions-offer"):
        st.markdown(f"**This file has opinions of {md(tools)}.** {WHAT}")
        chosen = st.multiselect(
            "Columns", [one.column for one in found], [one.column for one in best],
            key="opinion-columns", label_visibility="collapsed", placeholder="none",
        )  # fmt: skip
        if st.button(
            f"Use {'it as an opinion' if len(chosen) == 1 else 'them as opinions'}",
            key="use-opinions", icon=":material/forum:", disabled=not chosen,
        ):  # fmt: skip
            state.set_widget(form.SOURCE, form.EMPTY)  # they were among the label columns
            _take(opened, from_columns.of_file(opened), chosen)


def draw(opened: Workspace) -> None:
    """Draw the opinions that were taken, and the ways to take more."""
    every = kept.kept(opened)
    if every:
        st.header("What other tools say")
        st.caption(WHAT)
        if not opened.labels().seq:
            _begin(opened)
    for one in every:
        _opinion(opened, one)
    with st.expander("Take another column or table as an opinion" if every
                     else "Take what another tool says as an opinion"):  # fmt: skip
        _more(opened)


def _begin(opened: Workspace) -> None:
    """Offer the way on without any label."""
    if st.button(
        "Start empty and name groups on Review", type="primary", key="start-with-opinions",
        icon=":material/arrow_forward:", disabled=not sharing.may_change(opened.id),
    ):  # fmt: skip
        edit.start_empty(opened)
        go(REVIEW)


def _opinion(opened: Workspace, one: Opinion) -> None:
    """Draw what the names of an opinion mean here, and how often each was right."""
    meant = sum(bool(one.names.get(name)) for name in one.label_names)
    n = count(int((one.labels >= 0).sum()), "cell")
    closed = not sharing.may_change(opened.id)
    with st.expander(
        f"**{md(one.name)}**: {n}, {meant} of {count(len(one.label_names), 'name')} "
        "with a type here",
        key=f"opinion-{one.id}",
    ):
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown("**What its names mean here**")
            names_table.draw(
                names.table(opened, one), names.choices(opened, one),
                partial(names.save, opened, one), key=f"names-{one.id}", closed=closed,
            )  # fmt: skip
        with right:
            st.markdown("**How often it is right where it says so**")
            _record(opened, one)
        if st.button("Remove it", key=f"remove-{one.id}", disabled=closed,
                     help="Labels that you gave by its help stay."):  # fmt: skip
            do(lambda: names.remove(opened, one))


def _record(opened: Workspace, one: Opinion) -> None:
    table = reliability.table(opened, one)
    if table.empty:
        st.caption("Nothing judges it yet: name some cells on Review.")
        return
    share = st.column_config.NumberColumn(
        format="%.0f %%",
        help="How often it is right, by these counts and those of its other types.",
    )
    st.dataframe(table, hide_index=True, column_config={"expect": share})


def _more(opened: Workspace) -> None:
    """Draw the choice of another column, of the file or of a table."""
    way = st.segmented_control("Where it is", [COLUMN, TABLE], default=COLUMN, required=True,
                               key="opinion-source", label_visibility="collapsed")  # fmt: skip
    try:
        table = _table(opened) if way == TABLE else None
        if way == TABLE and table is None:
            return
        columns = from_columns.of_table(table) if table else from_columns.of_file(opened)
        agreed = table is None or _agreed(table)
        _choose(opened, columns, agreed=agreed)
    except ScanviError as error:
        st.error(error_text(error))


def _choose(opened: Workspace, columns: Columns, *, agreed: bool) -> None:
    likely = [one.column for one in from_columns.fresh(opened, columns)]
    options = [*likely, *(name for name in columns.texts if name not in likely)]
    if not options:
        st.caption("There is no column with names.")
        return
    column = st.selectbox("Column with the names", options, key="opinion-column", width=400)
    closed = not agreed or not sharing.may_change(opened.id)
    if st.button(
        "Use it as an opinion", key="use-opinion", icon=":material/forum:", disabled=closed
    ):
        _take(opened, columns, [column])


def _table(opened: Workspace) -> LabelTable | None:
    st.caption("A table with one line per cell: its name, and what the tool says of it.")
    file = st.file_uploader("Upload the table", key="opinion-upload", max_upload_size=500)
    return None if file is None else from_csv.from_bytes(opened, file.name, file.read())


def _agreed(table: LabelTable) -> bool:
    return not table.differing or st.checkbox(
        f"The names differ by an ending: {md(table.differing)}. These are the same cells.",
        key="opinion-endings",
    )


def _take(opened: Workspace, columns: Columns, chosen: list[str]) -> None:
    do(lambda: [from_columns.take(opened, columns, column) for column in chosen])
