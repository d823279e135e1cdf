"""Which cells a map draws: kept as long as the map and the model stay."""

import os

import numpy as np
import pytest

from scanvi_core import config
from scanvi_core.services.explore import colors, conditions, drawn_cells
from scanvi_core.services.labels import edit
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace

UMAP = "X_umap"


@pytest.fixture
def few(monkeypatch):
    """Maps draw 200 of the 700 cells."""
    monkeypatch.setattr(config, "DRAWN_CELLS", 200)


def test_all_cells_are_drawn_where_they_are_few(project):
    assert drawn_cells.drawn(workspace(project), UMAP) is None


@pytest.mark.usefixtures("few")
def test_neither_labels_nor_a_color_change_the_drawn_cells(trained):
    before = drawn_cells.drawn(workspace(trained), "z1")
    edit.name_cells(workspace(trained), np.arange(50), "Mine", "lasso")
    colors.coloring(workspace(trained), colors.CONFIDENCE)
    assert drawn_cells.drawn(workspace(trained), "z1") is before
    assert len(before.rows) == 200


@pytest.mark.usefixtures("few")
def test_unsure_cells_are_drawn_and_told(trained, monkeypatch):
    sure = results.current(workspace(trained)).confidence
    monkeypatch.setattr(config, "LOW_CONFIDENCE", float(np.sort(sure)[60]))
    found = drawn_cells.drawn(workspace(trained), UMAP)
    unsure = np.flatnonzero(sure < config.LOW_CONFIDENCE)
    assert unsure.size and np.isin(unsure, found.rows).all()
    assert found.note == "all unsure ones among them"


@pytest.mark.usefixtures("few")
def test_unsure_cells_that_are_too_many_are_thinned_and_it_is_said(trained, monkeypatch):
    monkeypatch.setattr(config, "LOW_CONFIDENCE", 2.0)
    found = drawn_cells.drawn(workspace(trained), UMAP)
    n = np.isfinite(results.current(workspace(trained)).confidence).sum()
    assert found.note == f"100 of {n:,} unsure ones among them"


@pytest.mark.usefixtures("few")
def test_before_a_model_the_clusters_or_given_labels_show_what_is_rare(project):
    assert drawn_cells.drawn(workspace(project), UMAP).note == ""
    edit.use_column(workspace(project), "cell_type", set())
    found = drawn_cells.drawn(workspace(project), UMAP)
    codes, names = workspace(project).categories("cell_type")
    all_, drawn = (np.bincount(part + 1, minlength=1 + len(names))[1:]
                   for part in (codes, codes[found.rows]))  # fmt: skip
    assert (drawn >= np.minimum(all_, 200 // 10 // len(names))).all()
    assert found is not drawn_cells.drawn(workspace(project), "X_pca")


@pytest.mark.usefixtures("few")
def test_cells_to_point_out_are_drawn_too(trained):
    found = drawn_cells.drawn(workspace(trained), UMAP)
    other = np.setdiff1d(np.arange(700), found.rows)[:5]
    assert np.array_equal(found.with_cells(other).rows, np.union1d(found.rows, other))
    assert found.with_cells(found.rows[:5]) is found


def test_the_mark_of_a_map_is_that_of_its_places_also_when_its_file_is_written_anew(
    project, tmp_path
):
    opened = workspace(project)
    xy = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    np.save(tmp_path / "a.npy", xy)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    mark = conditions.place_of(opened, xy)
    assert conditions.place_of(opened, mapped) == conditions.place_of(opened, mapped) == mark
    assert (
        conditions.place_of(opened, mapped[::-1]) == conditions.place_of(opened, xy[::-1]) != mark
    )
    np.save(tmp_path / "b.npy", xy + 1)
    (tmp_path / "b.npy").replace(tmp_path / "a.npy")
    os.utime(tmp_path / "a.npy", ns=(1, 1))
    again = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert conditions.place_of(opened, again) == conditions.place_of(opened, xy + 1) != mark
