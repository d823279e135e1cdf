"""Ranks of genes against scipy, and on real cells against scanpy."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import false_discovery_control, mannwhitneyu

from scanvi_core.annotation.genes.marker_tests import MAX_LOG2, MIN_FRACTION, REST, rank_genes
from scanvi_core.data.normalization import log_normalized
from tests import SHARED

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")

RNG = np.random.default_rng(3)
COUNTS = RNG.poisson(RNG.gamma(0.5, 2.0, size=(1, 12)), size=(90, 12)).astype(np.float32)
COUNTS[:30, 3] += RNG.poisson(6.0, 30)
COUNTS[30:60, 5] += RNG.poisson(6.0, 30)
COUNTS[:, 11] = 0
COUNTS[0, 11] = 1  # seen in one cell: not tested
KINDS = np.repeat([0, 1, -1], 30)
LEVELS = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)


def z_of(a, b):
    """Return the normal score of Wilcoxon's test with its correction for ties, from its parts."""
    both, n, m = np.concatenate([a, b]), len(a), len(b)
    u = mannwhitneyu(a, b).statistic - n * m / 2
    _, ties = np.unique(both, return_counts=True)
    spread = n * m / 12 * ((n + m + 1) - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    return u / np.sqrt(spread)


@pytest.mark.parametrize("reference", [REST, 1])
def test_genes_are_ranked_as_by_scipy(reference):
    found = rank_genes(sp.csr_matrix(COUNTS), KINDS, ["<b>", "B"], 20, reference=reference)
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
    if reference == REST:
        assert own.index[0] == 3 and (own["score"] > 0).all()
        assert set(found["group"]) == {"<b>", "B"}
    else:
        assert 5 in own.index and own.loc[5, "score"] < 0


def test_groups_of_too_few_cells_are_left_out():
    codes = np.where(np.arange(90) < 88, 0, 1)
    assert rank_genes(sp.csr_matrix(COUNTS), codes, ["A", "B"], 5).empty
    found = rank_genes(sp.csr_matrix(COUNTS), np.append(KINDS[:-2], [2, 2]), ["A", "B", "C"], 5)
    assert set(found["group"]) == {"A", "B"}


def by_scanpy(counts, kinds, genes, reference):
    """Return scanpy's tests of `genes`: score, p, fold change and shares, by group and gene."""
    import anndata
    import scanpy

    cells = anndata.AnnData(
        sp.csr_matrix(log_normalized(counts)[:, genes]),
        obs=pd.DataFrame({"kind": pd.Categorical(kinds)}, index=np.arange(len(kinds)).astype(str)),
        var=pd.DataFrame(index=genes.astype(str)),
    )
    with np.errstate(invalid="ignore"):  # of genes without a count on either side
        scanpy.tl.rank_genes_groups(
            cells, "kind", method="wilcoxon", tie_correct=True, pts=True, reference=reference
        )
    table = scanpy.get.rank_genes_groups_df(cells, None)
    table["gene"] = table["names"].astype(int)
    return table.set_index(["group", "gene"])


@needs_shared
@pytest.mark.parametrize("reference", [REST, 1])
def test_real_genes_have_the_numbers_of_scanpy(reference):
    import anndata

    data = anndata.read_h5ad(SHARED / "data" / "kang_ifnb_2800.h5ad")
    own = np.flatnonzero(data.obs["cell_type"].isin(["B", "NK", "CD14 Mono"]))
    kinds = data.obs["cell_type"].astype(str).to_numpy()[own]
    names = ["B", "NK", "CD14 Mono"]
    codes = np.array([names.index(kind) for kind in kinds])
    counts = sp.csr_matrix(data.X, dtype=np.float32)[own]
    ours = rank_genes(counts, codes, names, 50, reference=reference).set_index(["group", "gene"])
    seen = np.array([(counts[codes == code] > 0).mean(axis=0) for code in range(3)])
    genes = np.flatnonzero(seen.max(axis=0).ravel() >= MIN_FRACTION)
    theirs = by_scanpy(counts, kinds, genes, "rest" if reference == REST else "NK")
    theirs = theirs.loc[ours.index]
    np.testing.assert_allclose(ours["score"], theirs["scores"], rtol=1e-5)
    np.testing.assert_allclose(ours["p_adjusted"], theirs["pvals_adj"], rtol=1e-5, atol=1e-300)
    fold = theirs["logfoldchanges"].clip(-MAX_LOG2, MAX_LOG2)
    np.testing.assert_allclose(ours["log2_change"], fold, rtol=1e-4)
    np.testing.assert_allclose(ours["share"], theirs["pct_nz_group"], rtol=1e-9)
    if reference == REST:
        np.testing.assert_allclose(ours["share_others"], theirs["pct_nz_reference"], rtol=1e-9)
