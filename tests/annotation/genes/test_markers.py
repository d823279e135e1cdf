"""Genes that separate groups of cells."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import ttest_ind
from sklearn.metrics import roc_auc_score

from scanvi_core.annotation.genes.quick_markers import contrast, one_vs_rest
from scanvi_core.data.normalization import log_normalized
from tests import SHARED

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")


@pytest.fixture(scope="module")
def kang():
    import anndata

    return anndata.read_h5ad(SHARED / "data" / "kang_ifnb_2800.h5ad")


@pytest.fixture
def counts():
    rng = np.random.default_rng(0)
    rates = rng.gamma(0.5, 1.0, (2, 40)).repeat([70, 90], axis=0)
    return sp.csr_matrix(rng.poisson(rates).astype(np.float32))


def rows(data, label):
    return np.flatnonzero(data.obs["cell_type"] == label)


def test_statistics_match_scipy_and_sklearn(counts):
    a, b = np.arange(70), np.arange(70, 160)
    values = log_normalized(counts).toarray()
    found = contrast(counts, a, b, n=6)
    assert len(found) == 6
    for marker in found:
        x, y = values[a, marker.gene], values[b, marker.gene]
        assert marker.score == pytest.approx(ttest_ind(x, y, equal_var=False).statistic, rel=1e-3)
        truth = np.repeat([1, 0], [70, 90])
        assert marker.auc == pytest.approx(roc_auc_score(truth, np.concatenate([x, y])))
        assert (marker.mean_a, marker.mean_b) == pytest.approx((x.mean(), y.mean()), rel=1e-5)


def test_the_clearest_gene_comes_first(counts):
    found = contrast(counts, np.arange(70), np.arange(70, 160), n=40)
    clear = [abs(marker.auc - 0.5) for marker in found]
    assert clear == sorted(clear, reverse=True)


def test_a_side_without_cells_gives_no_genes(counts):
    assert contrast(counts, np.arange(0), np.arange(5)) == []


def test_one_cell_a_side_gives_finite_numbers(counts):
    found = contrast(counts, np.array([0]), np.array([100]))
    assert found
    assert all(np.isfinite([m.score, m.auc]).all() for m in found)


@needs_shared
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("CD14 Mono", "CD16 Mono", {"FCGR3A", "MS4A7", "VMO1", "CD14"}),
        ("NK", "CD8 T", {"CD3D", "TYROBP", "FCER1G", "CD3G", "CLIC3"}),
        ("B", "CD4 Naive T", {"CD79A", "CD74", "HLA-DRA", "CD3D"}),
    ],
)
def test_textbook_genes_separate_similar_types(kang, a, b, expected):
    found = contrast(kang.X, rows(kang, a), rows(kang, b), n=10)
    assert len(expected & {kang.var_names[m.gene] for m in found}) >= 2


@needs_shared
def test_one_vs_rest_finds_the_b_cell_genes(kang):
    names = list(kang.obs["cell_type"].cat.categories)
    codes = kang.obs["cell_type"].cat.codes.to_numpy()
    found = one_vs_rest(kang.X, codes, names)
    assert list(found) == names
    assert {"CD79A", "MS4A1"} & {kang.var_names[m.gene] for m in found["B"]}
    assert all(m.score > 0 and m.mean_a > m.mean_b for ms in found.values() for m in ms)


def test_one_vs_rest_leaves_out_unlabeled_cells_and_empty_labels(counts):
    codes = np.repeat([0, 1, -1], [70, 60, 30])
    found = one_vs_rest(counts, codes, ["a", "b", "empty"])
    assert found["empty"] == []
    of_two = contrast(counts, np.arange(70), np.arange(70, 130), n=40)
    assert found["a"] == [m for m in of_two if m.score > 0][:5]
