import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from scanvi_core.annotation.model.linear_models import (
    LinearModels,
    ensemble,
    fit_linear_models,
    principal_components,
)
from scanvi_core.data.normalization import log_normalized


@pytest.fixture
def cells():
    random = np.random.default_rng(0)
    y = np.arange(90) % 3
    means = random.gamma(1.0, 2.0, size=(3, 50))
    return sparse.csr_array(random.poisson(means[y]).astype(np.float32)), y


def reference_logs(counts):
    dense = counts.toarray().astype(float)
    return np.log1p(dense / dense.sum(1, keepdims=True) * 1e4)


def test_both_models_are_those_of_scikit_learn(cells):
    counts, y = cells
    logs = reference_logs(counts)
    linear_models = fit_linear_models(counts, y, 3, np.random.default_rng(0))
    genes, pca = linear_models.predict(counts)
    expected = LogisticRegression(C=0.1, max_iter=2000).fit(logs, y).predict_proba(logs)
    assert np.allclose(genes, expected, atol=5e-3)
    scores = PCA(30, svd_solver="full").fit_transform(logs)
    expected = LogisticRegression(C=1.0, max_iter=2000).fit(scores, y).predict_proba(scores)
    assert np.allclose(pca, expected, atol=5e-3)


def test_components_are_orthonormal_and_as_many_as_there_can_be(cells):
    counts, _ = cells
    logs = log_normalized(counts)
    center, components = principal_components(logs[:8], np.random.default_rng(0))
    assert components.shape == (50, 7)
    assert np.allclose(components.T @ components, np.eye(7), atol=1e-4)
    assert np.allclose(center, logs[:8].toarray().mean(0), atol=1e-4)


def test_two_types_give_two_columns_that_sum_to_one(cells):
    counts, y = cells
    two = np.where(y == 2, -1, y)
    genes, pca = fit_linear_models(counts, two, 2, np.random.default_rng(0)).predict(counts)
    for p in (genes, pca):
        assert p.shape == (90, 2) and np.allclose(p.sum(1), 1, atol=1e-5)
        assert (p.argmax(1) == y)[two >= 0].mean() > 0.95


def test_columns_follow_the_label_codes_when_a_type_has_no_cells(cells):
    counts, y = cells
    skipping = np.where(y > 0, y + 1, y)  # codes 0, 2, 3 of four types
    genes, _ = fit_linear_models(counts, skipping, 4, np.random.default_rng(0)).predict(counts)
    assert not genes[:, 1].any()
    assert (genes.argmax(1) == skipping).mean() > 0.95


def test_the_ensemble_is_the_renormalized_geometric_mean():
    random = np.random.default_rng(0)
    a, b, c = (random.dirichlet(np.ones(4), 20) for _ in range(3))
    expected = (a * b * c) ** (1 / 3)
    expected /= expected.sum(1, keepdims=True)
    assert np.allclose(ensemble(a, b, c), expected, atol=1e-6)


def test_a_type_unknown_to_a_linear_model_keeps_the_share_scanvi_gives_it():
    scanvi = np.array([[0.2, 0.2, 0.6], [0.5, 0.4, 0.1]])
    linear = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    stacked = ensemble(scanvi, linear)
    assert stacked[0].argmax() == 2 and stacked[0, 2] == pytest.approx(0.6, abs=0.02)
    assert stacked[1].argmax() == 0


def test_linear_models_survive_a_round_trip_through_arrays(cells):
    counts, y = cells
    linear_models = fit_linear_models(counts, y, 3, np.random.default_rng(0))
    again = LinearModels.from_tensors(linear_models.tensors(), 3)
    for before, after in zip(linear_models.predict(counts), again.predict(counts), strict=True):
        assert np.array_equal(before, after)
