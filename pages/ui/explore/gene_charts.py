"""Dot plots and violins of genes in groups of cells."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from pages.ui.cell_map.charts import MARGIN, QUIET
from pages.ui.text import plain
from scanvi_core.colors import type_color

ROW, LARGEST = 24, 18  # pixels of a row, and of the dot of a gene that every cell shows
FEW = 10  # cells, of which each is drawn: they have no shape


def dots(table: pd.DataFrame, *, is_scaled: bool, key: str) -> None:
    """Draw a dot per group and gene: its size is the share of cells, its color the mean level.

    `table` is that of `gene_groups.levels`; `is_scaled` levels are those of each gene from 0 to 1.
    """
    groups = list(dict.fromkeys(table["group"]))
    genes = list(dict.fromkeys(table["gene"]))
    figure = go.Figure(
        go.Scatter(
            x=[plain(gene) for gene in table["gene"]],
            y=[plain(group) for group in table["group"]],
            mode="markers",
            marker={
                "size": np.maximum(2.0, LARGEST * np.sqrt(table["share"])),
                "color": table["scaled" if is_scaled else "mean"],
                "colorscale": "Viridis",
                "cmin": 0,
                "colorbar": {
                    "title": "scaled<br>level" if is_scaled else "mean level",
                    "thickness": 10,
                    "len": 0.9,
                },
                "line": {"width": 0.5, "color": "#808080"},
            },
            customdata=table[["share", "mean"]],
            hovertemplate="%{y}<br>%{x}<br>mean level %{customdata[1]:.2f}"
            "<br>seen in %{customdata[0]:.0%} of its cells<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", tickangle=-45, dtick=1, range=[-0.6, len(genes) - 0.4])
    figure.update_yaxes(
        type="category", autorange=False, range=[len(groups) - 0.4, -0.6], dtick=1, title=None
    )
    figure.update_layout(margin=MARGIN, height=max(170, 110 + ROW * len(groups)))
    st.plotly_chart(
        figure, key=key, config=QUIET,
        alt=f"Dot plot of {len(genes)} genes in {len(groups)} groups of cells",
    )  # fmt: skip


def violins(
    values: Mapping[str, np.ndarray], places: Sequence[int], gene: str, *, key: str
) -> None:
    """Draw how the level of a gene is spread in each group, in the group's own color."""
    figure = go.Figure(
        [
            go.Violin(
                y=own,
                name=plain(name),
                line={"color": type_color(place), "width": 1.5},
                points="all" if len(own) < FEW else False,
                meanline={"visible": True},
                spanmode="hard",
                scalemode="width",
                hoverinfo="name",
            )
            for (name, own), place in zip(values.items(), places, strict=True)
        ]
    )
    figure.update_yaxes(title=f"level of {plain(gene)}", rangemode="nonnegative")
    figure.update_xaxes(type="category", tickangle=-35, dtick=1)
    figure.update_layout(margin=MARGIN, height=330, showlegend=False)
    st.plotly_chart(
        figure, key=key, config=QUIET, alt=f"Levels of {gene} in {len(values)} groups of cells"
    )
