"""The bound against a numpy version written from the formulas, with shared weights and noise."""

import numpy as np
import pytest
import torch
from scipy import special

from scanvi_core.module import SCANVI
from scanvi_core.nn.noise import drawing_from

G, K, S, B, L = 20, 3, 2, 16, 10
PRIOR = np.array([0.1, 0.5, 0.4])


class Numpy:
    """SCANVI in numpy float64, from the state dict alone; batch norm in eval mode or not."""

    def __init__(self, module):
        self.w = {n: t.detach().numpy() for n, t in module.state_dict().items()}
        self.m, self.training = module, module.training

    def linear(self, name, h):
        return h @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def block(self, name, h, covariate=None):
        i = 0
        while f"{name}.fc_layers.Layer {i}.0.weight" in self.w:
            layer = f"{name}.fc_layers.Layer {i}"
            h = h if covariate is None else np.concatenate([h, covariate], 1)
            h = self.linear(layer + ".0", h)
            n = layer + ".1"
            mean, var = self.w[n + ".running_mean"], self.w[n + ".running_var"]
            if self.training:
                mean, var = h.mean(0), h.var(0)
            h = (h - mean) / np.sqrt(var + 1e-3) * self.w[n + ".weight"] + self.w[n + ".bias"]
            h, i = np.maximum(h, 0), i + 1
        return h

    def gaussian(self, name, inner, h, covariate=None, floor=1e-4):
        h = self.block(f"{name}.{inner}", h, covariate)
        var = np.exp(self.linear(f"{name}.var_{inner}", h)) + floor
        return self.linear(f"{name}.mean_{inner}", h), var

    def q_y(self, z):
        h = self.linear("classifier.classifier.1", self.block("classifier.classifier.0", z))
        return special.softmax(h, axis=1)

    def log_px(self, x, h, library, s, label):
        scale = special.softmax(self.linear("decoder.px_scale_decoder.0", h), axis=1)
        mu = np.exp(library) * scale
        r = {
            "gene": lambda: self.w["px_r"],
            "gene-batch": lambda: s @ self.w["px_r"].T,
            "gene-label": lambda: label @ self.w["px_r"].T,
            "gene-cell": lambda: self.linear("decoder.px_r_decoder", h),
        }[self.m.dispersion]()
        eps = 1e-8 if self.m.parity else 0.0
        theta = np.exp(r if self.m.parity else 11 * np.tanh(r / 11)) * np.ones_like(x)
        shared = np.log(theta + mu + eps)
        zero = theta * (np.log(theta + eps) - shared)
        nb = zero + x * (np.log(mu + eps) - shared)
        nb += special.gammaln(x + theta) - special.gammaln(theta) - special.gammaln(x + 1)
        if self.m.reconstruction_loss == "nb":
            return nb.sum(1)
        p = special.expit(self.linear("decoder.px_dropout_decoder", h))
        mixed = np.where(x == 0, np.log(p + (1 - p) * np.exp(zero)), np.log1p(-p) + nb)
        return mixed.sum(1)

    def triple(self, x, s, noise, y=None, prior=(0, 1)):
        """Return the two parts of the bound; `noise` = (eps_z1, eps_l, eps_z2 label-major)."""
        h = np.log1p(x)
        m1, v1 = self.gaussian("z_encoder", "encoder", h)
        z1 = m1 + np.sqrt(v1) * noise[0]
        log_n = lambda z, m, v: -0.5 * ((z - m) ** 2 / v + np.log(2 * np.pi * v)).sum(1)
        E, Lk = log_n(z1, m1, v1), 0.0
        if self.m.use_observed_lib_size:
            library = np.log(x.sum(1, keepdims=True))
        else:
            ml, vl = self.gaussian("l_encoder", "encoder", h)
            library = ml + np.sqrt(vl) * noise[1]
            m0, v0 = prior
            Lk = 0.5 * (vl / v0 + (ml - m0) ** 2 / v0 - 1 + np.log(v0 / vl))[:, 0]
        hx = self.block("decoder.px_decoder", z1, s)
        # Stack of all labels for all cells, label-major (batch norm sees all of it at once).
        labels = [np.eye(K)[np.full(B, k)] for k in range(K)] if y is None else [np.eye(K)[y]]
        n, stack, tall = len(labels), np.concatenate(labels), np.tile(z1, (len(labels), 1))
        m2, v2 = self.gaussian("encoder_z2_z1", "encoder", tall, stack)
        z2 = m2 + np.sqrt(v2) * noise[2].reshape(n * B, L)
        floor = 0.0 if self.m.parity else 1e-4
        P = -log_n(tall, *self.gaussian("decoder_z1_z2", "decoder", z2, stack, floor))
        Z = 0.5 * (v2 + m2**2 - 1 - np.log(v2)).sum(1)
        R = np.stack([-self.log_px(x, hx, library, s, label) for label in labels])
        q, C = np.ones((B, 1)), 0.0
        if y is None:
            q = self.q_y(z1)
            pi = self.w["y_prior"][0] / self.w["y_prior"].sum()
            C = (q * np.log(q / pi)).sum(1)
        expect = lambda t: (q.T * t.reshape(n, B)).sum(0)
        return expect(R) + E + expect(P), expect(Z) + C + Lk


def make(seed=0, **options):
    options = {"use_observed_lib_size": True, "dropout_rate": 0.0, "n_hidden": 32} | options
    module = SCANVI(G, S, K, **options)
    generator = torch.Generator().manual_seed(seed)
    module.draw_parameters(generator)
    for layer in module.modules():  # so that eval mode is not nearly the identity
        if isinstance(layer, torch.nn.BatchNorm1d):
            for t, low in ((layer.running_mean, -0.5), (layer.running_var, 0.5)):
                t.uniform_(low, low + 1, generator=generator)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            torch.nn.init.normal_(layer.bias, generator=generator)
    return module.double()


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    x = rng.poisson(2.0, (B, G)).astype(float)
    return x, rng.integers(0, S, B), rng.integers(0, K, B)


def generator():
    return torch.Generator().manual_seed(5)


def noise_of(module, n_labels):
    """Return the noise of the module's next pass when it draws from `generator()`."""
    shapes = [(B, L), (B, 1), (n_labels, B, L)]
    if module.use_observed_lib_size:
        shapes[1] = (0, 1)
    source = generator()
    draws = [torch.empty(s, dtype=torch.float64).normal_(generator=source) for s in shapes]
    return [d.numpy() for d in draws]


@pytest.mark.parametrize("dispersion", ["gene", "gene-batch", "gene-label", "gene-cell"])
@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_bound_equals_numpy(cells, dispersion, likelihood, n_layers):
    x, s, y = cells
    options = {"dispersion": dispersion, "reconstruction_loss": likelihood, "n_layers": n_layers}
    for parity, training, labeled in [(0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 0, 1)]:
        module = make(parity=bool(parity), y_prior=PRIOR, **options).train(bool(training))
        noise = noise_of(module, 1 if labeled else K)
        expected = Numpy(module).triple(x, np.eye(S)[s], noise, y if labeled else None)
        index = torch.tensor(y)[:, None] if labeled else None
        with drawing_from(generator()):
            got = module(torch.tensor(x), batch_index=torch.tensor(s)[:, None], y=index)
        for g, e in zip(got[:2], expected, strict=True):
            np.testing.assert_allclose(g.detach(), e, rtol=1e-10, atol=1e-9)
        assert got[2] == 0.0


def test_latent_library_adds_its_divergence(cells):
    x, s, _ = cells
    module = make(use_observed_lib_size=False).eval()
    prior = np.full((B, 1), 3.0), np.full((B, 1), 0.7)
    expected = Numpy(module).triple(x, np.eye(S)[s], noise_of(module, K), prior=prior)
    with drawing_from(generator()):
        got = module(torch.tensor(x), *map(torch.tensor, prior), torch.tensor(s))
    for g, e in zip(got[:2], expected, strict=True):
        np.testing.assert_allclose(g.detach(), e, rtol=1e-10)


@pytest.mark.parametrize("kl_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ratio", [0.0, 50.0])
def test_loss_weighs_its_three_parts(cells, kl_weight, ratio):
    x, s, y = cells
    module = make(y_prior=PRIOR).eval()
    rec, kl = Numpy(module).triple(x, np.eye(S)[s], noise_of(module, K))
    reference = Numpy(module)
    q = reference.q_y(reference.gaussian("z_encoder", "encoder", np.log1p(x[:7]))[0])
    entropy = -np.log(q[np.arange(7), y[:7]]).mean()
    terms = module.loss(
        torch.tensor(x),
        torch.tensor(s),
        labeled=(torch.tensor(x[:7]), torch.tensor(y[:7])),
        kl_weight=kl_weight,
        classification_ratio=ratio,
        generator=generator(),
    )
    assert terms.classification.item() == pytest.approx(entropy, rel=1e-10)
    expected = rec.mean() + kl_weight * kl.mean() + ratio * entropy
    assert terms.loss.item() == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(terms.log_probs_labeled.detach().exp(), q, atol=1e-12)


@pytest.fixture
def same_noise(monkeypatch):
    """Make every draw use one noise per cell, the same for all labels."""
    fixed = torch.randn(B, L, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean + q.var.sqrt() * fixed)


@pytest.mark.parametrize("dispersion", ["gene", "gene-label"])
def test_unlabeled_is_the_mixture_of_the_labeled(cells, same_noise, dispersion):
    x, s, _ = cells
    x, s = torch.tensor(x), torch.tensor(s)
    module = make(dispersion=dispersion, y_prior=PRIOR).eval()
    total = lambda y: sum(module(x, batch_index=s, y=y)[:2])
    q = module.log_q_y(module.draw(module.encode(x))).exp()
    prior = module.y_prior[0] / module.y_prior.sum()
    labeled = torch.stack([total(torch.full((B,), k)) for k in range(K)], 1)
    expected = (q * (labeled + q.log() - prior.log())).sum(1)
    torch.testing.assert_close(total(None), expected, rtol=0, atol=1e-10)


def test_mixed_minibatch_is_each_cell_by_what_is_known_of_it(cells, same_noise):
    x, s, y = (torch.tensor(c) for c in cells)
    module = make(dispersion="gene-label", y_prior=PRIOR, labels_groups=[0, 0, 1]).eval()
    mixed = torch.where(torch.arange(B) % 2 == 0, -1, y)
    got = torch.stack(module(x, batch_index=s, y=mixed[:, None])[:2])
    free, known = (torch.stack(module(x, batch_index=s, y=v)[:2]) for v in (None, y))
    expected = torch.where(mixed < 0, free, known)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    one_hot = torch.nn.functional.one_hot(y, K) * (mixed >= 0)[:, None]
    torch.testing.assert_close(torch.stack(module(x, batch_index=s, y=one_hot)[:2]), got)
    # A group of one label is that label.
    group = torch.stack(module(x, batch_index=s, y=torch.full((B,), K + 1))[:2])
    alone = torch.stack(module(x, batch_index=s, y=torch.full((B,), 2))[:2])
    torch.testing.assert_close(group, alone, rtol=0, atol=1e-10)


def test_certain_classifier_costs_the_prior_only(cells, same_noise):
    x, s, _ = (torch.tensor(c) for c in cells)
    module = make(y_prior=PRIOR).eval()
    torch.nn.init.zeros_(module.classifier.classifier[1].weight)
    module.classifier.classifier[1].bias.data = torch.tensor([0.0, 800.0, 0.0]).double()
    rec, kl, _ = module(x, batch_index=s)
    rec_known, kl_known, _ = module(x, batch_index=s, y=torch.ones(B, 1))
    torch.testing.assert_close(rec, rec_known, rtol=0, atol=1e-12)
    torch.testing.assert_close(kl - kl_known, torch.full_like(kl, -np.log(0.5)))


def test_prior_enters_by_its_ratios_only(cells, same_noise):
    x, s, _ = (torch.tensor(c) for c in cells)
    first, second = (make(y_prior=w).eval() for w in (PRIOR, [list(10 * PRIOR)]))
    kl = first(x, batch_index=s)[1]
    torch.testing.assert_close(kl, second(x, batch_index=s)[1], rtol=0, atol=1e-6)
    other = make(y_prior=PRIOR[::-1].copy()).eval()
    assert not torch.allclose(kl, other(x, batch_index=s)[1])


def test_gene_label_with_equal_columns_is_gene(cells, same_noise):
    x, s, y = (torch.tensor(c) for c in cells)
    by_label, by_gene = make(dispersion="gene-label").eval(), make().eval()
    state = by_label.state_dict()
    state["px_r"] = state["px_r"][:, 0]
    by_gene.load_state_dict(state)
    by_label.px_r.data = by_label.px_r.data[:, :1].expand(G, K).clone()
    for labels in (None, y):
        torch.testing.assert_close(
            by_label(x, batch_index=s, y=labels)[0], by_gene(x, batch_index=s, y=labels)[0]
        )


def test_gene_label_gradient_reaches_the_known_labels_only(cells):
    x, s, _ = (torch.tensor(c) for c in cells)
    module = make(dispersion="gene-label", labels_groups=[0, 0, 1])
    for y, reached in ((1, [False, True, False]), (K, [True, True, False])):
        module.zero_grad()
        module(x, batch_index=s, y=torch.full((B,), y))[0].sum().backward()
        assert (module.px_r.grad.abs().sum(0) > 0).tolist() == reached


def test_gradients_equal_finite_differences(cells, same_noise):
    x, s, _ = (torch.tensor(c) for c in cells)
    module = make(dispersion="gene-label", reconstruction_loss="zinb").eval()
    loss = lambda: module.loss(x, s, labeled=(x, torch.zeros(B, dtype=torch.long))).loss
    loss().backward()
    for name in ("px_r", "z_encoder.mean_encoder.weight", "classifier.classifier.1.bias"):
        p = module.get_parameter(name)
        at, values = (0,) * p.ndim, []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                p[at] += step
                values.append(loss().item())
        assert p.grad[at].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)
        with torch.no_grad():
            p[at] += 1e-5
