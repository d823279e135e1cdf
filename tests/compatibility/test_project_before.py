"""A project made by version 0.1.0 opens, goes on training, exports, and opens from its file.

``version_0_1_0.project.zip`` is such a project, packed by that version: 150 simulated cells,
labels, a model of 16 hidden units, and two labels given after its training.
"""

import json
import zipfile
from types import SimpleNamespace

import anndata
import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.project.folder import create_project
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import history
from scanvi_core.services.projects import library
from scanvi_core.services.runs import results
from scanvi_core.services.training import train_plan
from scanvi_core.services.training.in_process import train
from scanvi_core.services.workspace import workspace
from tests import ROOT

SAVED = ROOT / "tests" / "compatibility" / "version_0_1_0.project.zip"


@pytest.fixture
def before():
    text = (ROOT / "tests" / "compatibility" / "version_0_1_0.json").read_text()
    return SimpleNamespace(**json.loads(text))


@pytest.fixture
def old(tmp_path, monkeypatch):
    """The project as it lay in the home of that version."""
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    project = create_project("Made before")
    source = project.source / "old.h5ad"
    with zipfile.ZipFile(SAVED) as pack:
        pack.extractall(project.root)
    manifest = project.dataset / "manifest.json"  # the user's file lies elsewhere now
    manifest.write_text(manifest.read_text().replace("/data/old.h5ad", str(source)))
    return project.id


def same_content(project, before):
    state = workspace(project).labels()
    assert [state.names[code] if code >= 0 else "" for code in state.codes] == [
        before.label_names[code] if code >= 0 else "" for code in before.codes
    ]
    now = results.current(workspace(project))
    assert list(now.names) == before.names
    assert now.prediction.tolist() == before.prediction
    np.testing.assert_allclose(now.confidence, before.confidence, atol=1e-4)


def test_it_is_listed_and_holds_what_it_held(old, before):
    entry = next(item for item in library.listing() if item.id == old)
    assert entry.name == "Made before"
    same_content(old, before)
    assert history.table(workspace(old))["who"].tolist() == ["curator"] * 4


def test_its_model_is_trained_on(old):
    request = train_plan.update_request(workspace(old))
    assert request.warm and request.model.n_hidden == 16
    run = train(workspace(old), request, ForegroundJob(old, lambda *_: None))
    assert run == "0002" and results.current(workspace(old)).run_id == run


def test_it_exports(old, tmp_path, before):
    path = write.write(workspace(old), ExportChoice(), tmp_path / "out.h5ad")
    adata = anndata.read_h5ad(path)
    assert adata.n_obs == len(before.codes)
    assert set(before.names) <= set(adata.obs["scanvi_prediction"].cat.categories)


def test_it_opens_from_a_pack(old, before):
    with SAVED.open("rb") as stream:
        project = library.take_in(stream)
    assert project != old
    same_content(project, before)
