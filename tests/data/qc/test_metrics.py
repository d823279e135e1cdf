"""Numbers per cell, and the genes of the mitochondrion."""

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.qc import metrics

HUMAN_ND1, MOUSE_ND4L = "ENSG00000198888", "ENSMUSG00000065947"


@pytest.mark.parametrize(
    "name",
    ["MT-ND1", "mt-Nd1", "MT.CO1", "GRCh38_MT-ND1", "mm10___mt-Nd1", HUMAN_ND1, MOUSE_ND4L,
     f"{HUMAN_ND1}.2"],
)  # fmt: skip
def test_a_mitochondrial_gene_is_known_by_symbol_or_ensembl_id(name):
    assert metrics.is_mitochondrial(np.array([name])).all()


@pytest.mark.parametrize("name", ["MT1A", "MTOR", "MTRNR2L1", "ENSG00000141510", "mt-", "AMT-1"])
def test_a_gene_of_the_nucleus_is_not_taken_for_one(name):
    assert not metrics.is_mitochondrial(np.array([name])).any()


def test_of_both_species_the_13_translated_genes_are_known():
    ids = metrics.ENSEMBL_MT
    assert sum(name.startswith("ENSG0") for name in ids) == 13
    assert sum(name.startswith("ENSMUSG0") for name in ids) == 13
    assert {len(name) for name in ids} == {len(HUMAN_ND1), len(MOUSE_ND4L)}


def measured(blocks, *names):
    meter = metrics.Meter(sum(block.shape[0] for block in blocks), *names)
    for block in blocks:
        meter.add(block)
    return meter.finish()


def test_the_numbers_are_those_of_a_dense_matrix_whatever_the_blocks():
    random = np.random.default_rng(0)
    dense = random.poisson(0.7, (60, 30)).astype(np.float32)
    dense[[0, 31]] = 0
    names = np.array([f"G{i}" for i in range(28)] + ["MT-CO1", HUMAN_ND1])
    counts = sp.csr_matrix(dense)
    row, column = (index[5] for index in counts.nonzero())
    dense[row, column] = counts.data[5] = 0  # a zero that is stored
    found = measured([counts[:1], counts[1:40], counts[40:]], names)
    totals = dense.sum(axis=1)
    share = 100 * dense[:, 28:].sum(axis=1) / np.where(totals > 0, totals, 1)
    np.testing.assert_allclose(found.totals, totals)
    np.testing.assert_array_equal(found.n_genes, (dense > 0).sum(axis=1))
    np.testing.assert_allclose(found.pct_mt, share, rtol=1e-6)
    assert found.n_mt_genes == 2


def test_a_gene_without_a_symbol_is_known_by_its_id():
    counts = sp.csr_matrix(np.ones((2, 2), np.float32))
    found = measured([counts], np.array(["CD3D", "nan"]), np.array(["x", HUMAN_ND1]))
    assert found.pct_mt.tolist() == [50.0, 50.0]
