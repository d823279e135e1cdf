"""Cells drawn, moments and sums of ranks against brute force."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import rankdata

from scanvi_core.annotation.genes import comparison
from scanvi_core.annotation.genes.comparison import draw_per_group, moments, rank_sums

RNG = np.random.default_rng(5)
VALUES = RNG.poisson(1.0, (60, 7)) * RNG.choice([0.5, 1.0, 1.5], (60, 7))
VALUES[:, 5] = 0.0
VALUES[:, 6] = 2.0
CODES = RNG.integers(0, 3, 60)


def test_drawing_takes_all_of_a_small_group_and_a_part_of_a_large_one():
    rows = draw_per_group(np.repeat([0, 1, -1], [5, 100, 9]), 2, 20)
    assert rows[:5].tolist() == [0, 1, 2, 3, 4] and len(rows) == 25 and rows.max() < 105
    assert len(set(rows)) == 25


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_moments_are_those_of_numpy(kind):
    codes = np.where(CODES == 1, -1, CODES)
    n, mean, variance, share = moments(kind(VALUES), codes, 4)
    assert n.tolist() == [np.sum(CODES == 0), 0, np.sum(CODES == 2), 0]
    for code in (0, 2):
        own = VALUES[codes == code]
        np.testing.assert_allclose(mean[code], own.mean(axis=0))
        np.testing.assert_allclose(variance[code], own.var(axis=0, ddof=1), atol=1e-12)
        np.testing.assert_allclose(share[code], (own > 0).mean(axis=0))
    for values in (mean, variance, share):
        assert np.isnan(values[[1, 3]]).all()


@pytest.mark.parametrize("at_once", [comparison.SORTED_VALUES, 50])
@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_rank_sums_and_ties_are_those_of_scipy(kind, at_once, monkeypatch):
    monkeypatch.setattr(comparison, "SORTED_VALUES", at_once)
    stored = kind(VALUES)
    stored.data[::9] = 0.0  # zeros that are stored are zeros
    dense = stored.toarray()
    sums, ties = rank_sums(stored, CODES, 3)
    ranks = rankdata(dense, axis=0)
    for code in range(3):
        np.testing.assert_array_equal(sums[code], ranks[code == CODES].sum(axis=0))
    for gene in range(dense.shape[1]):
        t = np.unique(dense[:, gene], return_counts=True)[1].astype(float)
        assert ties[gene] == (t**3 - t).sum()
    assert (stored.data[::9] == 0.0).all() and stored.nnz == kind(VALUES).nnz, "left as it was"


def test_no_gene_gives_no_sums():
    sums, ties = rank_sums(sp.csr_matrix(VALUES)[:, :0], CODES, 3)
    assert sums.shape == (3, 0) and ties.shape == (0,)
