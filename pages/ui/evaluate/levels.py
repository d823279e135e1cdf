"""How right the model is at each level of its types, and how deep its sure answers go."""

import streamlit as st

from pages.ui.cell_map import charts
from pages.ui.text import md
from scanvi_core import config
from scanvi_core.services.diagnostics import by_level
from scanvi_core.services.workspace import Workspace


def draw(opened: Workspace) -> None:
    """Draw the levels; nothing where no type is part of another."""
    report = by_level.report(opened)
    if report is None:
        return
    told, curve = st.container(key="wide-levels").columns(2, gap="medium")
    with told.container(border=True, height="stretch"):
        st.header("Broad and fine names")
        st.markdown(f"**{md(report.sentence)}**")
        st.dataframe(report.depths, hide_index=True)
        st.caption(
            f"The deepest name that is {config.LOW_CONFIDENCE:.0%} sure, as Export can write it; "
            "at an honest confidence, the mean is the share that is right:"
        )
        st.dataframe(
            report.answers, hide_index=True,
            column_config={"mean confidence": st.column_config.NumberColumn(format="%.2f")},
        )  # fmt: skip
    with curve.container(border=True, height="stretch"):
        st.header("Accepted and right, by level")
        charts.coverage_by_level(report.curve, key="coverage-levels")
        st.caption("Level 1: the broadest types. Cells whose held-out label is a type.")
