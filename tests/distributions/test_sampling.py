"""Drawn counts against the distributions they are drawn from."""

import numpy as np
import pytest
import torch
from scipy import stats

from scanvi_core.distributions.sampling import draw_counts

N = 200_000


def draws(mu, theta, w=None, seed=0):
    mu, theta = torch.full((N,), mu).double(), torch.tensor(theta).double()
    w = None if w is None else torch.full((N,), w).double()
    generator = torch.Generator().manual_seed(seed)
    return draw_counts(mu, theta, w, generator=generator).numpy()


@pytest.mark.parametrize(("mu", "theta"), [(0.5, 0.7), (4.0, 3.0), (9.0, 1e4)])
@pytest.mark.parametrize("w", [None, 0.3])
def test_mean_variance_and_kinds_of_draws(mu, theta, w):
    x = draws(mu, theta, w)
    p = 0.0 if w is None else 1 / (1 + np.exp(-w))
    mean, variance = (1 - p) * mu, (1 - p) * mu * (1 + mu / theta + p * mu)
    assert (x >= 0).all()
    assert (x == x.round()).all()
    assert x.mean() == pytest.approx(mean, abs=4 * (variance / N) ** 0.5)
    fourth = ((x - mean) ** 4).mean()
    assert x.var() == pytest.approx(variance, abs=4 * ((fourth - variance**2) / N) ** 0.5)


@pytest.mark.parametrize("w", [None, -0.5])
def test_every_count_is_as_frequent_as_its_probability(w):
    mu, theta, last = 2.0, 1.5, 12
    x = np.minimum(draws(mu, theta, w), last)
    nb = stats.nbinom(n=theta, p=theta / (theta + mu))
    mass = np.append(nb.pmf(np.arange(last)), nb.sf(last - 1))
    p = 0.0 if w is None else 1 / (1 + np.exp(-w))
    mass = (1 - p) * mass + p * (np.arange(last + 1) == 0)
    assert stats.chisquare(np.bincount(x.astype(int)), N * mass).pvalue > 1e-4


def test_draws_repeat_with_their_generator_and_broadcast():
    assert (draws(3.0, 2.0, 0.0) == draws(3.0, 2.0, 0.0)).all()
    assert (draws(3.0, 2.0, 0.0) != draws(3.0, 2.0, 0.0, seed=1)).any()
    mu, theta = torch.tensor([[0.0, 50.0]]).expand(400, 2), torch.tensor([1.0, 1e4])
    x = draw_counts(mu, theta, torch.tensor([-40.0, -40.0]), generator=torch.Generator())
    assert (x[:, 0] == 0).all()
    assert x[:, 1].mean() == pytest.approx(50, abs=4 * (50 / 400) ** 0.5)
