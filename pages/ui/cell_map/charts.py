"""Charts that are looked at rather than lassoed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.cell_map.component import CategoryColor, cell_map
from pages.ui.text import plain, short
from scanvi_core.colors import type_colors
from scanvi_core.services.formatting import row_names, row_percents

MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}
CONFUSION_ROW = 26
SMALL_NAME = 16  # characters of a type on the axes of a small one
SHADES = (["#FFFFFF", "#0B4F75"], ["#1A242B", "#1F78A6"])  # of shares, on light and dark pages
LINE, DOTS, GUIDE = "#0072B2", "#D55E00", "#808080"
QUIET = {"displayModeBar": False}


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


def still_map(
    xy: np.ndarray, codes: np.ndarray, names: Sequence[str], *, key: str, revision: str,
    height: int,
) -> None:  # fmt: skip
    """Draw a small map without tools, colored by type."""
    cell_map(
        key,
        xy,
        color=CategoryColor(codes, names, type_colors(len(names))),
        revision=revision,
        height=height,
        tools=False,
    )


def confusion(
    matrix: np.ndarray, names: Sequence[str], *, key: str, height: int | None = None,
    counts: bool = False,
) -> None:  # fmt: skip
    """Draw a confusion matrix: rows are known types with their cells, columns predictions."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    shown = matrix if counts else row_percents(matrix)
    text = [[f"{value:,.0f}" if value else "" for value in row] for row in shown]
    labels, known = ([plain(name) for name in side] for side in (names, row_names(matrix, names)))
    shades = SHADES[st.context.theme.type == "dark"]
    figure = go.Figure(
        go.Heatmap(
            z=shares, x=labels, y=known, text=text, texttemplate="%{text}", customdata=matrix,
            colorscale=shades, zmin=0, zmax=1, showscale=False, xgap=1, ygap=1,
            hovertemplate="known %{y}<br>predicted %{x}<br>%{customdata:,} cells<extra></extra>",
        )
    )  # fmt: skip
    axis: dict[str, Any] = {"type": "category"}
    texts: tuple[list[str], list[str]] = (labels, known)
    if height is not None:  # both axes keep their names, shorter and smaller ones
        small = [short(name, SMALL_NAME) for name in names]
        texts = [plain(name) for name in small], [plain(n) for n in row_names(matrix, small)]
        axis |= {"tickfont": {"size": max(6, min(12, height // (2 * len(names))))}}
    across, down = (
        {"tickvals": at, "ticktext": text} for at, text in zip((labels, known), texts, strict=True)
    )
    figure.update_xaxes(**axis, **across, tickangle=-40, title="predicted")
    figure.update_yaxes(**axis, **down, autorange="reversed", title="known (cells)")
    figure.update_layout(margin=MARGIN, height=height or 180 + CONFUSION_ROW * len(names))
    st.plotly_chart(figure, key=key, config=QUIET)


def reliability(bins: pd.DataFrame, *, key: str, height: int = 300) -> None:
    """Draw how often cells of each confidence are right, with intervals, over the diagonal.

    `bins` has the columns ``confidence``, ``right``, ``low``, ``high`` (interval) and ``cells``.
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                line={"dash": "dot", "color": GUIDE},
            ),
            go.Scatter(
                x=bins["confidence"], y=bins["right"], mode="lines+markers",
                line={"color": LINE}, marker={"size": 8},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 1,
                    "array": bins["high"] - bins["right"],
                    "arrayminus": bins["right"] - bins["low"],
                },
                customdata=bins["cells"],
                hovertemplate="confidence %{x:.2f}<br>right %{y:.0%}<br>"
                "%{customdata:,} cells<extra></extra>",
            ),
        ]
    )  # fmt: skip
    figure.update_xaxes(title="confidence of the model", range=[0, 1.02], tickformat=".0%")
    figure.update_yaxes(title="right", range=[0, 1.02], tickformat=".0%")
    figure.update_layout(margin=MARGIN, height=height, showlegend=False)
    st.plotly_chart(figure, key=key, config=QUIET)


def coverage(curve: pd.DataFrame, marked: float, *, key: str, height: int = 300) -> None:
    """Draw the share right among the surest cells, with a line at the share `marked`.

    `curve` has the columns ``coverage``, ``right`` and ``confidence``.
    """
    figure = go.Figure(
        go.Scatter(
            x=curve["coverage"], y=curve["right"], mode="lines",
            line={"color": LINE}, customdata=curve["confidence"],
            hovertemplate="accept the surest %{x:.0%}<br>right %{y:.1%}<br>"
            "confidence from %{customdata:.2f}<extra></extra>",
        )
    )  # fmt: skip
    figure.add_vline(marked, line={"dash": "dot", "color": DOTS})
    low = min(0.9, float(curve["right"].min())) - 0.02
    figure.update_xaxes(title="share of cells accepted, the surest first", tickformat=".0%")
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(title="right", range=[low, 1.005], tickformat=".0%")
    figure.update_layout(margin=MARGIN, height=height)
    st.plotly_chart(figure, key=key, config=QUIET)


def coverage_by_level(curve: pd.DataFrame, *, key: str, height: int = 300) -> None:
    """Draw the share right among the surest cells, a line for each value of ``level``."""
    lines = [
        go.Scatter(
            x=own["coverage"], y=own["right"], mode="lines", name=level,
            hovertemplate="accept the surest %{x:.0%}<br>right %{y:.1%}<extra>%{fullData.name}"
            "</extra>",
        )
        for level, own in curve.groupby("level", sort=False)
    ]  # fmt: skip
    figure = go.Figure(lines)
    low = min(0.9, float(curve["right"].min())) - 0.02
    figure.update_xaxes(title="share of cells accepted, the surest first", tickformat=".0%")
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(title="right", range=[low, 1.005], tickformat=".0%")
    figure.update_layout(margin=MARGIN, height=height, legend={"orientation": "h", "y": 1.1})
    st.plotly_chart(figure, key=key, config=QUIET)


def taught(curve: pd.DataFrame, *, key: str, height: int = 220) -> None:
    """Draw how often the model was right beforehand, decision by decision, and its updates.

    `curve` has the columns ``decision``, ``right``, ``recent`` and ``model``.
    """
    figure = go.Figure(
        [
            go.Scatter(
                x=curve["decision"], y=curve["right"], mode="markers", name="one decision",
                marker={"color": GUIDE, "size": 6}, customdata=curve["model"],
                hovertemplate="decision %{x}<br>right %{y:.0%}<br>model %{customdata}"
                "<extra></extra>",
            ),
            go.Scatter(
                x=curve["decision"], y=curve["recent"], mode="lines", name="mean of the last ten",
                line={"color": LINE, "width": 3}, hoverinfo="skip",
            ),
        ]
    )  # fmt: skip
    for number, decisions in curve.groupby("model")["decision"]:
        figure.add_vline(
            decisions.min() - 0.5, line={"dash": "dot", "color": DOTS},
            annotation={"text": f"model {number}", "font": {"size": 11}},
        )  # fmt: skip
    figure.update_xaxes(title="your decisions", range=[0.4, len(curve) + 0.6])
    figure.update_yaxes(title="right", range=[-0.05, 1.08], tickformat=".0%")
    figure.update_layout(margin=MARGIN, height=height, legend={"orientation": "h", "y": 1.2})
    st.plotly_chart(figure, key=key, config=QUIET)
