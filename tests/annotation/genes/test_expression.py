import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.genes.expression import sampled_scales
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.datasets import simulate
from scanvi_core.errors import InputError

EMPTY = 3


@pytest.fixture(scope="module")
def simulated():
    return simulate(400, 80, 2, 3, random=np.random.default_rng(0))


@pytest.fixture(scope="module")
def counts(simulated):
    counts = simulated.X.copy()
    counts[EMPTY] = 0
    return sparse.csr_array(counts)


@pytest.fixture(scope="module")
def batches(simulated):
    return np.array(["a", "b"])[simulated.batch_indices[:, 0]]


def trained(simulated, counts, **settings):
    torch.set_num_threads(1)
    cells = Inputs(
        counts, simulated.gene_names, simulated.labels[:, 0], simulated.cell_types,
        simulated.batch_indices[:, 0], ("a", "b"),
    )  # fmt: skip
    model = ModelConfig(n_hidden=32, n_latent=5, **settings)
    return Annotator.fit(cells, model, TrainConfig(max_epochs=60, device="cpu"))


@pytest.fixture(scope="module")
def model(simulated, counts):
    return trained(simulated, counts)


def test_rows_sum_to_the_library_size(model, counts, batches):
    full = np.arange(400) != EMPTY
    for size in (1.0, 1e4):
        found = model.get_normalized_expression(counts, batches=batches, library_size=size)
        assert found.dtype == np.float32 and (found[full] >= 0).all()
        assert np.allclose(found[full].sum(1), size, rtol=1e-4)
    found = model.get_normalized_expression(counts, batches=batches, library_size="latent")
    assert np.allclose(found[full].sum(1), counts.toarray()[full].sum(1), rtol=1e-4)


def test_cells_without_counts_are_nan(model, counts, batches):
    found = model.get_normalized_expression(counts, batches=batches)
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [EMPTY]


def test_the_mean_state_is_decoded_by_the_networks_of_the_module(model, counts, batches):
    found = model.get_normalized_expression(counts[:3], batches=batches[:3])
    decoder = model.module.decoder
    with torch.no_grad():
        z = torch.from_numpy(model.get_latent_representation(counts[:3]))
        one_hot = torch.eye(2)[[("a", "b").index(name) for name in batches[:3]]]
        linear, norm, relu = decoder.px_decoder.fc_layers[0].children()
        h = relu(
            norm(
                torch.nn.functional.linear(torch.cat([z, one_hot], 1), linear.weight, linear.bias)
            )
        )
        expected = torch.softmax(decoder.px_scale_decoder[0](h), dim=1)
    assert np.allclose(found, expected.numpy(), rtol=1e-4)


def test_the_decoded_means_follow_the_counts(model, counts, batches, simulated):
    own = (simulated.labels[:, 0] == 1) & (np.arange(400) != EMPTY)
    dense = counts.toarray()[own]
    observed = (dense / dense.sum(1, keepdims=True)).mean(0)
    found = model.get_normalized_expression(counts, batches=batches)[own].mean(0)
    assert np.corrcoef(np.log(observed + 1e-5), np.log(found + 1e-5))[0, 1] > 0.95


def test_decoding_in_the_own_batch_is_the_default(model, counts, batches):
    own = batches == "b"
    found = model.get_normalized_expression(counts[own], batches=batches[own])
    same = model.get_normalized_expression(counts[own], transform_batch=["b"])
    other = model.get_normalized_expression(counts[own], transform_batch=["a"])
    assert np.array_equal(found, same, equal_nan=True)
    assert np.nanmax(np.abs(np.log(found / other))) > 0.1


def test_several_batches_are_averaged(model, counts):
    a, b, both = (
        model.get_normalized_expression(counts, transform_batch=names)
        for names in (["a"], ["b"], ["a", "b"])
    )
    assert np.allclose(both, (a + b) / 2, rtol=1e-4, equal_nan=True)


def test_two_calls_agree_and_draws_converge_to_their_mean(model, counts, batches):
    some, own = counts[4:12], batches[4:12]

    def mean_of(n):
        return model.get_normalized_expression(some, batches=own, n_samples=n)

    assert np.array_equal(mean_of(5), mean_of(5))
    with torch.no_grad():
        x = torch.from_numpy(some.toarray())
        q = model.module.encode(x)
        noise = torch.randn(20_000, 8, 5, generator=torch.Generator().manual_seed(7))
        z = (q.mean + q.var.sqrt() * noise).reshape(-1, 5)
        code = torch.tensor([("a", "b").index(name) for name in own]).repeat(20_000)
        exact = model.module.decode(z, torch.zeros(len(z), 1), code).scale
        exact = exact.view(20_000, 8, 80).mean(0).numpy()
    near, far = (np.abs(mean_of(n) / exact - 1).mean() for n in (900, 9))
    assert 4 < far / near < 25  # 1 / sqrt(n): 10
    assert near < 0.02


def test_genes_are_found_by_name(model, counts, batches, simulated):
    order = np.random.default_rng(2).permutation(80)
    names = [simulated.gene_names[i] for i in order]
    found = model.get_normalized_expression(counts[:, order], names, batches=batches)
    expected = model.get_normalized_expression(counts, batches=batches)
    assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize(
    "batches", [None, ["a"], ["a"] * 399 + ["c"]], ids=["none", "too few", "unknown"]
)
def test_batches_that_cannot_be_used_are_refused(model, counts, batches):
    with pytest.raises(InputError, match="batch"):
        model.get_normalized_expression(counts, batches=batches)


def test_a_latent_library_size_is_that_of_its_posterior_mean(simulated, counts, batches):
    model = trained(simulated, counts, use_observed_lib_size=False)
    found = model.get_normalized_expression(counts, batches=batches, library_size="latent")
    full = np.arange(400) != EMPTY
    x = torch.from_numpy(counts.toarray()[full])
    with torch.no_grad():
        expected = model.module.l_encoder(torch.log1p(x)).mean.exp()[:, 0]
    assert np.allclose(found[full].sum(1), expected.numpy(), rtol=1e-4)
    assert np.corrcoef(found[full].sum(1), x.sum(1))[0, 1] > 0.5


def test_the_asked_cells_and_no_others_are_decoded(model, counts, simulated):
    rows = np.array([9, 9, 7, 30])
    batch = np.array([0, 1, 0, 1])
    found = sampled_scales(model.module, counts, rows, batch, seed=3)
    again = sampled_scales(model.module, counts[[9, 7, 30]], np.array([0, 0, 1, 2]), batch, seed=3)
    assert found.shape == (4, 80) and np.array_equal(found, again)
    assert np.allclose(found.sum(1), 1, atol=1e-5)
    assert not np.array_equal(found[0], found[1])
