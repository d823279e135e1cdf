"""Preprocessing on Dask: genes, quality and components are those of scanpy in memory."""

import argparse
import errno
import json
from importlib.metadata import version

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy
import scipy.sparse as sp
from scipy.linalg import subspace_angles

from tests import SHARED

pytest.importorskip("dask", reason="preprocessing on Dask needs the [scale] extra")

from scanvi_core.cli import preprocess as command
from scanvi_core.data.genes.choose import variable_genes
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.data.out_of_core import arrays
from scanvi_core.errors import (
    ColumnMissing,
    CountsNotFound,
    ExportError,
    InputError,
    SettingInvalid,
    is_disk_full,
)
from scanvi_core.services.atlas import cluster as atlas_cluster
from scanvi_core.services.atlas import preprocess as atlas_preprocess
from scanvi_core.services.atlas.preprocess import PreprocessRequest, Workers, preprocess

KANG = SHARED / "data" / "kang_ifnb_2800.h5ad"
N_OBS, N_VARS, N_TOP = 601, 400, 80
EMPTY, FRACTION = 77, 590  # a cell without counts; a cell beyond the sample that is judged first


@pytest.fixture(scope="module")
def cells():
    random = np.random.default_rng(0)
    types = random.gamma(0.5, 2.0, (4, N_VARS))
    batch = np.repeat([0, 1, 2], [300, 200, 101])  # most blocks have cells of one batch only
    rates = types[random.integers(0, 4, N_OBS)] * random.gamma(4, 0.25, (3, N_VARS))[batch]
    counts = random.poisson(rates * random.gamma(4, 0.25, (N_OBS, 1))).astype(np.float32)
    counts[EMPTY] = 0
    counts[:, 3] = 0
    counts[5, 3] = 4  # seen in one cell: tells nothing
    obs = pd.DataFrame(
        {"batch": pd.Categorical([f"donor {k}" for k in batch])},
        index=[f"cell {i}" for i in range(N_OBS)],
    )
    names = [f"MT-{i}" if i < 6 else f"GENE{i}" for i in range(N_VARS)]
    return anndata.AnnData(sp.csr_matrix(counts), obs, pd.DataFrame(index=names))


@pytest.fixture
def small_blocks(monkeypatch):
    """Some 41 cells in each, which do not divide their number."""
    monkeypatch.setattr(arrays.open_lazy, "__defaults__", (None, 8_000))


@pytest.fixture
def path(cells, tmp_path):
    cells.write_zarr(tmp_path / "cells.zarr")
    return tmp_path / "cells.zarr"


def run(path, out, batch_key=None, n_top=N_TOP, workers=None):
    paths = path if isinstance(path, tuple) else (path,)
    request = PreprocessRequest(paths, out, batch_key, None, n_top, 10)
    summary = preprocess(request, workers or Workers(2))
    genes = pd.read_parquet(out / "genes.parquet")
    return summary, genes, pd.read_parquet(out / "cells.parquet"), np.load(out / "pca.npy")


def genes_of_scanpy(adata, n_top, batch_key):
    detected = np.asarray((adata.X > 0).sum(axis=0)).ravel() >= 3
    filled = np.asarray(adata.X.sum(axis=1)).ravel() > 0
    some = adata[filled][:, detected].copy()
    scanpy.pp.highly_variable_genes(
        some, n_top_genes=n_top, flavor="seurat_v3", batch_key=batch_key
    )
    return some.var


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_genes_and_ranks_are_those_of_scanpy(cells, path, tmp_path, batch_key):
    _, genes, _, _ = run(path, tmp_path / "out", batch_key)
    expected = genes_of_scanpy(cells, N_TOP, batch_key)
    found = genes.loc[expected.index]
    assert genes["highly_variable"].sum() == N_TOP
    assert (found["highly_variable"] == expected["highly_variable"]).all()
    np.testing.assert_array_equal(found["highly_variable_rank"], expected["highly_variable_rank"])
    np.testing.assert_allclose(found["variances_norm"], expected["variances_norm"], rtol=1e-9)
    if batch_key:
        column = "highly_variable_nbatches"
        np.testing.assert_array_equal(found[column], expected[column])
    assert genes["n_cells_by_counts"].equals(
        pd.Series(cells.X.getnnz(axis=0), cells.var_names, name="n_cells_by_counts")
    )


@pytest.mark.skipif(not KANG.exists(), reason="the data sets are not here")
@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_genes_of_a_real_set_are_those_of_scanpy_and_of_a_project(tmp_path, batch_key):
    _, genes, _, _ = run(KANG, tmp_path / "out", batch_key, 1_000)
    expected = genes_of_scanpy(anndata.read_h5ad(KANG), 1_000, batch_key)
    chosen = genes.index[genes["highly_variable"]]
    assert list(chosen) == list(expected.index[expected["highly_variable"]])
    import_file(KANG, tmp_path / "dataset")
    in_project = variable_genes(tmp_path / "dataset", 1_000, batch_key)
    assert np.array_equal(np.flatnonzero(genes["highly_variable"]), in_project)
    _, again, _, _ = run(tmp_path / "dataset", tmp_path / "again", batch_key, 1_000)
    assert genes.equals(again)


@pytest.mark.usefixtures("small_blocks")
def test_all_detected_genes_are_taken_when_no_more_are_asked_for(cells, path, tmp_path):
    _, genes, _, _ = run(path, tmp_path / "out", "batch", 2_000)
    assert list(genes.index[~genes["highly_variable"]]) == ["MT-3"]


@pytest.mark.usefixtures("small_blocks")
def test_several_files_give_what_one_gives(cells, path, tmp_path):
    parts = tuple(tmp_path / name for name in ("1.h5ad", "2.h5ad"))
    cells[:250].copy().write_h5ad(parts[0])
    cells[250:].copy().write_h5ad(parts[1])
    one, both = (run(source, tmp_path / "out", "batch") for source in (path, parts))
    assert both[0]["sources"] == [str(part) for part in parts]
    assert both[1].equals(one[1])
    assert both[2].equals(one[2])
    np.testing.assert_allclose(np.abs(both[3][:, :3]), np.abs(one[3][:, :3]), atol=1e-4)


@pytest.mark.usefixtures("small_blocks")
def test_quality_is_that_of_scanpy(cells, path, tmp_path):
    summary, _, quality, _ = run(path, tmp_path / "out")
    adata = cells.copy()
    adata.var["mt"] = adata.var_names.str.startswith("MT-")
    expected, _ = scanpy.pp.calculate_qc_metrics(
        adata, qc_vars=["mt"], percent_top=None, log1p=False
    )
    assert list(quality.index) == list(cells.obs_names)
    for column in quality:
        np.testing.assert_allclose(quality[column], expected[column].fillna(0), rtol=1e-6)
    assert summary["n_empty_cells"] == 1
    assert summary["n_mt_genes"] == 6


@pytest.mark.filterwarnings(
    "ignore:Some cells have zero counts:UserWarning"
)  # of what the test does itself
@pytest.mark.usefixtures("small_blocks")
def test_components_are_those_of_scanpy_in_memory(cells, path, tmp_path):
    summary, genes, _, found = run(path, tmp_path / "out")
    adata = cells.copy()
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    adata = adata[:, genes["highly_variable"].to_numpy()].copy()
    scanpy.pp.pca(adata, n_comps=10)
    expected = adata.obsm["X_pca"]
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert subspace_angles(found[:, :5], expected[:, :5]).max() < 1e-3
    np.testing.assert_allclose(np.abs(found[:, :3]), np.abs(expected[:, :3]), atol=1e-3)
    shares = adata.uns["pca"]["variance_ratio"]
    np.testing.assert_allclose(summary["variance_ratio"], shares, rtol=1e-2)


@pytest.mark.filterwarnings(
    "ignore:Changing the sparsity structure"
)  # of what the test does itself
@pytest.mark.usefixtures("small_blocks")
def test_what_is_no_count_is_named_and_no_summary_is_left(cells, path, tmp_path):
    run(path, tmp_path / "out")
    odd = cells.copy()
    odd.X[FRACTION, 7] = 0.5
    odd.write_h5ad(tmp_path / "odd.h5ad")
    with pytest.raises(CountsNotFound, match=f"cell {FRACTION + 1}, gene GENE7"):
        run(tmp_path / "odd.h5ad", tmp_path / "out")
    assert not (tmp_path / "out" / "preprocess.json").exists()


def test_a_fit_that_cannot_be_done_is_told_in_words(tmp_path):
    same = np.tile(np.repeat([1.0, 2.0], [200, 200]), (60, 1)).astype(np.float32)
    same[::2, ::2] += 1  # every gene has one of few means and variances: the fit is singular
    names = [f"cell {i}" for i in range(60)]
    adata = anndata.AnnData(sp.csr_matrix(same), pd.DataFrame(index=names))
    adata.write_h5ad(tmp_path / "same.h5ad")
    with pytest.raises(InputError, match="singular"):
        run(tmp_path / "same.h5ad", tmp_path / "out")


def test_settings_that_cannot_work_are_refused(path, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="a cluster needs dask.distributed")
    monkeypatch.setattr(atlas_cluster, "CONNECT_S", 0.5)
    with pytest.raises(SettingInvalid, match="No Dask scheduler answers"):
        run(path, tmp_path / "out", workers=Workers(1, "tcp://127.0.0.1:9"))
    with pytest.raises(SettingInvalid, match="0 workers"):
        run(path, tmp_path / "out", workers=Workers(0))
    with pytest.raises(SettingInvalid, match="n_top_genes is -1"):
        run(path, tmp_path / "out", n_top=-1)
    with pytest.raises(ColumnMissing, match="nothing"):
        run(path, tmp_path / "out", "nothing")


@pytest.mark.filterwarnings("default")  # an error in a thread of the cluster would be waited for
@pytest.mark.usefixtures("small_blocks")
def test_a_cluster_finds_the_same(path, tmp_path):
    distributed = pytest.importorskip("distributed", reason="a cluster needs dask.distributed")
    here = run(path, tmp_path / "here", "batch")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        there = run(
            path, tmp_path / "there", "batch", workers=Workers(1, cluster.scheduler_address)
        )
    assert here[1].equals(there[1])
    assert here[2].equals(there[2])
    np.testing.assert_allclose(np.abs(here[3][:, :3]), np.abs(there[3][:, :3]), atol=1e-4)


def test_the_command_writes_and_tells(path, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    line = ["preprocess", str(path), "-o", str(tmp_path / "out"), "--n-top-genes", "50", "--json"]
    options = parser.parse_args([*line, "--batch-key", "batch"])
    options.run(options)
    last_step = json.loads(capsys.readouterr().out)
    assert last_step == json.loads((tmp_path / "out" / "preprocess.json").read_text())
    assert last_step["n_genes_chosen"] == 50
    assert last_step["n_batches_ranked"] == 3
    assert last_step["versions"]["scanpy"] == version("scanpy")


def test_a_project_trains_on_the_genes_that_were_chosen_for_its_data_set(
    cells, tmp_path, monkeypatch
):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    import_file(tmp_path / "cells.h5ad", tmp_path / "dataset")
    request = PreprocessRequest((tmp_path / "dataset",), tmp_path / "out", "batch", None, N_TOP)
    preprocess(request, Workers(1))
    table = pd.read_parquet(tmp_path / "out" / atlas_preprocess.GENES)

    def ask(_request):
        raise AssertionError("the genes were chosen a second time")

    monkeypatch.setattr("scanvi_core.data.genes.choose._ask", ask)
    found = variable_genes(tmp_path / "dataset", N_TOP, "batch")
    assert found.tolist() == np.flatnonzero(table["highly_variable"]).tolist()
    with pytest.raises(AssertionError):  # other cells, other genes
        variable_genes(tmp_path / "dataset", N_TOP, "batch", np.arange(N_OBS) < 500)


def test_a_failed_command_leaves_no_folder_that_it_made(path, tmp_path):
    with pytest.raises(ColumnMissing):
        preprocess(PreprocessRequest((path,), tmp_path / "new" / "results", "donr"), Workers(1))
    assert [one.name for one in tmp_path.iterdir()] == ["cells.zarr"]


def test_a_failed_command_leaves_the_results_of_an_earlier_one(path, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / atlas_preprocess.SUMMARY).write_text("{}")
    with pytest.raises(ColumnMissing):
        preprocess(PreprocessRequest((path,), folder, "donr"), Workers(1))
    assert (folder / atlas_preprocess.SUMMARY).read_text() == "{}"


def test_a_full_disk_while_writing_leaves_no_folder(path, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atlas_preprocess, "_write_cells", full)
    with pytest.raises(ExportError, match="No space left") as caught:
        preprocess(PreprocessRequest((path,), tmp_path / "results"), Workers(1))
    assert is_disk_full(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_share_that_nobody_could_tell_is_missing(cells, tmp_path):
    cells.var_names = [name.replace("MT-", "OTHER") for name in cells.var_names]
    cells.write_zarr(tmp_path / "cells.zarr")
    told = preprocess(PreprocessRequest((tmp_path / "cells.zarr",), tmp_path / "out"), Workers(1))
    assert told["n_mt_genes"] == 0
    frame = pd.read_parquet(tmp_path / "out" / atlas_preprocess.CELLS)
    assert frame["pct_counts_mt"].isna().all() and frame["total_counts"].notna().all()
