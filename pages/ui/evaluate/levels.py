"""How right the model is at each level of its types, and how deep its sure answers go."""

import pandas as pd
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
        _table(report.depths)
        st.caption(
            f"The deepest name that is {config.LOW_CONFIDENCE:.0%} sure, as Export can write it; "
            "with an honest model the mean confidence is the share that is right:"
        )
        _table(report.answers)
    with curve.container(border=True, height="stretch"):
        st.header("Accepted and right, by level")
        charts.coverage_by_level(report.curve, key="coverage-levels")
        st.caption("Level 1: the broadest types. Cells whose held-out label is a type.")


def _table(table: pd.DataFrame) -> None:
    """Draw a table whose numbers are seen whole beside names that may be long."""
    st.dataframe(
        table, hide_index=True,
        column_config={
            "level": st.column_config.TextColumn(width=230),
            "answer": st.column_config.TextColumn(width=230),
            "cells": st.column_config.NumberColumn(width=50, format="localized"),
            "confidence": st.column_config.TextColumn(width=70, alignment="right"),
            "right": st.column_config.TextColumn(width=120),
        },
    )  # fmt: skip
