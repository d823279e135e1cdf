"""References call types otherwise than the other files: their names are brought together."""

import anndata as ad
import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.names import reference_names
from scanvi_core.services.labels.names.names_table import HERE, HOW, OWN
from scanvi_core.services.projects.joining import several_files
from scanvi_core.services.workspace import workspace
from tests.services.packed import small_example

OTHERS = {"CD19+ B": "B-cells", "Dendritic": "DC", "CD34+": "Progenitors"}


@pytest.fixture
def opened(tmp_path, monkeypatch, home):
    """A file with labels, and a reference that calls three of the types otherwise."""
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    whole = ad.read_h5ad(small_example(tmp_path / "whole.h5ad"))
    whole.obs = whole.obs[["expert_label"]].astype(str)
    first, second = whole[::2].copy(), whole[1::2].copy()
    second.obs["expert_label"] = [OTHERS.get(name, name) for name in second.obs["expert_label"]]
    paths = [tmp_path / "first.h5ad", tmp_path / "atlas.h5ad"]
    for cells, path in zip((first, second), paths, strict=True):
        cells.write_h5ad(path)
    project = several_files.open_files(paths)
    jobs.wait(jobs.list_jobs(project)[-1].id, 120)
    jobs.wait(several_files.join(project, references=["atlas"]), 120)
    assert jobs.list_jobs(project)[-1].error is None
    return workspace(project)


def test_names_of_a_reference_are_those_of_the_other_files_where_they_mean_the_same(opened):
    table = reference_names.table(opened, "expert_label").set_index(OWN)
    assert table.loc["DC", [HERE, HOW]].tolist() == ["Dendritic", "synonym"]
    assert set(table.index) >= set(OTHERS.values())
    meant = table[HERE].to_dict() | {"Progenitors": "CD34+", "B-cells": "CD19+ B"}
    edit.use_column(opened, "expert_label", set(), meant)
    state = opened.labels()
    assert not set(OTHERS.values()) & set(state.active)
    truth = opened.dataset.values("expert_label").astype(str).replace(meant).to_numpy()
    assert (np.array(state.names)[state.codes] == truth).all()


def test_one_file_has_no_names_of_others(project):
    assert reference_names.table(workspace(project), "cell_type").empty
