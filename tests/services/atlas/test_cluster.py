"""A Dask cluster on this computer: workers that are late, missing, elsewhere or see nothing."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("distributed", reason="a cluster needs dask.distributed")

import distributed

from scanvi_core.errors import SettingInvalid
from scanvi_core.services.atlas import cluster as atlas_cluster
from scanvi_core.services.atlas.preprocess import SUMMARY, PreprocessRequest, Workers, preprocess
from tests import ROOT

pytestmark = pytest.mark.filterwarnings("default")  # of threads of the cluster


@pytest.fixture
def source(tmp_path):
    counts = np.random.default_rng(0).poisson(1.0, (200, 60)).astype(np.float32)
    anndata.AnnData(sp.csr_matrix(counts)).write_zarr(tmp_path / "cells.zarr")
    return tmp_path / "cells.zarr"


@pytest.fixture
def empty():
    """A scheduler without workers."""
    with distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        yield cluster


def run(source, out, cluster, report=lambda *_: None):
    request = PreprocessRequest((source,), out, n_top_genes=20, n_comps=5)
    return preprocess(request, Workers(1, cluster.scheduler_address), report)


def test_without_workers_it_says_so_waits_and_ends(source, tmp_path, empty, monkeypatch):
    monkeypatch.setattr(atlas_cluster, "WORKERS_S", 1.0)
    told = []
    with pytest.raises(SettingInvalid, match=r"has no workers; none came in 1 seconds") as error:
        run(source, tmp_path / "out", empty, lambda *what: told.append(what))
    assert empty.scheduler_address in error.value.hint
    assert any(words.startswith("Waiting for workers") for _, words in told)
    assert not (tmp_path / "out").exists()


def test_a_worker_that_comes_late_is_waited_for(source, tmp_path, empty):
    later = threading.Timer(1.0, lambda: empty.scale(1))
    later.start()
    assert run(source, tmp_path / "out", empty)["n_obs"] == 200


def test_workers_of_another_folder_find_relative_paths(source, tmp_path, empty, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address,
               "--nthreads", "1", "--no-nanny", "--no-dashboard"]  # fmt: skip
    monkeypatch.chdir(source.parent)
    with subprocess.Popen(
        command, cwd=elsewhere, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as worker:  # fmt: skip
        try:
            run(Path(source.name), Path("out"), empty)
        finally:
            worker.kill()
    assert (source.parent / "out" / SUMMARY).is_file()
    assert list((source.parent / "out").glob(".seen-*")) == []


@pytest.mark.parametrize("what", ["source", "output"])
def test_a_worker_that_does_not_see_a_path_is_named_and_nothing_is_called_damaged(
    source, tmp_path, empty, monkeypatch, what
):
    empty.scale(1)
    hidden = str(source if what == "source" else tmp_path / "out")
    monkeypatch.setattr(
        atlas_cluster, "unseen",
        lambda paths: (atlas_cluster.__version__, [p for p in paths if p.startswith(hidden)]),
    )  # fmt: skip
    with pytest.raises(SettingInvalid, match=r"1 worker does not see .*, such as tcp://") as error:
        run(source, tmp_path / "out", empty)
    assert hidden in error.value.message
    assert "shared disk" in error.value.hint
    assert not (tmp_path / "out").exists()


def test_a_worker_with_another_version_is_named(source, tmp_path, empty, monkeypatch):
    empty.scale(1)
    monkeypatch.setattr(atlas_cluster, "unseen", lambda _: ("0.0.1", []))
    with pytest.raises(SettingInvalid, match=r"Workers have version 0\.0\.1"):
        run(source, tmp_path / "out", empty)
