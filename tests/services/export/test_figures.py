"""Figures of a project: what the pages show, in the same colors."""

import io
import re

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.colors import type_color
from scanvi_core.export.figures.layout import text_of
from scanvi_core.services.explore import colors, gene_groups, maps
from scanvi_core.services.explore.colors import Coloring
from scanvi_core.services.export import figures, tables
from scanvi_core.services.export.figures import figure_file
from scanvi_core.services.workspace import workspace


def test_types_have_the_names_and_colors_of_the_pages(trained):
    opened = workspace(trained)
    coloring = colors.coloring(opened, colors.LABEL)
    svg = figure_file(figures.on_map(opened, "z1", [coloring]), "svg").decode()
    for name, place in zip(coloring.names, coloring.places, strict=True):
        assert f">{name}</text>" in svg
        assert f"fill: {type_color(place).lower()}" in svg
    assert maps.PRINTED["z1"] in svg and ">Cell type</text>" in svg
    assert "z1" not in re.findall(r">([^<>]*)</text>", svg)


def test_a_figure_says_what_a_reader_of_a_paper_knows(trained):
    opened = workspace(trained)
    coloring = colors.coloring(opened, colors.PREDICTION)
    axes = figures.on_map(opened, "z1", [coloring])().axes[0]
    assert axes.get_title(loc="left") == "Predicted type"
    assert axes.get_xlabel() == "UMAP of the model's latent space"
    assert figures._printed("Prediction (provisional)") == (
        "Predicted type (with answers the model has yet to learn)"
    )
    assert figures._printed("Predictions of others") == "Predictions of others"
    assert [maps.printed(key) for key in ("X_umap", "X_draw_graph")] == ["UMAP", "draw_graph"]


def test_names_are_written_on_the_map_where_they_have_a_place_there(trained):
    opened = workspace(trained)
    types, source = (colors.coloring(opened, what) for what in (colors.LABEL, colors.SOURCE))
    drawn = figures.on_map(opened, "z1", [types, source])()
    shown = {text.get_text() for text in drawn.axes[0].texts}
    assert shown == {text_of(name, 20) for name in types.names}
    assert not drawn.axes[1].texts  # a source is nowhere on the map
    without = figures.on_map(opened, "z1", [types], is_written=False)()
    assert not without.axes[0].texts
    many = Coloring("Label", "", np.arange(30), tuple(map(str, range(30))))
    assert figures.may_write([types]) and not figures.may_write([types, many])


def test_of_more_cells_than_a_page_draws_as_many_are_drawn_and_told(trained, monkeypatch):
    monkeypatch.setattr(config, "DRAWN_CELLS", 200)
    opened = workspace(trained)
    coloring = colors.coloring(opened, colors.CONFIDENCE)
    rows = np.arange(5)
    drawn = figures.on_map(opened, "z1", [coloring], rows)().axes[0]
    n = len(drawn.collections[0].get_offsets())
    assert 200 <= n <= 205
    assert f"{n:,} of 700 cells" in drawn.get_xlabel().replace("\n", " ")


def test_cells_that_are_meant_keep_their_colors(trained):
    opened = workspace(trained)
    coloring = colors.coloring(opened, colors.PREDICTION)
    full = {type_color(place).lower() for place in coloring.places}
    svg = figure_file(figures.on_map(opened, "z1", [coloring], np.arange(7)), "svg").decode()
    colored = [color for color in re.findall(r"<use [^>]*fill: (#\w+)", svg) if color in full]
    assert 7 <= len(colored) <= 7 + 2 * len(full)  # and the legend


def test_groups_of_a_dot_plot_have_their_colors(labeled):
    opened = workspace(labeled)
    table = gene_groups.levels(opened, "Label", ("CD3D", "LYZ"))
    svg = figure_file(figures.dots(table, {"CD19+ B": 3}), "svg").decode()
    assert type_color(3).lower() in svg
    assert ">CD3D</text>" in svg
    assert all(f">{line}</text>" in svg for line in figures.SCALED.split("\n"))
    raw = figure_file(figures.dots(table, {}, is_scaled=False), "svg").decode()
    assert all(f">{line}</text>" in raw for line in figures.LEVEL.split("\n"))


def test_levels_are_scaled_as_by_scanpy(labeled):
    opened = workspace(labeled)
    table = gene_groups.levels(opened, "Label", ("CD3D", "LYZ", "CD79A"))
    mean = table.pivot(index="group", columns="gene", values="mean")
    expected = (mean - mean.min()) / (mean - mean.min()).max()  # standard_scale="var"
    found = table.pivot(index="group", columns="gene", values="scaled")
    pd.testing.assert_frame_equal(found, expected)
    same = gene_groups._scaled(pd.DataFrame({"gene": ["A", "A"], "mean": [2.0, 2.0]}))
    assert same.tolist() == [0.0, 0.0]  # as high in all groups


def test_a_table_keeps_all_columns_and_digits():
    table = pd.DataFrame({"gene": ["=A,1", "B"], "adjusted p": [1e-300, 0.123456789012]})
    again = pd.read_csv(io.BytesIO(tables.as_csv(table)))
    pd.testing.assert_frame_equal(again, table)


def test_the_name_of_a_file_has_no_letters_that_paths_mean():
    name = tables.file_name("../a/b: <c>", "map", "svg")
    assert name == ".._a_b_ _c_ map.svg"
