"""Marker tables for a project: built in, pasted, by path; species and tissue are guessed."""

import numpy as np
import pytest

from scanvi_core.errors import FileRefused
from scanvi_core.services.markers import tables
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(project):
    return workspace(project)


def test_the_example_is_seen_to_be_human_blood(opened):
    assert tables.likely_species(opened) == tables.HUMAN
    assert tables.likely_tissue(opened, tables.HUMAN) == "blood"


def test_a_table_is_shown_as_it_was_read_and_what_is_not_here_is_listed(opened):
    table = tables.from_text(opened, "B: CD79A, Cd79b, NOGENE, CD3D-\nT: CD8, CD2\nX: NOGENE\n")
    types = table.readings[0].types
    found = tables.match(opened, types)
    shown = tables.as_read(types, found, opened.dataset.symbols).set_index("type")
    assert shown.loc["B"].tolist() == ["CD79A, CD79B", "CD3D", "NOGENE"]
    assert shown.loc["T", "shows"] == "CD8A, CD2"
    said = " ".join(tables.remarks(found))
    assert "CD79B for Cd79b" in said and "CD8 is CD8A" in said and "fewer than two" in said


def test_a_file_is_read_below_the_data_folder_only(opened, tmp_path, monkeypatch):
    monkeypatch.setenv("SCANVI_DATA_ROOT", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "m.csv").write_text("B,CD79A,CD79B\nT,CD3D,CD2\n")
    (tmp_path / "m.csv").write_text("B,CD79A,CD79B\n")
    assert tables.from_path(opened, "m.csv").name == "m.csv"
    with pytest.raises(FileRefused):
        tables.from_path(opened, str(tmp_path / "m.csv"))


def test_data_without_any_known_type_have_no_likely_tissue(opened, monkeypatch):
    monkeypatch.setattr(
        opened.dataset.__class__, "symbols", np.array([f"x{i}" for i in range(765)], object)
    )
    monkeypatch.setattr(
        opened.dataset.__class__, "var_names", np.array([f"y{i}" for i in range(765)], object)
    )
    assert tables.likely_tissue(opened, tables.HUMAN) is None
