"""What visitors read of a project: its types, and how right its model is."""

import streamlit as st

from pages.ui.evaluate import sections
from pages.ui.frame import where_measured
from pages.ui.text import md
from scanvi_core.services.diagnostics import holdout_report
from scanvi_core.services.viewing import types_seen
from scanvi_core.services.workspace import Workspace

HEIGHT = 460  # pixels


def types(opened: Workspace) -> None:
    """Draw the list of types with their cells, colors and terms."""
    table = types_seen.types(opened)
    if table.empty:
        st.info("No cell has a label yet.")
        return
    shown = table.style.map(_painted, subset=["color"])
    st.dataframe(
        shown, hide_index=True, key="look-types", height=HEIGHT if len(table) > 12 else "content",
        column_config={
            "color": st.column_config.TextColumn("", width=30),
            "labeled": st.column_config.NumberColumn(format="localized"),
            "predicted": st.column_config.NumberColumn(format="localized"),
            "term": st.column_config.TextColumn("ontology term"),
        },
    )  # fmt: skip


def evaluation(opened: Workspace) -> None:
    """Draw how often the model is right on labels it has not seen, type by type."""
    report = holdout_report.report(opened)
    if report is None:
        trained = opened.current_run() is not None
        st.info(
            "No labels were set aside, so how right the model is was not measured."
            if trained
            else "There is no model yet."
        )
        return
    sections.headline(report)
    where_measured.warn(opened)
    st.markdown(md(report.honesty))
    st.dataframe(report.table, hide_index=True, key="look-scores", placeholder="")


def _painted(color: str) -> str:
    return f"background-color: {color}; color: {color}"
