"""Identities of the bound that need no other program, by exact posteriors and symmetry."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Normal

from scanvi_core.module import SCANVI
from scanvi_core.nn.networks import Gaussian
from scanvi_core.nn.noise import drawing_from

G, K, S, L = 6, 3, 2, 2
PRIOR = torch.tensor([0.2, 0.5, 0.3]).double()
SLOPE, SPREAD = 0.8, 0.5  # of the linear-Gaussian z2 -> z1 below
CENTERS = torch.tensor([[0.0, 1.0], [-1.0, 0.5], [0.7, -0.2]]).double()


def make(seed=0, **options):
    options = {"use_observed_lib_size": True, "dropout_rate": 0.0, "parity": True} | options
    module = SCANVI(G, S, K, n_hidden=16, n_latent=L, **options)
    module.draw_parameters(torch.Generator().manual_seed(seed))
    return module.double().eval()


def cells(n, *, alike=False):
    x = torch.poisson(torch.full((n, G), 3.0), generator=torch.Generator().manual_seed(1)).double()
    return (x[:1].expand(n, G) if alike else x), torch.zeros(n, dtype=torch.long)


class LinearDecoder(nn.Module):
    """p(z1 | z2, y) = N(SLOPE z2 + center of y, SPREAD²)."""

    def forward(self, z2, label):
        mean = SLOPE * z2 + label @ CENTERS
        return Gaussian(mean, torch.full_like(mean, SPREAD**2))


class ExactEncoder(nn.Module):
    """q(z2 | z1, y), the posterior of `LinearDecoder` under z2 ~ N(0, 1)."""

    def forward(self, z1, label):
        total = SLOPE**2 + SPREAD**2
        mean = SLOPE * (z1 - label @ CENTERS) / total
        return Gaussian(mean, torch.full_like(mean, SPREAD**2 / total))


class ExactClassifier(nn.Module):
    """q(y | z1) as Bayes' rule has it."""

    def forward(self, z1):
        return PRIOR.log() + log_given_label(z1)


def log_given_label(z1):
    """Return log p(z1 | y), z2 integrated out, [cells, labels]."""
    marginal = Normal(CENTERS, math.hypot(SLOPE, SPREAD))
    return marginal.log_prob(z1[:, None, :]).sum(-1)


def conjugate():
    module = make(y_prior=PRIOR)
    module.decoder_z1_z2, module.encoder_z2_z1 = LinearDecoder(), ExactEncoder()
    module.classifier = ExactClassifier()
    return module


def test_bound_of_the_exact_posterior_is_the_evidence():
    module, n = conjugate(), 40_000
    x, batch = cells(n)
    states = []
    with torch.no_grad(), drawing_from(torch.Generator().manual_seed(0)):
        module.decoder.register_forward_pre_hook(lambda _, args: states.append(args[0]))
        bound = module.bound(x, batch_index=batch)
    of_state = (bound.q * (bound.P + bound.Z)).sum(0) + bound.C
    evidence = (PRIOR.log() + log_given_label(states[0])).logsumexp(1)
    gap = of_state + evidence
    assert gap.mean().abs() < 4 * gap.std() / n**0.5
    # Any other classifier leaves a gap.
    module.classifier = nn.Linear(L, K).double()
    with torch.no_grad(), drawing_from(torch.Generator().manual_seed(0)):
        bound = module.bound(x, batch_index=batch)
    worse = (bound.q * (bound.P + bound.Z)).sum(0) + bound.C + evidence
    assert worse.mean() > 20 * worse.std() / n**0.5


def test_state_terms_average_to_a_divergence_when_labels_say_nothing():
    """With p(z1 | z2, y) = N(0, 1), E + P is KL[q(z1|x) ‖ N(0, 1)] in expectation."""
    module, n = make(), 40_000
    for head in (module.decoder_z1_z2.mean_decoder, module.decoder_z1_z2.var_decoder):
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    x, batch = cells(n, alike=True)
    with torch.no_grad(), drawing_from(torch.Generator().manual_seed(0)):
        bound = module.bound(x, batch_index=batch)
        q = module.encode(x[:1])
    sample = bound.E + (bound.q * bound.P).sum(0)
    expected = torch.distributions.kl_divergence(Normal(q.mean, q.var.sqrt()), Normal(0, 1)).sum()
    assert (sample.mean() - expected).abs() < 4 * sample.std() / n**0.5


@pytest.mark.parametrize("dispersion", ["gene", "gene-label"])
@pytest.mark.parametrize("groups", [None, [0, 0, 1]])
def test_order_of_the_labels_does_not_matter(monkeypatch, dispersion, groups):
    x, batch = cells(9)
    noise = torch.randn(9, L, generator=torch.Generator().manual_seed(2)).double()
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean + q.var.sqrt() * noise)
    order = torch.tensor([2, 0, 1])
    options = {"dispersion": dispersion, "n_layers": 2, "use_labels_groups": groups is not None}
    module = make(y_prior=PRIOR, labels_groups=groups, **options)
    moved_groups = None if groups is None else torch.tensor(groups)[order].tolist()
    moved = make(y_prior=PRIOR[order], labels_groups=moved_groups, **options)
    state = module.state_dict()
    for name, value in state.items():
        if name == "y_prior" or name.startswith("groups_index"):
            state[name] = moved.state_dict()[name]
        elif name.startswith("classifier.classifier.1"):
            state[name] = value[order]
        elif name == "px_r" and dispersion == "gene-label":
            state[name] = value[:, order]
        elif (
            name.startswith(("encoder_z2_z1.encoder", "decoder_z1_z2.decoder")) and value.ndim == 2
        ):
            state[name] = torch.cat([value[:, :-K], value[:, -K:][:, order]], 1)
    moved.load_state_dict(state)
    y = torch.arange(9) % K
    y_moved = order.argsort()[y]
    for labels, labels_moved in ((None, None), (y, y_moved)):
        expected = module.loss(x, batch, labels, labeled=(x, y), kl_weight=0.7).loss
        got = moved.loss(x, batch, labels_moved, labeled=(x, y_moved), kl_weight=0.7).loss
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(moved.classify(x), module.classify(x)[:, order])
    unmoved = make(y_prior=PRIOR, labels_groups=moved_groups, **options)
    unmoved.load_state_dict(state | {"y_prior": module.y_prior})
    assert not torch.allclose(unmoved.loss(x, batch).loss, module.loss(x, batch).loss)


def test_gradient_of_the_label_term_is_that_of_the_entropy_for_a_uniform_prior():
    module, (x, batch) = make(), cells(8)
    states = []
    module.decoder.register_forward_pre_hook(lambda _, args: states.append(args[0].detach()))
    parameters = list(module.classifier.parameters())
    got = torch.autograd.grad(module.bound(x, batch_index=batch).C.sum(), parameters)
    entropy = Categorical(logits=module.classifier(states[0])).entropy().sum()
    expected = torch.autograd.grad(-entropy, parameters)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert max(g.abs().max() for g in got) > 1e-3


def test_order_of_the_batches_does_not_matter(monkeypatch):
    x, _ = cells(9)
    batch = torch.arange(9) % S
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    module, moved = make(dispersion="gene-batch"), make(dispersion="gene-batch")
    state = module.state_dict()
    first = "decoder.px_decoder.fc_layers.Layer 0.0.weight"
    state["px_r"] = state["px_r"].flip(1)
    state[first] = torch.cat([state[first][:, :L], state[first][:, L:].flip(1)], 1)
    moved.load_state_dict(state)
    expected = module.bound(x, batch_index=batch).R
    torch.testing.assert_close(moved.bound(x, batch_index=1 - batch).R, expected)
    assert not torch.allclose(moved.bound(x, batch_index=batch).R, expected)


@pytest.mark.parametrize("n_batch", [0, 1])
@pytest.mark.parametrize("dispersion", ["gene", "gene-batch"])
def test_a_single_batch_has_no_effect(monkeypatch, n_batch, dispersion):
    x, batch = cells(5)
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    module = SCANVI(G, n_batch, K, dispersion=dispersion, use_observed_lib_size=True).double()
    module.eval()
    assert torch.equal(module.loss(x, batch).loss, module.loss(x).loss)


def test_the_same_cells_twice_cost_the_same(monkeypatch):
    x, batch = cells(9)
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    module = make().train()  # batch norm sees the same mean and variance
    y = torch.arange(9) % K
    once = module.loss(x, batch, labeled=(x, y)).loss
    twice = module.loss(x.repeat(2, 1), batch.repeat(2), labeled=(x.repeat(2, 1), y.repeat(2)))
    torch.testing.assert_close(twice.loss, once)


def test_a_gene_no_cell_expresses_adds_its_zeros_only(monkeypatch):
    """Where its share is next to nothing, R gains the (nearly zero) cost of its zeros."""
    x, batch = cells(7)
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    module = make(reconstruction_loss="nb")
    wider = (
        SCANVI(
            G + 1,
            S,
            K,
            n_hidden=16,
            n_latent=L,
            reconstruction_loss="nb",
            use_observed_lib_size=True,
            dropout_rate=0.0,
            parity=True,
        )
        .double()
        .eval()
    )
    state = wider.state_dict()
    for name, value in module.state_dict().items():
        if name == "z_encoder.encoder.fc_layers.Layer 0.0.weight":
            state[name][:, :G] = value
        elif value.shape == state[name].shape:
            state[name] = value
        else:
            state[name][:G] = value
    state["decoder.px_scale_decoder.0.weight"][G] = 0
    state["decoder.px_scale_decoder.0.bias"][G] = -30
    wider.load_state_dict(state)
    padded = torch.cat([x, torch.zeros(7, 1).double()], 1)
    got, expected = wider.bound(padded, batch_index=batch), module.bound(x, batch_index=batch)
    for term in ("R", "E", "q", "P", "Z", "C"):
        torch.testing.assert_close(getattr(got, term), getattr(expected, term), atol=1e-7, rtol=0)


def test_a_training_step_on_dense_counts_never_waits_for_the_device(monkeypatch):
    """Reading a number back stops an accelerator, and so does finding the counts above 0."""
    for place in ("vae", "scanvi"):
        monkeypatch.setattr(f"scanvi_core.module.{place}.fastest_form", lambda x: x)
    x, _ = cells(8)
    batch = torch.eye(S).double()[torch.arange(8) % S]  # as an index, CPUs alone check its range
    module = make(parity=False, reconstruction_loss="zinb").train()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        module.loss(x, batch, labeled=(x, torch.arange(8) % K)).loss.backward()
    calls = {event.key: event.count for event in profile.key_averages()}
    waits = {"aten::nonzero", "aten::item", "aten::_local_scalar_dense", "aten::is_nonzero"}
    assert not waits & set(calls)
