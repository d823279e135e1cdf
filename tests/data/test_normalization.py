"""Log-normalized counts against the formula and scanpy."""

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.normalization import TARGET_SUM, log_normalized


@pytest.fixture
def counts():
    rng = np.random.default_rng(0)
    return sp.csr_matrix(rng.poisson(rng.gamma(0.5, 1.0, 40), (70, 40)).astype(np.float32))


def test_values_match_the_formula(counts):
    dense = counts.toarray()
    expected = np.log1p(dense / dense.sum(axis=1, keepdims=True) * 1e4)
    np.testing.assert_allclose(log_normalized(counts).toarray(), expected, rtol=1e-5)


def test_values_match_scanpy(counts):
    import anndata
    import scanpy

    cells = anndata.AnnData(counts.copy())
    scanpy.pp.normalize_total(cells, target_sum=TARGET_SUM)
    scanpy.pp.log1p(cells)
    np.testing.assert_allclose(log_normalized(counts).toarray(), cells.X.toarray(), rtol=1e-5)


def test_by_gene_and_by_cell_are_the_same_values(counts):
    totals = np.asarray(counts.sum(axis=1)).ravel() * 1.5
    by_cell, by_gene = (log_normalized(m, totals) for m in (counts, sp.csc_matrix(counts)))
    assert (by_cell.format, by_gene.format) == ("csr", "csc")
    np.testing.assert_array_equal(by_cell.toarray(), by_gene.toarray())
    column = log_normalized(sp.csc_matrix(counts)[:, 3:4], totals)
    np.testing.assert_array_equal(column.toarray(), by_cell[:, 3:4].toarray())


def test_cells_without_counts_stay_zero():
    matrix = log_normalized(sp.csr_matrix(np.array([[0.0, 0], [1, 3]])))
    assert np.isfinite(matrix.toarray()).all() and (matrix[[0]].toarray() == 0).all()


def test_only_the_values_are_new(counts):
    before = counts.data.copy()
    logs = log_normalized(counts)
    assert logs.dtype == np.float32 and np.shares_memory(logs.indices, counts.indices)
    np.testing.assert_array_equal(counts.data, before)
