"""Charts that are looked at rather than lassoed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.cell_map import CategoryColour, cell_map
from pages.ui.colours import type_colours
from pages.ui.text import plain

MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
CONFUSION_ROW = 26


def curve(table: pd.DataFrame, names: Sequence[str], *, key: str) -> None:
    """Draw lines over the epochs in a chart that survives polling without a flicker."""
    series = [
        {
            "type": "line",
            "name": name,
            "showSymbol": len(table) < 3,
            "data": table[["epoch", name]].dropna().round(4).to_numpy().tolist(),
        }
        for name in names
    ]
    options = {
        "animation": False,
        "grid": {"left": 48, "right": 12, "top": 28, "bottom": 36},
        "legend": {"show": len(names) > 1, "top": 0},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "name": "epoch", "nameLocation": "middle", "nameGap": 22},
        "yAxis": {"type": "value", "scale": True},
        "series": series,
    }
    st.echarts_chart(options, key=key, height=200)


def histogram(table: pd.DataFrame, *, key: str) -> None:
    """Draw the second column of a table as bars over the first."""
    across, up = table.columns
    options = {
        "animation": False,
        "grid": {"left": 44, "right": 8, "top": 26, "bottom": 40},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category", "data": [f"{value:,}" for value in table[across]],
            "name": across, "nameLocation": "middle", "nameGap": 26,
        },
        "yAxis": {"type": "value", "name": up},
        "series": [{"type": "bar", "data": table[up].tolist(), "barCategoryGap": "10%"}],
    }  # fmt: skip
    st.echarts_chart(options, key=key, height=190)


def still_map(
    xy: np.ndarray, codes: np.ndarray, names: Sequence[str], *, key: str, revision: str
) -> None:
    """Draw a small map without tools, coloured by type."""
    cell_map(
        key,
        xy,
        colour=CategoryColour(codes, names, type_colours(len(names))),
        revision=revision,
        height=260,
        tools=False,
    )


def confusion(
    matrix: np.ndarray, names: Sequence[str], *, key: str, height: int | None = None,
    counts: bool = False,
) -> None:  # fmt: skip
    """Draw a confusion matrix: rows are known types, columns predictions."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    shown = matrix if counts else np.round(100 * shares)
    text = [[f"{value:,.0f}" if value else "" for value in row] for row in shown]
    labels = [plain(name) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=shares, x=labels, y=labels, text=text, texttemplate="%{text}", customdata=matrix,
            colorscale="Blues", zmin=0, zmax=1, showscale=False, xgap=1, ygap=1,
            hovertemplate="known %{y}<br>predicted %{x}<br>%{customdata:,} cells<extra></extra>",
        )
    )  # fmt: skip
    small = height is not None
    figure.update_xaxes(
        type="category", tickangle=-40, title="predicted", showticklabels=not small
    )
    figure.update_yaxes(type="category", autorange="reversed", title="known", dtick=1)
    figure.update_layout(margin=MARGIN, height=height or 180 + CONFUSION_ROW * len(names))
    st.plotly_chart(figure, key=key, config={"displayModeBar": False})
