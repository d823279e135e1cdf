import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from scanvi_core import SCANVI
from scanvi_core.datasets import SyntheticDataset, simulate


def accuracy_of_logistic_regression(cells):
    logs = np.log1p(cells.X / cells.X.sum(1, keepdims=True) * 1e4)
    half, y = len(logs) // 2, cells.labels[:, 0]
    model = LogisticRegression(C=0.1, max_iter=500).fit(logs[:half], y[:half])
    return model.score(logs[half:], y[half:])


def simulated(seed=0, **settings):
    return simulate(random=np.random.default_rng(seed), **settings)


def test_the_synthetic_counts_have_the_published_moments():
    cells = SyntheticDataset(batch_size=1000)
    assert cells.X.shape == (2000, 100) and cells.X.dtype == np.float32
    mean, p = 5 * 0.7 / 0.3, 0.7
    second = 5 * 0.7 / 0.3**2 + mean**2
    assert cells.X.mean() == pytest.approx(p * mean, rel=0.01)
    assert cells.X.var() == pytest.approx(p * second - (p * mean) ** 2, rel=0.02)


def test_the_synthetic_labels_tell_nothing():
    assert accuracy_of_logistic_regression(SyntheticDataset(batch_size=500)) < 0.45


def test_the_example_of_the_signature_runs_as_written():
    gene_dataset = SyntheticDataset(n_labels=3)
    scanvi = SCANVI(
        gene_dataset.nb_genes,
        n_batch=gene_dataset.n_batches * False,
        n_labels=3,
        y_prior=torch.tensor([[0.1, 0.5, 0.4]]),
        labels_groups=[0, 0, 1],
    )
    x = torch.from_numpy(gene_dataset.X)
    assert scanvi.classify(x).shape == (400, 3)
    prior = (torch.from_numpy(p) for p in (gene_dataset.local_means, gene_dataset.local_vars))
    first, second, _ = scanvi(x, *prior)
    assert torch.isfinite(first + second).all()


def test_library_priors_are_those_of_each_batch():
    cells = simulated()
    logs, batch = np.log(cells.X.sum(1)), cells.batch_indices[:, 0]
    for code in range(cells.n_batches):
        own = batch == code
        assert np.allclose(cells.local_means[own], logs[own].mean(), rtol=1e-6)
        assert np.allclose(cells.local_vars[own], logs[own].var(ddof=0), rtol=1e-5)


def test_simulated_labels_can_be_learned_as_far_as_the_markers_go():
    assert accuracy_of_logistic_regression(simulated()) > 0.95
    assert accuracy_of_logistic_regression(simulated(marker_fold=1.0)) < 0.5


def test_batches_shift_expression():
    cells = simulated(n_obs=2000)
    shares, batch = cells.X / cells.X.sum(1, keepdims=True), cells.batch_indices[:, 0]
    between, parity = (
        np.log(shares[groups].mean(0) / shares[~groups].mean(0)).std()
        for groups in (batch == 0, np.arange(2000) % 2 == 0)
    )
    assert between > 3 * parity


def test_every_type_has_a_cell_and_the_generator_decides_everything():
    cells = simulated(n_obs=20, n_labels=15)
    assert np.unique(cells.labels).size == cells.n_labels == 15
    assert np.array_equal(simulated(seed=3).X, simulated(seed=3).X)
    assert not np.array_equal(simulated(seed=3).X, simulated(seed=4).X)
