"""Counts larger than memory: the same values as in the file, in blocks of rows, never dense."""

import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

pytest.importorskip("dask", reason="preprocessing on Dask needs the [scale] extra")

import dask
import h5py
import zarr
from anndata.io import write_elem

from scanvi_core.data.intake.import_file import import_file
from scanvi_core.data.out_of_core.arrays import open_lazy
from scanvi_core.data.out_of_core.genes import variable_table
from scanvi_core.data.out_of_core.passes import measure
from scanvi_core.errors import ColumnMissing, CountsNotFound, FileRefused

N_OBS, N_VARS = 403, 60  # more cells than the sample that is judged first


@pytest.fixture(autouse=True, scope="module")
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def cells():
    random = np.random.default_rng(0)
    counts = sp.csr_matrix(random.poisson(0.7, (N_OBS, N_VARS)).astype(np.float32))
    batch = pd.Categorical(np.where(np.arange(N_OBS) < 150, "a", "b"))
    obs = pd.DataFrame({"batch": batch}, index=[f"cell {i}" for i in range(N_OBS)])
    var = pd.DataFrame(
        {"feature_name": [f"NAME{i}" for i in range(N_VARS)]},
        index=[f"ENSG{i:011d}" for i in range(N_VARS)],
    )
    return anndata.AnnData(counts, obs, var)


def stored(cells, kind, folder):
    path = folder / f"cells.{kind}"
    if kind == "h5ad":
        cells.write_h5ad(path)
    elif kind == "zarr":
        cells.write_zarr(path)
    elif kind == "collection":
        zarr.open_group(path, mode="w", zarr_format=3)
        shards = {"chunks": (256,), "shards": (512,)}
        for at, start in enumerate(range(0, N_OBS, 38)):  # dataset_10 comes after dataset_9
            part = cells[start : start + 38]
            group = zarr.open_group(path / f"dataset_{at}", mode="w", zarr_format=3)
            write_elem(group, "X", part.X, dataset_kwargs=shards)
            write_elem(group, "obs", part.obs)
            write_elem(group, "var", part.var)
    else:
        import_file(stored(cells, "h5ad", folder), path)
    return path


@pytest.mark.parametrize("kind", ["h5ad", "zarr", "collection", "project"])
def test_every_way_of_storing_gives_the_same_cells(cells, kind, tmp_path):
    lazy = open_lazy([stored(cells, kind, tmp_path)], block_values=700)
    assert np.array_equal(lazy.counts.compute().toarray(), cells.X.toarray())
    assert list(lazy.var_names) == list(cells.var_names)
    assert list(lazy.symbols) == list(cells.var["feature_name"])
    assert list(lazy.column("batch")) == list(cells.obs["batch"])
    names = np.concatenate([part.obs_names() for part in lazy.parts])
    assert list(names) == list(cells.obs_names)


def test_blocks_are_sparse_and_cover_rows_that_they_do_not_divide(cells, tmp_path):
    counts = open_lazy([stored(cells, "h5ad", tmp_path)], block_values=700).counts
    blocks = dask.compute(*counts.to_delayed().ravel())
    assert {type(block) for block in blocks} == {sp.csr_matrix}
    heights = [block.shape[0] for block in blocks]
    assert len(set(heights[:-1])) == 1
    assert 0 < heights[-1] < heights[0]
    assert sum(heights) == N_OBS


def test_several_files_follow_each_other(cells, tmp_path):
    first, second = tmp_path / "1.h5ad", tmp_path / "2.zarr"
    cells[:90].copy().write_h5ad(first)
    cells[90:].copy().write_zarr(second)
    lazy = open_lazy([second, first], block_values=700)
    expected = sp.vstack([cells.X[90:], cells.X[:90]]).toarray()
    assert np.array_equal(lazy.counts.compute().toarray(), expected)
    assert list(lazy.column("batch")) == [*cells.obs["batch"][90:], *cells.obs["batch"][:90]]


@pytest.mark.parametrize("place", ["layers/counts", "raw.X"])
def test_counts_are_found_where_they_are(cells, place, tmp_path):
    odd = cells.copy()
    if place == "raw.X":
        odd.raw = cells
        odd = odd[:, 10:].copy()
    else:
        odd.layers["counts"] = cells.X.copy()
    odd.X = odd.X.log1p()
    odd.write_h5ad(tmp_path / "odd.h5ad")
    lazy = open_lazy([tmp_path / "odd.h5ad"])
    assert [part.matrix for part in lazy.parts] == [place]
    assert np.array_equal(lazy.counts.compute().toarray(), cells.X.toarray())
    assert list(lazy.symbols) == list(cells.var["feature_name"])
    with pytest.raises(CountsNotFound, match="log-normalized"):
        open_lazy([tmp_path / "odd.h5ad"], "X")


def test_empty_cells_at_the_beginning_hide_no_counts(cells, tmp_path):
    droplets = anndata.concat([cells, cells])
    droplets.X = sp.vstack([sp.csr_matrix(cells.shape, dtype=np.float32), cells.X]).tocsr()
    droplets.obs_names_make_unique()
    droplets.write_h5ad(tmp_path / "droplets.h5ad")
    counts = open_lazy([tmp_path / "droplets.h5ad"], block_values=700).counts
    measured = measure(counts, cells.var_names, cells.var_names)
    assert np.count_nonzero(measured.quality.totals) == N_OBS


def test_values_stored_twice_are_added_and_zeros_dropped(cells, tmp_path):
    path = stored(cells, "h5ad", tmp_path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][1] = file["X/indices"][0]
        file["X/data"][2] = 0
    held = anndata.read_h5ad(path).X
    found = open_lazy([path], block_values=700).counts.compute()
    assert np.array_equal(found.toarray(), held.toarray())
    assert found.nnz == held.nnz - 2
    assert measure(open_lazy([path]).counts, cells.var_names, cells.var_names).n_cells.sum() == (
        found.nnz
    )


@pytest.mark.parametrize("make", [sp.csc_matrix, np.asarray])
def test_what_is_not_stored_by_cells_is_refused(cells, make, tmp_path):
    other = cells.copy()
    other.X = make(cells.X.toarray())
    other.write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(FileRefused, match="stored by cells"):
        open_lazy([tmp_path / "other.h5ad"])


def test_files_with_other_genes_are_refused(cells, tmp_path):
    path = stored(cells, "h5ad", tmp_path)
    cells[:, ::-1].copy().write_h5ad(tmp_path / "turned.h5ad")
    with pytest.raises(FileRefused, match=r"turned\.h5ad has not the genes of cells\.h5ad"):
        open_lazy([path, tmp_path / "turned.h5ad"])


def test_a_missing_column_and_a_missing_file_are_named(cells, tmp_path):
    with pytest.raises(ColumnMissing, match=r"no column donor\. It has batch"):
        open_lazy([stored(cells, "zarr", tmp_path)]).column("donor")
    with pytest.raises(FileRefused, match=r"no file nothing\.h5ad"):
        open_lazy([tmp_path / "nothing.h5ad"])


def test_positions_beyond_the_last_gene_are_met_before_they_are_used(cells, tmp_path):
    path = stored(cells, "zarr", tmp_path)
    zarr.open_group(path)["X/indices"][-1] = N_VARS
    with pytest.raises(FileRefused, match="X is corrupt: it points beyond its last gene"):
        open_lazy([path], block_values=700).counts.compute()


def test_a_fraction_in_the_last_block_is_met(cells, tmp_path):
    path = stored(cells, "zarr", tmp_path)
    zarr.open_group(path)["X/data"][-1] = 0.5
    lazy = open_lazy([path], block_values=700)
    with pytest.raises(CountsNotFound, match="cell 403, gene ENSG"):
        measure(lazy.counts, lazy.symbols, lazy.var_names)


def test_nothing_is_made_dense(tmp_path):
    wide = sp.random(4_000, 100_000, 1e-4, "csr", np.float32, np.random.default_rng(0))
    wide.data = np.ceil(wide.data * 5)
    anndata.AnnData(wide).write_h5ad(tmp_path / "wide.h5ad")  # 1.6 GB if it were dense
    tracemalloc.start()
    lazy = open_lazy([tmp_path / "wide.h5ad"])
    measured = measure(lazy.counts, lazy.symbols, lazy.var_names)
    variable_table(lazy.counts, measured, None, 500, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lazy.counts.numblocks == (1, 1)
    assert peak < 2e8
