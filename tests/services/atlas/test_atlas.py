"""An atlas in many files: gathered, opened in the app, trained elsewhere from the store."""

import subprocess
import sys
import time

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import zarr

from scanvi_core import runtime
from scanvi_core.data.collection import counts as collection_counts
from scanvi_core.data.collection.collection import Collection, stored_counts
from scanvi_core.data.example import write_example
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import InputError
from scanvi_core.project.folder import create_project, open_project
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.atlas.gather import gather
from scanvi_core.services.diagnostics import uncertainty_job
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.labels import edit
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.training import distributed
from scanvi_core.services.training.cluster_scripts import Machines
from scanvi_core.services.workspace import workspace
from tests import ROOT

WHY = "needs annbatch (Python 3.12 or newer, the extra scale)"
WAIT_S = 600.0  # a process imports torch, then trains


@pytest.fixture(scope="module")
def cells():
    random = np.random.default_rng(0)
    counts = sp.csr_matrix(random.poisson(0.5, (60, 40)).astype(np.float32))
    obs = pd.DataFrame(index=[f"cell {i}" for i in range(60)])
    return anndata.AnnData(counts, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(40)]))


@pytest.fixture
def dataset(cells, tmp_path):
    from scanvi_core.data.dataset import Dataset

    cells.write_h5ad(tmp_path / "cells.h5ad")
    import_file(tmp_path / "cells.h5ad", tmp_path / "dataset")
    return Dataset.open(tmp_path / "dataset")


def store_of(cells, folder, monkeypatch):
    """Write a store of one part, and let its rows be read as anndata does, without annbatch."""
    root = zarr.open_group(folder, mode="w", zarr_format=3)
    with anndata.settings.override(zarr_write_format=3):
        cells.write_zarr(folder / "dataset_0")
    about = {"format": 1, "n_obs": cells.n_obs, "n_vars": cells.n_vars, "n_parts": 1}
    root.attrs["scanvi"] = about | {"files": [], "obs_columns": []}

    class Rows:
        shape = cells.shape

        def read(self, runs):
            return sp.csr_array(sp.vstack([cells.X[run] for run in runs], format="csr"))

    counts = collection_counts.StoredCounts(Rows())
    monkeypatch.setattr(Collection, "counts", counts)
    return folder


def test_counts_of_the_projects_genes_come_from_the_store(cells, dataset, tmp_path, monkeypatch):
    genes = ["GENE7", "GENE2", "GENE30"]
    counts = stored_counts(store_of(cells, tmp_path / "s", monkeypatch), dataset, genes)
    assert (counts[:] != cells[:, genes].X).nnz == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda cells: cells[:50], "50 cells, the project 60"),
        (lambda cells: cells[:, :35], "lacks 1 of the genes that the model reads, such as GENE37"),
        (lambda cells: cells[::-1], "not those of the project, or in another order"),
    ],
)
def test_a_store_of_other_cells_is_refused(cells, dataset, tmp_path, monkeypatch, change, words):
    store = store_of(change(cells).copy(), tmp_path / "s", monkeypatch)
    with pytest.raises(InputError, match=words) as refused:
        stored_counts(store, dataset, ["GENE7", "GENE37"])
    assert refused.value.hint


def test_a_project_of_a_gathered_store_is_trained_from_it(tmp_path, monkeypatch, request_brief):
    pytest.importorskip("annbatch", reason=WHY)
    monkeypatch.setenv(runtime.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setattr(uncertainty_job, "begin", lambda _: None)
    whole = anndata.read_h5ad(write_example(tmp_path / "all.h5ad"))
    for name, part in (("a", whole[:300]), ("b", whole[300:])):
        part.copy().write_h5ad(tmp_path / f"{name}.h5ad")
    gather(tmp_path / "atlas", [tmp_path / "a.h5ad", tmp_path / "b.h5ad"])
    project = import_into(create_project("Atlas"), tmp_path / "atlas").project.id
    edit.use_column(workspace(project), "cell_type", set())
    latents = []
    for several in ([], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]):
        open_project(project).update_settings(current_run=None)
        job = distributed.hand_over(
            workspace(project), request_brief, Machines(store=str(tmp_path / "atlas"))
        )
        while distributed.waits_for_machine(workspace(project)) is None:
            time.sleep(0.1)
        run = Run.list(open_project(project))[-1]
        command = [sys.executable, *several, "-m", "scanvi_core", "train", str(run.root)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=WAIT_S)
        assert jobs.wait(job, WAIT_S).status is JobStatus.DONE
        latents.append(np.array(run.array("z1")))
    assert np.abs(latents[0] - latents[1]).max() < 1e-4
