"""Closed divergences against Monte Carlo and torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from scanvi_core.distributions.divergences import (
    gaussian_log_prob,
    kl_categorical,
    kl_gaussian,
    kl_standard_gaussian,
)

GENERATOR = torch.Generator().manual_seed(0)
M, V, M0, V0 = (
    torch.rand(6, 4, dtype=torch.float64, generator=GENERATOR) + low for low in (0, 0.2, -1, 0.5)
)


def test_gaussian_terms_equal_torch():
    q, p = Normal(M, V.sqrt()), Normal(M0, V0.sqrt())
    torch.testing.assert_close(kl_gaussian(M, V, M0, V0), kl_divergence(q, p).sum(-1))
    torch.testing.assert_close(kl_standard_gaussian(M, V), kl_gaussian(M, V, M * 0, V * 0 + 1))
    torch.testing.assert_close(gaussian_log_prob(M0, M, V), q.log_prob(M0).sum(-1))
    assert kl_gaussian(M, V, M, V).abs().max() < 1e-12


def test_gaussian_kl_equals_its_monte_carlo_estimate():
    n = 100_000
    noise = torch.randn(n, *M.shape, dtype=torch.float64, generator=GENERATOR)
    z = M + V.sqrt() * noise
    sample = gaussian_log_prob(z, M, V) - gaussian_log_prob(z, M0, V0)
    error = (sample.mean(0) - kl_gaussian(M, V, M0, V0)).abs()
    assert (error < 4.5 * sample.std(0) / math.sqrt(n)).all()


def test_categorical_kl_equals_torch_and_log_k_less_the_entropy():
    log_q = torch.log_softmax(torch.randn(5, 7, dtype=torch.float64, generator=GENERATOR), -1)
    log_p = torch.log_softmax(torch.randn(5, 7, dtype=torch.float64, generator=GENERATOR), -1)
    q, p = Categorical(logits=log_q), Categorical(logits=log_p)
    torch.testing.assert_close(kl_categorical(log_q, log_p), kl_divergence(q, p))
    uniform = torch.full_like(log_q, -math.log(7))
    torch.testing.assert_close(kl_categorical(log_q, uniform), math.log(7) - q.entropy())
    assert kl_categorical(log_p, log_p).abs().max() == 0


def test_labels_without_mass_add_nothing_and_leave_the_gradient_finite():
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    known = torch.tensor([True, False, True, False])
    log_q = torch.log_softmax(logits.masked_fill(~known, -torch.inf), -1)
    value = kl_categorical(log_q, log_q.detach() * 0 - math.log(4))
    small = torch.log_softmax(logits[:, known], -1)
    expected = (small.exp() * (small + math.log(4))).sum(-1)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert torch.isfinite(gradient).all()
    assert (gradient[:, ~known] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_certain_predictions_cost_exactly_the_prior(dtype):
    log_q = torch.log_softmax(torch.tensor([[0.0, 500.0, 0.0]], dtype=dtype), -1)
    log_p = torch.tensor([[0.2, 0.3, 0.5]], dtype=dtype).log()
    torch.testing.assert_close(kl_categorical(log_q, log_p), -log_p[:, 1])
