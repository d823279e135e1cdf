"""A model of fewer genes and other batches: what is filled in, and what stays as it was."""

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.narrow import fill, narrowed
from scanvi_core.config import DISPERSIONS, ModelConfig, TrainConfig
from scanvi_core.data.normalization import log_normalized

N, GENES = 120, 40


def model_of(n_batches, dispersion="gene"):
    random = np.random.default_rng(0)
    counts = sparse.csr_array(random.poisson(2.0, (N, GENES)).astype(np.float32))
    inputs = Inputs(
        counts, tuple(f"g{i}" for i in range(GENES)), np.arange(N) % 3, ("a", "b", "c"),
        np.arange(N) % n_batches, tuple("xyz"[:n_batches]),
    )  # fmt: skip
    config = ModelConfig(
        n_hidden=16, n_latent=4, n_layers=2, dispersion=dispersion, use_observed_lib_size=False
    )
    return Annotator.fit(inputs, config, TrainConfig(max_epochs=2, device="cpu")), counts


@pytest.mark.parametrize("dispersion", DISPERSIONS)
@pytest.mark.parametrize("batches", [("x",), ("x", "new"), ("q", "y", "w")])
def test_all_genes_in_another_order_give_the_same_numbers(dispersion, batches):
    model, counts = model_of(2, dispersion)
    order = np.random.default_rng(1).permutation(GENES)
    other = narrowed(model, order, [model.genes[at] for at in order], batches)
    ours, theirs = other.predict(counts[:, order]), model.predict(counts)
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-5)
    np.testing.assert_allclose(ours.z1, theirs.z1, atol=1e-4)


def test_fewer_genes_give_the_numbers_of_all_with_the_missing_ones_filled_in():
    model, counts = model_of(1)
    there = np.sort(np.random.default_rng(1).permutation(GENES)[:25])
    other = narrowed(model, there, [f"h{at}" for at in there], ("q",))
    logs = log_normalized(sparse.csr_matrix(counts[:, there])).toarray()
    filling, whole = fill(model.linear_models, there), np.zeros((N, GENES), np.float32)
    whole[:, there] = logs
    whole[:, filling.missing] = logs @ filling.weights + filling.offset
    with torch.no_grad():
        z1 = model.module.eval().z_encoder(torch.from_numpy(whole)).mean.numpy()
    np.testing.assert_allclose(other.predict(counts[:, there]).z1, z1, atol=1e-5)
    np.testing.assert_allclose(
        other.linear_models.project(counts[:, there]),
        whole @ model.linear_models.components
        - model.linear_models.center @ model.linear_models.components,
        atol=1e-4,
    )
    np.testing.assert_allclose(
        other.linear_models.genes.predict(logs, 3), model.linear_models.genes.predict(whole, 3),
        atol=1e-5,
    )  # fmt: skip


def test_genes_that_follow_from_others_are_filled_in_right():
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(GENES, 3)))[0]
    center, cells = random.normal(size=GENES), random.normal(size=(50, 3)) * 3
    whole = center + cells @ axes.T
    model, _ = model_of(1)
    linear = type(model.linear_models)(
        3, model.linear_models.genes, model.linear_models.pca,
        center.astype(np.float32), axes.astype(np.float32),
    )  # fmt: skip
    filling = fill(linear, np.arange(30))
    guess = whole[:, :30] @ filling.weights + filling.offset
    wrong = np.abs(guess - whole[:, 30:]).mean() / np.abs(center[30:] - whole[:, 30:]).mean()
    assert wrong < 0.25


def test_a_narrowed_model_is_saved_and_trained_on(tmp_path):
    model, counts = model_of(2)
    there = np.arange(0, GENES, 2)
    genes, batches = tuple(f"h{at}" for at in there), ("q", "y")
    other = narrowed(model, there, genes, batches)
    other.save(tmp_path / "model")
    loaded = Annotator.load(tmp_path / "model", "cpu")
    inputs = Inputs(
        counts[:, there], genes, np.arange(N) % 3, ("a", "b", "c"), np.arange(N) % 2, batches
    )
    again = Annotator.fit(
        inputs, model.model_config, TrainConfig(max_epochs=1, device="cpu"), warm_start=loaded
    )
    assert again.predict(counts[:, there]).probabilities.shape == (N, 3)
