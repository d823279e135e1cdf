"""Variable genes: the same as scanpy's, without its crashes."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy

from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes.choose import (
    choose_genes,
    detected_genes,
    pool_batches,
    told_of_genes,
    variable_genes,
)
from scanvi_core.data.intake.import_file import import_file
from scanvi_core.errors import ColumnMissing
from tests import SHARED

KANG = SHARED / "odd_files" / "derived" / "every_cell_own_batch.h5ad"
pytestmark = pytest.mark.skipif(not KANG.exists(), reason="the data sets are not here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genes") / "ds"
    import_file(KANG, folder)
    return folder


def test_they_are_those_of_scanpy_and_are_kept(folder):
    chosen = variable_genes(folder, 300, "donor_guess")  # singular at the published span
    adata = anndata.read_h5ad(KANG)
    detected = np.asarray((adata.X > 0).sum(axis=0)).ravel() >= 3
    some = adata[:, detected].copy()
    scanpy.pp.highly_variable_genes(
        some, n_top_genes=300, flavor="seurat_v3", batch_key="donor_guess", span=0.5
    )
    expected = np.flatnonzero(detected)[some.var["highly_variable"].to_numpy()]
    assert np.array_equal(chosen, expected)
    assert len(list(folder.glob("variable_genes_*.npy"))) == 1
    said = told_of_genes(folder, 300, "donor_guess")
    assert "a smoother trend than usual" in said and "span 0.5 in place of 0.3" in said
    assert told_of_genes(folder, 299, "donor_guess") == ""  # not chosen yet
    assert np.array_equal(variable_genes(folder, 300, "donor_guess"), chosen)


def test_all_detected_genes_when_no_more_are_asked_for(folder):
    counts = Dataset.open(folder).counts
    expected = np.flatnonzero(np.asarray((counts > 0).sum(axis=0)).ravel() >= 3)
    assert np.array_equal(variable_genes(folder, 10_000), expected)


@pytest.mark.parametrize("flavor", ["seurat", "variance"])
def test_the_fallbacks_choose_as_many(folder, flavor):
    request = {"folder": folder, "n_top": 200, "rows": None, "flavor": flavor}
    found = choose_genes(request | {"batch_key": "batch"})  # every cell its own batch
    chosen = found["genes"]
    assert found["span"] is None
    assert len(set(chosen)) == 200
    assert chosen == sorted(chosen)
    assert set(chosen) <= set(detected_genes(Dataset.open(folder)))


def test_cells_that_were_set_aside_are_not_looked_at(folder):
    rows = np.random.default_rng(0).random(600) < 0.7
    chosen = variable_genes(folder, 300, rows=rows)
    some = anndata.read_h5ad(KANG)[rows].copy()
    detected = np.asarray((some.X > 0).sum(axis=0)).ravel() >= 3
    some = some[:, detected].copy()
    scanpy.pp.highly_variable_genes(some, n_top_genes=300, flavor="seurat_v3", span=0.3)
    expected = np.flatnonzero(detected)[some.var["highly_variable"].to_numpy()]
    assert np.array_equal(chosen, expected)
    assert not np.array_equal(chosen, variable_genes(folder, 300))


def test_a_missing_batch_column_is_named(folder):
    with pytest.raises(ColumnMissing, match="nothing"):
        variable_genes(folder, 300, "nothing")


def test_small_batches_are_pooled():
    column = pd.Series(["a"] * 50 + ["b"] * 40 + ["c"] * 15 + ["d"] * 10 + [None] * 2)
    assert sorted(np.unique(pool_batches(column), return_counts=True)[1]) == [27, 40, 50]


def test_a_small_pool_joins_the_smallest_large_batch():
    column = pd.Series(["a"] * 50 + ["b"] * 40 + ["c"])
    assert sorted(np.unique(pool_batches(column), return_counts=True)[1]) == [41, 50]
    assert pool_batches(pd.Series(["a"] * 50 + ["c"])) is None
    assert pool_batches(pd.Series([f"b{i}" for i in range(50)])) is None
