"""Doublets: what looks like two cells scores higher; what cannot be judged says why."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from scanvi_core.data.qc.doublets import MAX_CELLS, MIN_CELLS, find_doublets, why_not
from tests import SHARED

MIXTURE = SHARED / "data" / "scmixology.h5ad"


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def types(random):
    """300 cells of three types and 12 doublets of two types each, last; which are doublets."""
    means = random.lognormal(0, 1.5, (3, 200))
    kind = np.repeat([0, 1, 2], 100)
    cells = random.poisson(means[kind])
    double = cells[:12] + cells[100:112]
    counts = sp.csr_matrix(np.vstack([cells, double]).astype(np.float32))
    return counts, np.repeat([False, True], [300, 12])


def test_doublets_of_two_types_score_higher_than_cells(types):
    counts, double = types
    found = find_doublets(counts, seed=0)
    assert not found.problem
    assert roc_auc_score(double, found.score) > 0.9


def test_the_same_seed_gives_the_same_scores(types):
    np.random.seed(1)  # noqa: NPY002  the state of others must not matter
    first = find_doublets(types[0], seed=3).score
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    np.testing.assert_array_equal(first, find_doublets(types[0], seed=3).score)
    after = np.random.get_state()[1]  # noqa: NPY002
    assert (after == state).all(), "somebody drew from the global generator"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        pytest.param(np.ones((60, 80)), "too few genes that differ", id="all alike"),
        pytest.param(np.outer(np.arange(1, 61), np.ones(80)), "too few genes", id="scaled alike"),
        pytest.param(
            np.random.default_rng(0).poisson(1, (60, 30)), "too few genes", id="30 genes"
        ),
        pytest.param(np.eye(60, 80), "too few cells with 3 genes", id="one gene each"),
        pytest.param(np.zeros((60, 80)), "too few cells with 3 genes", id="empty"),
    ],
)
def test_what_is_too_alike_is_a_problem_not_a_crash(counts, words):
    found = find_doublets(sp.csr_matrix(counts, dtype=np.float32), seed=0)
    assert words in found.problem
    assert np.isnan(found.score).all()


@pytest.mark.parametrize("fault", [ValueError, KeyError, TypeError])
def test_any_other_error_is_no_statement_about_the_genes(types, monkeypatch, fault):
    def broken(*_arguments, **_options):
        raise fault("planted")

    monkeypatch.setattr("scanpy.pp.highly_variable_genes", broken)
    with pytest.raises(fault, match="planted"):
        find_doublets(types[0], seed=0)


def test_the_scores_are_those_of_scanpy(random):
    import anndata
    import scanpy

    means = random.lognormal(0, 1.5, (6, 300)) * random.uniform(0.1, 1.0)
    counts = random.poisson(means[random.integers(0, 6, 700)] * random.gamma(2, 0.5, (700, 1)))
    counts[3] = 0  # a cell that is not scored
    cells = anndata.AnnData(sp.csr_matrix(counts, dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scanpy.pp.scrublet(
            cells, mean_center=False, use_approx_neighbors=False, threshold=1.0, verbose=False,
            random_state=5,
        )  # fmt: skip
    expected = cells.obs["doublet_score"].to_numpy()
    found = find_doublets(sp.csr_matrix(counts, dtype=np.float32), seed=5).score
    assert np.isnan(found[3]) and np.isnan(expected[3])
    close = np.isclose(np.delete(found, 3), np.delete(expected, 3), rtol=1e-5)
    assert close.mean() > 0.98  # the others: neighbors that are as near, up to rounding
    assert np.nanmax(np.abs(found - expected)) < 0.03


def test_too_few_too_many_and_too_large_batches_are_not_begun():
    assert str(MIN_CELLS) in why_not(MIN_CELLS - 1, 10, 1e6)
    assert f"{MAX_CELLS:,}" in why_not(MAX_CELLS + 1, 10, 1e6)
    assert "GB" in why_not(1000, 10**9, 1000.0)
    assert not why_not(1000, 10**6, 1000.0)


@pytest.mark.skipif(not MIXTURE.is_file(), reason="../shared/data is not here")
def test_doublets_by_genotype_score_higher_than_single_cells():
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = anndata.read_h5ad(MIXTURE)
    double = (cells.obs["demuxlet_cls"] == "DBL").to_numpy()
    batch, score = cells.obs["batch"].to_numpy(), np.zeros(cells.n_obs)
    for name in np.unique(batch):
        score[batch == name] = find_doublets(cells.X[batch == name], seed=0).score
    assert roc_auc_score(double, score) > 0.62
