"""Normalized expression and counts drawn anew."""

import pytest
import torch

from scanvi_core.errors import SettingInvalid
from scanvi_core.module import SCANVI, VAE
from scanvi_core.module.generation import evaluating, normalized_expression, sample_counts
from scanvi_core.nn.noise import generator_in_use

G, K, S, B = 12, 3, 2, 10


def make(seed=0, **options):
    options = {"use_observed_lib_size": True, "n_hidden": 16, "n_latent": 3} | options
    module = SCANVI(G, S, K, **options)
    module.draw_parameters(torch.Generator().manual_seed(seed))
    return module.double()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


X = torch.poisson(torch.full((B, G), 3.0), generator=generator()).double()
BATCH = torch.arange(B) % S


def test_one_sample_decodes_the_posterior_mean():
    module = make().train()
    got = normalized_expression(module, X, BATCH, library_size=1e4)
    assert module.training
    module.eval()
    z = module.encode(X).mean
    expected = module.decode(z, torch.zeros(B, 1).double(), BATCH).scale * 1e4
    torch.testing.assert_close(got, expected.detach())
    assert torch.equal(normalized_expression(module, X, BATCH, library_size=1e4), got)
    torch.testing.assert_close(got.sum(1), torch.full((B,), 1e4).double())
    assert not got.requires_grad


def test_mean_over_draws_settles_as_one_over_root_n():
    module = make()
    far = normalized_expression(module, X, BATCH, n_samples=4000, generator=generator(99))
    errors = []
    for n in (4, 64):
        each = [
            normalized_expression(module, X, BATCH, n_samples=n, generator=generator(seed))
            for seed in range(20)
        ]
        errors.append((torch.stack(each) - far).square().mean().sqrt().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.25)


def test_expression_as_in_another_batch():
    module = make()
    own = normalized_expression(module, X, BATCH)
    each = [normalized_expression(module, X, BATCH, transform_batch=b) for b in range(S)]
    expected = torch.where((BATCH == 0)[:, None], *each)
    torch.testing.assert_close(own, expected)
    assert not torch.allclose(*each)
    both = normalized_expression(module, X, BATCH, transform_batch=[0, 1])
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


@pytest.mark.parametrize("observed", [True, False])
def test_latent_library_size_is_that_of_the_cell(observed):
    module = make(use_observed_lib_size=observed)
    rate = normalized_expression(module, X, BATCH, library_size="latent")
    module.eval()
    size = X.sum(1) if observed else module.encode_library(X).mean[:, 0].exp().detach()
    torch.testing.assert_close(rate.sum(1), size)


@pytest.mark.parametrize(
    "asked", [{"n_samples": 0}, {"transform_batch": 2}, {"transform_batch": -1}]
)
def test_what_cannot_be_drawn_is_refused(asked):
    for function in (normalized_expression, sample_counts):
        with pytest.raises(SettingInvalid) as error:
            function(make(), X, BATCH, **asked)
        assert error.value.hint


def settled(monkeypatch, module):
    """Make every draw of a state its mean, so that one distribution per entry is left."""
    monkeypatch.setattr(VAE, "draw", lambda _, q: q.mean)
    module.eval()
    return module.decode(module.encode(X).mean, X.sum(1, keepdim=True).log(), BATCH)


@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
@pytest.mark.parametrize("dispersion", ["gene", "gene-batch", "gene-cell", "gene-label"])
def test_drawn_counts_have_the_mean_and_variance_of_the_likelihood(
    monkeypatch, likelihood, dispersion
):
    module, n = make(reconstruction_loss=likelihood, dispersion=dispersion), 3000
    decoded = settled(monkeypatch, module)
    x = sample_counts(module, X, BATCH, n_samples=n, generator=generator())
    assert x.shape == (n, B, G)
    q = module.classify(X).T[:, :, None] if dispersion == "gene-label" else torch.ones(1, 1, 1)
    labels = range(K) if dispersion == "gene-label" else [None]
    theta = torch.stack([module.theta(decoded, BATCH, y).expand(B, G) for y in labels])
    p = 0.0 if likelihood == "nb" else decoded.zi_logits.sigmoid()
    mean = (1 - p) * decoded.rate
    variance = (1 - p) * decoded.rate * (1 + decoded.rate * (q / theta).sum(0) + p * decoded.rate)
    error = (x.mean(0) - mean) / (variance / n).sqrt()
    assert error.abs().max() < 4.5
    assert error.square().mean() < 1.5
    # Tails are heavy: variances are compared in sum.
    assert x.var(0).sum().item() == pytest.approx(variance.sum().item(), rel=0.1)
    assert (x.var(0).sum(0) > 0.9 * mean.sum(0)).all()


def test_counts_are_drawn_with_states_drawn_too(monkeypatch):
    module = make(use_observed_lib_size=False, reconstruction_loss="nb")
    # All variance is that of the library: l ~ N(5, 0.25), a mean above exp(5) by exp(0.125).
    for layer, bias in (
        (module.l_encoder.mean_encoder, 5.0),
        (module.l_encoder.var_encoder, -1.3863),
    ):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, bias)
    totals = sample_counts(module, X, BATCH, n_samples=2000, generator=generator()).sum(-1)
    log_normal_mean = torch.tensor(5 + 0.125).exp().item()
    assert totals.mean().item() == pytest.approx(log_normal_mean, rel=0.02)
    assert totals.var().item() > 0.28 * log_normal_mean**2  # exp(0.25) - 1 and the counts' own


def test_drawing_first_or_decoding_all_agrees_in_distribution():
    """Counts of cells drawn at random are distributed as counts drawn of all cells."""
    from scipy import stats

    module = make()
    everything = sample_counts(module, X, BATCH, n_samples=400, generator=generator(1))
    chosen = torch.randint(0, B, (4000,), generator=generator(2))
    some = sample_counts(module, X[chosen], BATCH[chosen], generator=generator(3))[0]
    for gene in range(G):
        a, b = everything[:, :, gene].flatten(), some[:, gene]
        assert stats.ks_2samp(a, b).pvalue > 1e-4


@pytest.mark.parametrize("dispersion", ["gene", "gene-label"])
def test_draws_repeat_with_their_generator(dispersion):
    module = make(dispersion=dispersion)
    if dispersion == "gene-label":  # labels that are hard to tell and make a difference
        module.px_r.data = torch.tensor([-2.0, 3.0, 8.0]).double().expand(G, K).clone()
    first, again, other = (
        sample_counts(module, X, BATCH, generator=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert generator_in_use() is None


def test_evaluating_leaves_frozen_parts_as_they_were():
    module = make().train()
    module.classifier.eval()
    with evaluating(module):
        assert not module.training
        assert not module.z_encoder.training
    assert module.z_encoder.training
    assert not module.classifier.training


def test_empty_cell_gets_no_counts():
    module, empty = make(), torch.zeros(1, G).double()
    assert (sample_counts(module, empty, BATCH[:1]) == 0).all()
    assert torch.isfinite(normalized_expression(module, empty, BATCH[:1])).all()


def test_plain_vae_generates_too():
    module = VAE(G, S, n_hidden=16, use_observed_lib_size=True).double()
    assert sample_counts(module, X, BATCH).shape == (1, B, G)
    shares = normalized_expression(module, X, BATCH)
    torch.testing.assert_close(shares.sum(1), torch.ones(B).double())
