"""Labels read back from a file that was exported, with their whole history."""

import anndata
import h5py
import numpy as np
import pytest

from scanvi_core import keys, runtime
from scanvi_core.errors import FileRefused, LabelsUnusable, ProjectError
from scanvi_core.project.folder import create_project
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit, from_export
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.workspace import workspace
from tests.project.label_log.views import content
from tests.projects import copy_of


def names(project):
    state = workspace(project).labels()
    return np.array([*state.names, ""], dtype=object)[state.codes]


def log_of(project):
    return content(workspace(project).store.export_log())


@pytest.fixture
def exported(labeled, tmp_path, monkeypatch):
    """A file exported after a few steps."""
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    edit.name_cells(workspace(labeled), np.array([3, 4, 700 - 1]), "Mine", "lasso")
    edit.rename(workspace(labeled), "Mine", "Ours")
    edit.undo(workspace(labeled))
    return write.write(workspace(labeled), ExportChoice(), tmp_path / "out.h5ad")


def test_an_export_of_the_same_file_gives_labels_and_history_back(labeled, exported, imported):
    fresh = copy_of(imported)
    found = from_export.take_over(workspace(fresh), "out.h5ad")
    assert (found.by_name, found.new) == (700, 0)
    assert log_of(fresh) == log_of(labeled)
    assert (names(fresh) == names(labeled)).all()
    edit.redo(workspace(fresh))
    assert names(fresh)[3] == "Ours"


def test_an_export_that_is_opened_itself_carries_its_labels(labeled, exported):
    project = import_into(create_project("Again"), exported).project.id
    from_export.take_over(workspace(project), "")
    assert log_of(project) == log_of(labeled)


def test_a_shuffled_subset_gets_the_labels_of_an_export_by_name(labeled, exported, tmp_path):
    data = anndata.read_h5ad(workspace(labeled).dataset.manifest["source"]["path"])
    rows = np.random.default_rng(0).permutation(700)[:500]
    data[rows].write_h5ad(tmp_path / "part.h5ad")
    part = import_into(create_project("Part"), tmp_path / "part.h5ad").project.id
    found = from_export.take_over(workspace(part), str(exported))
    assert (found.by_name, found.new) == (500, 0)
    assert (names(part) == names(labeled)[rows]).all()


def test_cells_with_other_names_are_not_found(exported, labeled, tmp_path):
    data = anndata.read_h5ad(workspace(labeled).dataset.manifest["source"]["path"])
    data.obs_names = [f"cell {i}" for i in range(700)]
    data.write_h5ad(tmp_path / "renamed.h5ad")
    other = import_into(create_project("Renamed"), tmp_path / "renamed.h5ad").project.id
    with pytest.raises(LabelsUnusable, match="No cell of out"):
        from_export.find(workspace(other), str(exported))


def test_a_file_without_a_history_is_refused(project, tmp_path, monkeypatch):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, "/")
    with pytest.raises(FileRefused, match="carries no label history"):
        from_export.find(workspace(project), "")


def test_a_changed_step_in_the_file_is_noticed_and_nothing_taken(exported, imported):
    with h5py.File(exported, "r+") as file:
        lines = file["uns"][keys.UNS_LOG].asstr()[()]
        lines[2] = lines[2].replace("Mine", "Fake")
        file["uns"][keys.UNS_LOG][:] = lines
    fresh = copy_of(imported)
    with pytest.raises(ProjectError, match="entry 3"):
        from_export.take_over(workspace(fresh), str(exported))
    assert not log_of(fresh)
