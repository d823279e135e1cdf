"""Levels per group and ranks of genes against brute force and scipy."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import false_discovery_control, mannwhitneyu

from scanvi_core.annotation.genes import levels
from scanvi_core.annotation.genes.levels import by_group, drawn, rank

RNG = np.random.default_rng(3)
COUNTS = RNG.poisson(RNG.gamma(0.5, 2.0, size=(1, 12)), size=(90, 12)).astype(np.float32)
COUNTS[:30, 3] += RNG.poisson(6.0, 30)
COUNTS[30:60, 5] += RNG.poisson(6.0, 30)
COUNTS[:, 11] = 0
COUNTS[0, 11] = 1  # seen in one cell: not tested
KINDS = np.repeat([0, 1, -1], 30)
LEVELS = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)


def test_levels_are_means_and_shares_of_the_cells_of_a_group():
    mean, seen = by_group(sp.csc_matrix(COUNTS), COUNTS.sum(1).astype(float), [3, 5, 0], KINDS, 3)
    for code in (0, 1):
        own = LEVELS[np.equal(KINDS, code)][:, [3, 5, 0]]
        assert np.allclose(mean[code], own.mean(0), rtol=1e-5)
        assert np.allclose(seen[code], (own > 0).mean(0))
    assert np.isnan(mean[2]).all() and np.isnan(seen[2]).all()


def test_drawing_takes_all_of_a_small_group_and_a_part_of_a_large_one():
    rows = drawn(np.repeat([0, 1, -1], [5, 100, 9]), 2, 20)
    assert rows[:5].tolist() == [0, 1, 2, 3, 4] and len(rows) == 25 and rows.max() < 105
    assert len(set(rows)) == 25


def z_of(a, b):
    """Return the normal score of Wilcoxon's test with its correction for ties, from its parts."""
    both, n, m = np.concatenate([a, b]), len(a), len(b)
    u = mannwhitneyu(a, b).statistic - n * m / 2
    _, ties = np.unique(both, return_counts=True)
    spread = n * m / 12 * ((n + m + 1) - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    return u / np.sqrt(spread)


@pytest.mark.parametrize("reference", [levels.REST, 1])
def test_genes_are_ranked_as_by_scipy(reference):
    found = rank(sp.csr_matrix(COUNTS), KINDS, ["<b>", "B"], 20, reference=reference)
    own = found[found["group"] == "<b>"].set_index("gene")
    assert set(own.index[:2]) & {3, 5} and 11 not in own.index
    a, b = LEVELS[KINDS == 0], LEVELS[KINDS == 1]
    for gene, row in own.iterrows():
        assert row["score"] == pytest.approx(z_of(a[:, gene], b[:, gene]), rel=1e-4)
        assert row["share"] == pytest.approx((a[:, gene] > 0).mean())
        assert row["share_others"] == pytest.approx((b[:, gene] > 0).mean())
    tested = np.flatnonzero(np.maximum((a > 0).mean(0), (b > 0).mean(0)) >= 0.1)
    p = [
        mannwhitneyu(a[:, gene], b[:, gene], method="asymptotic", use_continuity=False).pvalue
        for gene in tested
    ]
    adjusted = dict(zip(tested, false_discovery_control(p), strict=True))
    assert own.loc[3, "p_adjusted"] == pytest.approx(adjusted[3], rel=1e-3)
    if reference == levels.REST:
        assert own.index[0] == 3 and (own["score"] > 0).all()
        assert set(found["group"]) == {"<b>", "B"}
    else:
        assert 5 in own.index and own.loc[5, "score"] < 0


def test_groups_of_too_few_cells_are_left_out():
    codes = np.where(np.arange(90) < 88, 0, 1)
    assert rank(sp.csr_matrix(COUNTS), codes, ["A", "B"], 5).empty
    found = rank(sp.csr_matrix(COUNTS), np.append(KINDS[:-2], [2, 2]), ["A", "B", "C"], 5)
    assert set(found["group"]) == {"A", "B"}
