"""NB and ZINB against scipy, their own moments, and the textbook formula."""

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.distributions import NegativeBinomial

from scanvi_core.distributions.fused import (
    Positive,
    compile_terms,
    digamma_less_log,
    log_likelihood,
)
from scanvi_core.distributions.negative_binomial import (
    nb_log_prob,
    stirling_error,
    zinb_log_prob,
)
from scanvi_core.train.compiled import has_compiler


def grid(*axes, dtype=torch.float64):
    axes = [torch.tensor(np.asarray(axis, dtype=float), dtype=dtype) for axis in axes]
    return [t.clone() for t in torch.meshgrid(*axes, indexing="ij")]


def reference(x, mu, theta):
    """Log NB in extended precision from scipy's pieces, with log Γ(x+θ)/Γ(θ) as a sum."""
    x, mu, theta = (np.asarray(t, dtype=np.longdouble) for t in (x, mu, theta))
    ratio = np.zeros(x.shape, dtype=np.longdouble)
    for j in range(int(x.max())):
        ratio += np.where(j < x, np.log(theta + j), 0)
    log_x = np.asarray(special.gammaln(np.asarray(x + 1, dtype=float)))
    return ratio - log_x - theta * np.log1p(mu / theta) + x * np.log(mu / (theta + mu))


@pytest.mark.parametrize("theta", [1e-2, 0.3, 1.0, 7.0, 15.9, 16.1, 1e2, 1e4])
def test_nb_equals_scipy(theta):
    x, mu = grid(np.arange(51.0), [0.1, 1.0, 5.0, 100.0, 1e3])
    expected = stats.nbinom(n=theta, p=theta / (theta + mu.numpy())).logpmf(x.numpy())
    got = nb_log_prob(x, mu, torch.tensor(theta, dtype=torch.float64))
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8)


def test_nb_equals_torch_distributions():
    x, mu, theta = grid(np.arange(51.0), [0.1, 1.0, 5.0, 100.0], [1e-2, 0.3, 7.0, 1e3])
    expected = NegativeBinomial(theta, logits=mu.log() - theta.log()).log_prob(x)
    torch.testing.assert_close(nb_log_prob(x, mu, theta), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("theta", [1e-8, 1e-4, 1.0, 20.0, 1e3, 1e5, 1e6, 1e7, 1e8])
def test_nb_in_single_precision_is_right_for_any_theta(theta):
    x, mu = grid(
        [0.0, 1.0, 2.0, 7.0, 30.0, 200.0], [1e-8, 1e-3, 0.5, 5.0, 1e3], dtype=torch.float32
    )
    t = torch.tensor(theta, dtype=torch.float32)
    expected = reference(x.numpy(), mu.numpy(), np.broadcast_to(t.numpy(), x.shape))
    np.testing.assert_allclose(nb_log_prob(x, mu, t), expected.astype(float), rtol=2e-5, atol=1e-6)


def test_large_counts_stay_right_in_single_precision():
    x, theta = grid([1e4, 1e5], [0.5, 10.0, 1e4], dtype=torch.float32)
    p = theta.double() / (theta.double() + x.double())
    expected = stats.nbinom(n=theta.double(), p=p).logpmf(x.double())
    np.testing.assert_allclose(nb_log_prob(x, x, theta), expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_parameters_give_a_number_that_is_not_one(dtype):
    x, mu, theta, w = grid(
        [0.0, 1.0, 3.5, 1e4],
        [0.0, 1e-30, 1e-8, 1.0, 1e7],
        [1e-8, 1e-3, 1.0, 16.0, 1e12],
        [-100.0, 0.0, 100.0],
        dtype=dtype,
    )
    inputs = [t.requires_grad_() for t in (mu, theta, w)]
    plain = zinb_log_prob(x, *inputs)
    assert torch.isfinite(plain).all()
    for zi in (w, None):
        shape = (len(x.flatten()), 1)
        flat = [t.reshape(shape) for t in (x, mu, theta)]
        cells, mean, dispersion = flat
        # The logarithm of a mean of 0 has no gradient; the network never gives one.
        log_mu = mean.clamp_min(1e-38).log()
        fused = log_likelihood(
            cells, log_mu, dispersion, None if zi is None else zi.reshape(shape)
        )
        assert torch.isfinite(fused).all()
        for gradient in torch.autograd.grad(fused.sum(), inputs[: 2 + (zi is not None)]):
            assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("mu", "theta", "w"), [(0.5, 0.7, -1.0), (4.0, 3.0, 0.3), (9.0, 50.0, 2.0)]
)
def test_mass_and_moments(mu, theta, w):
    x = torch.arange(3000, dtype=torch.float64)
    mu, theta, w = (torch.tensor(v, dtype=torch.float64) for v in (mu, theta, w))
    p = torch.sigmoid(w)
    for log_prob, zero in (
        (nb_log_prob(x, mu, theta), 0.0 * p),
        (zinb_log_prob(x, mu, theta, w), p),
    ):
        mass = log_prob.exp()
        mean = (1 - zero) * mu
        variance = (1 - zero) * mu * (1 + mu / theta + zero * mu)
        torch.testing.assert_close(mass.sum(), torch.ones_like(p), rtol=0, atol=1e-10)
        torch.testing.assert_close((mass * x).sum(), mean, rtol=1e-8, atol=0)
        torch.testing.assert_close((mass * (x - mean) ** 2).sum(), variance, rtol=1e-8, atol=0)


def test_zinb_is_the_mixture_and_its_limits():
    x, mu, theta, w = grid([0.0, 1.0, 8.0], [0.1, 6.0], [0.2, 30.0], [-5.0, 0.0, 5.0])
    p = 1 / (1 + np.exp(-w.numpy()))
    nb = stats.nbinom(n=theta.numpy(), p=(theta / (theta + mu)).numpy()).pmf(x.numpy())
    np.testing.assert_allclose(
        zinb_log_prob(x, mu, theta, w).exp(), p * (x.numpy() == 0) + (1 - p) * nb, rtol=1e-9
    )
    plain = nb_log_prob(x, mu, theta)
    for logit, rounding in ((-20, 1e-14), (-40, 2e-14)):
        difference = (zinb_log_prob(x, mu, theta, w * 0 + logit) - plain).abs()
        assert (difference <= np.exp(logit) * (1 + torch.exp(-plain)) + rounding).all()
    always = zinb_log_prob(x, mu, theta, w * 0 + 60)
    assert always[0].abs().max() < 1e-20
    assert always[1:].max() < -59


def test_nb_becomes_poisson_and_a_mean_of_zero_allows_zero_only():
    x = torch.arange(20, dtype=torch.float64)
    mu, theta = torch.tensor(3.0, dtype=torch.float64), torch.tensor(1e12, dtype=torch.float64)
    np.testing.assert_allclose(nb_log_prob(x, mu, theta), stats.poisson(3).logpmf(x), atol=1e-9)
    none = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    out = nb_log_prob(torch.tensor([0.0, 1.0]).double(), none, torch.tensor(2.0).double())
    assert out[0] == 0
    assert -100 < out[1] < -60
    (gradient,) = torch.autograd.grad(out[0], none)
    assert gradient[0] == -1


def test_parity_is_the_textbook_formula_with_its_epsilon():
    x, mu, theta, w = grid([0.0, 1.0, 9.0], [1e-8, 0.5, 20.0], [0.3, 40.0], [-2.0, 1.0])
    x_, mu_, theta_, w_ = (t.numpy() for t in (x, mu, theta, w))
    eps = 1e-8
    shared = np.log(theta_ + mu_ + eps)
    zero = theta_ * (np.log(theta_ + eps) - shared)
    nb = zero + x_ * (np.log(mu_ + eps) - shared) - special.gammaln(x_ + 1)
    nb += special.gammaln(x_ + theta_) - special.gammaln(theta_)
    np.testing.assert_allclose(nb_log_prob(x, mu, theta, parity=True), nb, atol=1e-11)
    sp = np.logaddexp
    zinb = np.where(x_ == 0, sp(0, zero - w_) - sp(0, -w_), -sp(0, -w_) - w_ + nb)
    np.testing.assert_allclose(zinb_log_prob(x, mu, theta, w, parity=True), zinb, atol=1e-11)
    # The epsilon doubles a mean of 1e-8: 0.69 nats at every count (known, and why it is off).
    bias = nb_log_prob(x, mu, theta, parity=True) - nb_log_prob(x, mu, theta)
    assert bias[1, 0].numpy() == pytest.approx(np.log(2), rel=1e-5)


@pytest.mark.parametrize("path", ["sparse", "dense", "compiled"])
@pytest.mark.parametrize("per_cell", [False, True])
@pytest.mark.parametrize("zero_inflated", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_fused_values_and_gradients_equal_automatic_ones(
    path, per_cell, zero_inflated, dtype, tolerance, monkeypatch
):
    if path == "compiled" and not has_compiler():
        pytest.skip("This machine has no C++ compiler.")
    generator = torch.Generator().manual_seed(0)
    x = torch.poisson(torch.rand(30, 40, generator=generator) * 3, generator=generator).to(dtype)
    x[3], x[5, 7], x[6, 7], x[7, 7] = 0, 17.0, 2.5, 3000.0  # looked up, and not
    log_mu = (torch.rand(30, 40, generator=generator) * 5 + 1e-3).log().to(dtype)
    theta = (3 * torch.randn((30, 40) if per_cell else (40,), generator=generator)).exp().to(dtype)
    w = (3 * torch.randn(30, 40, generator=generator)).to(dtype) if zero_inflated else None
    inputs = [t.requires_grad_() for t in (log_mu, theta, w) if t is not None]
    mu = log_mu.exp()
    plain = nb_log_prob(x, mu, theta) if w is None else zinb_log_prob(x, mu, theta, w)
    if path == "compiled":
        monkeypatch.setattr("scanvi_core.distributions.fused._compiled", {})
        torch.compiler.reset()
        compile_terms(dense=False, per_cell=per_cell, zero_inflated=zero_inflated, dtype=dtype)
        torch.compiler.set_stance("fail_on_recompile")
    fused = log_likelihood(x if path == "dense" else positive(x), log_mu, theta, w)
    torch.compiler.set_stance("default")
    torch.testing.assert_close(fused, plain.sum(-1), rtol=tolerance, atol=tolerance)
    weight = torch.randn(30, generator=generator).to(dtype)
    expected = torch.autograd.grad(plain.sum(-1), inputs, weight)
    for got, wanted in zip(torch.autograd.grad(fused, inputs, weight), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


def positive(x):
    positions = x.reshape(-1).nonzero()[:, 0]
    return Positive(x.reshape(-1)[positions], positions)


@pytest.mark.parametrize("form", [positive, lambda x: x])
def test_slope_in_theta_survives_single_precision_at_large_theta(form):
    theta = torch.tensor([1e3, 1e5, 1e7], requires_grad=True)
    x, mu = torch.full((1, 3), 8.0), torch.full((1, 3), 5.0)
    (got,) = torch.autograd.grad(log_likelihood(form(x), mu.log(), theta, None).sum(), theta)
    # d/dθ log NB ≈ −((x − mu)² − x) / (2 θ²) for θ much larger than x and mu.
    expected = -((8.0 - 5.0) ** 2 - 8.0) / (2 * theta.detach() ** 2)
    assert ((got - expected) * theta).abs().max() < 5e-5


def test_special_functions_equal_scipy_on_both_sides_of_the_switch():
    z = torch.logspace(-6, 6, 400, dtype=torch.float64)
    n = z.numpy()
    exact = special.gammaln(n + 1) - (n + 0.5) * np.log(n) + n - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(stirling_error(z), exact, atol=1e-8)
    small = n < 1e3
    np.testing.assert_allclose(stirling_error(z)[small], exact[small], atol=1e-11)
    np.testing.assert_allclose(digamma_less_log(z), special.digamma(n) - np.log(n), 1e-9, 1e-14)


@pytest.mark.parametrize("per_cell", [False, True])
@pytest.mark.parametrize("zero_inflated", [False, True])
def test_fused_gradients_equal_finite_differences(per_cell, zero_inflated):
    x, mu, theta, w = grid([0.0, 1.0, 6.0, 40.0], [0.05, 2.0, 30.0], [0.1, 3.0, 90.0], [-2.0, 1.0])
    shape = (len(x.flatten()) // 6, 6)  # cells of six genes: the last two axes are the genes
    x, mu, theta, w = (t.reshape(shape) for t in (x, mu, theta, w))
    inputs = [mu.log(), theta if per_cell else theta[0], *([w] if zero_inflated else [])]
    inputs = [t.clone().requires_grad_() for t in inputs]
    for counts in (x, positive(x)):
        fused = lambda mu, theta, w=None, x=counts: log_likelihood(x, mu, theta, w)
        assert torch.autograd.gradcheck(fused, inputs)
