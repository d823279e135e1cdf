"""The form for a file that goes to the Cell Annotation Platform."""

from dataclasses import replace

import streamlit as st

from scanvi_core.services.export import cap
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace, choice: ExportChoice) -> None:
    """Draw title, description and the table of types; what is said in it is kept at once."""
    before = cap.draft(opened)
    st.caption(
        "Your file, with the fields of the Cell Annotation Platform added (schema "
        f"{cap.SCHEMA_VERSION}) beside the column of final labels. Cells without a label "
        "are called unknown."
    )
    title = st.text_input("Title of the data set", before.title, key="cap-title", max_chars=200)
    description = st.text_area("What the data set is", before.description, key="cap-text")
    made = replace(before, title=title, description=description)
    st.markdown("**Cell types**: change what you like; empty fields are written as unknown.")
    table = cap.table(opened, choice)
    edited = st.data_editor(
        table, hide_index=True, key=f"cap-types-{hash(tuple(map(tuple, table.to_numpy())))}",
        disabled=["type"], placeholder="",
        column_config={
            "term": st.column_config.TextColumn(
                "term (id or name)", help="Of the Cell Ontology: CL:0000084, or T cell."),
            "rationale": st.column_config.TextColumn(width="small"),
            "marker genes": st.column_config.TextColumn(
                help="The genes that are highest in these cells, compared with all others."),
        },
    ).fillna("")  # fmt: skip
    if made != before or not edited.equals(table):
        cap.save_table(opened, made, table, edited)
        st.rerun()
