"""Variable genes from a stream are those scanpy finds with everything in memory."""

import anndata
import numpy as np
import pytest
import scanpy
import scipy.sparse as sp

from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.genes.seurat import most_variable


@pytest.fixture(scope="module")
def counts():
    random = np.random.default_rng(0)
    rates = random.gamma(0.4, 2.0, 300) * random.gamma(2.0, 0.5, (240, 300))
    return sp.csr_matrix(random.negative_binomial(2, 2 / (2 + rates)).astype(np.float32))


def of_scanpy(counts, batch):
    adata = anndata.AnnData(counts.copy())
    adata.obs["batch"] = batch.astype(str)
    scanpy.pp.highly_variable_genes(adata, n_top_genes=60, flavor="seurat_v3", batch_key="batch")
    return np.flatnonzero(adata.var["highly_variable"].to_numpy())


@pytest.mark.parametrize("size", [7, 10**6])
@pytest.mark.parametrize("n_batch", [1, 3])
def test_they_are_those_of_scanpy_whatever_the_blocks(counts, monkeypatch, size, n_batch):
    monkeypatch.setattr(row_blocks, "__defaults__", (size,))
    batch = np.arange(240) % n_batch
    found = most_variable(counts.tocsc(), np.arange(300), batch, 60, 0.3)
    assert np.array_equal(found, of_scanpy(counts, batch))


def test_only_the_cells_and_genes_asked_for_count(counts):
    cells, genes = np.flatnonzero(np.arange(240) % 5), np.arange(20, 280)
    batch = np.full(240, -1)
    batch[cells] = cells % 2
    found = most_variable(counts.tocsc(), genes, batch, 60, 0.3)
    assert np.array_equal(found, of_scanpy(counts[cells][:, genes], cells % 2))


def test_constant_genes_are_never_chosen_before_others(counts):
    dense = counts.toarray()
    dense[:, ::3] = 2.0
    batch = np.zeros(240, dtype=np.int64)
    found = most_variable(sp.csc_matrix(dense), np.arange(300), batch, 60, 0.3)
    assert (found % 3 > 0).all()
    assert np.array_equal(found, of_scanpy(sp.csr_matrix(dense), batch))
