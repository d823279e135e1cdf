"""The evidence of a cell against quadrature, against the bound, and against an exact posterior."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from scanvi_core.errors import SettingInvalid
from scanvi_core.module import SCANVI
from scanvi_core.module.marginal import log_state_and_label, marginal_log_likelihood
from scanvi_core.nn.networks import Gaussian
from scanvi_core.nn.noise import drawing_from

PRIOR = [0.3, 0.7]
CELL = torch.tensor([[4.0, 0.0, 2.0]]).double()
LIBRARY = Gaussian(torch.tensor([[1.6]]).double(), torch.tensor([[0.3]]).double())


def make(**options):
    options = {"use_observed_lib_size": True, "dropout_rate": 0.0} | options
    module = SCANVI(3, 0, 2, n_hidden=8, n_latent=1, y_prior=PRIOR, **options)
    module.draw_parameters(torch.Generator().manual_seed(3))
    return module.double().eval()


def evidence_on_a_grid(module):
    """Return log p(x) of `CELL` by the trapezoidal rule over z1, z2 and the library size."""
    grid = torch.linspace(-8, 8, 401).double()
    labels = torch.eye(2).double()
    n, step = len(grid), (grid[1] - grid[0]).item()
    u_density = torch.tensor(stats.norm.pdf(grid.numpy()))
    observed = module.use_observed_lib_size
    mean, sd = LIBRARY.mean.item(), LIBRARY.var.sqrt().item()
    ls = [CELL.sum().log().item()] if observed else np.linspace(mean - 7 * sd, mean + 7 * sd, 141)
    weights = [1.0] if observed else stats.norm.pdf(ls, mean, sd) * (ls[1] - ls[0])
    total = 0.0
    for y, prior in enumerate(PRIOR):
        m, v = module.decoder_z1_z2(grid[:, None], labels[y].expand(n, 2))
        z_given_u = stats.norm.pdf(grid.numpy()[None], m.detach(), v.sqrt().detach())  # [u, z]
        z_density = (u_density[:, None].numpy() * z_given_u).sum(0) * step
        for log_size, weight in zip(ls, weights, strict=True):
            decoded = module.decode(grid[:, None], torch.full((n, 1), log_size).double(), None)
            theta = module.theta(decoded, None, y)
            log_px = -module.negative_log_likelihood(CELL.expand(n, 3), decoded, theta)
            total += prior * weight * (z_density * log_px.detach().exp().numpy()).sum() * step
    return math.log(total)


def pooled(module, n_rows, n_samples, seed=0):
    """Return the estimate from `n_rows` times `n_samples` draws for `CELL`, and its error."""
    estimates = marginal_log_likelihood(
        module,
        CELL.expand(n_rows, 3),
        n_samples=n_samples,
        library_prior=LIBRARY,
        generator=torch.Generator().manual_seed(seed),
    )
    weights = (estimates - estimates.max()).exp()
    error = (weights.std() / weights.mean()).item() / n_rows**0.5
    return weights.mean().log().item() + estimates.max().item(), error


@pytest.mark.parametrize("dispersion", ["gene", "gene-label"])
@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
@pytest.mark.parametrize("observed", [True, False], ids=["observed", "latent"])
def test_evidence_equals_quadrature(dispersion, likelihood, observed):
    module = make(
        dispersion=dispersion, reconstruction_loss=likelihood, use_observed_lib_size=observed
    )
    if not observed:  # a posterior in the right place, so that the draws are of use
        for head, bias in (("mean", LIBRARY.mean.item()), ("var", LIBRARY.var.log().item())):
            layer = getattr(module.l_encoder, f"{head}_encoder")
            nn.init.constant_(layer.bias, bias + 0.1)
            nn.init.zeros_(layer.weight)
    estimate, error = pooled(module, 50_000, 20)
    # A latent library spreads the weights of the draws.
    assert error < (1.2e-3 if observed else 4e-3)
    tolerance = min(4 * error, 1e-3) if observed else 4 * error
    assert estimate == pytest.approx(evidence_on_a_grid(module), abs=tolerance)


def test_evidence_is_above_the_bound_and_rises_with_the_draws():
    module, n = make(dispersion="gene-label"), 20_000
    cells = CELL.expand(n, 3)
    with torch.no_grad(), drawing_from(torch.Generator().manual_seed(1)):
        values = [-sum(module(cells)[:2])]
    values += [
        marginal_log_likelihood(
            module, cells, n_samples=draws, generator=torch.Generator().manual_seed(2)
        )
        for draws in (1, 4, 16)
    ]
    means = [v.mean().item() for v in values]
    errors = [(v.std() / n**0.5).item() for v in values]
    for i in range(3):
        assert means[i + 1] - means[i] > 4 * math.hypot(errors[i], errors[i + 1])
    assert means[-1] < evidence_on_a_grid(module) + 4 * errors[-1]


def test_cells_do_not_depend_on_their_neighbours_given_the_noise(monkeypatch):
    """One draw is held at a time, so there is no size of a pass that could matter."""
    module = make()
    noise = torch.randn(5, 1, generator=torch.Generator().manual_seed(0)).double()
    cells = torch.poisson(torch.full((5, 3), 2.0), generator=torch.Generator()).double() + 1
    rows = slice(None)
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean + q.var.sqrt() * noise[rows])
    whole = marginal_log_likelihood(module, cells, n_samples=3)
    for rows in (slice(0, 2), slice(2, 5)):
        part = marginal_log_likelihood(module, cells[rows], n_samples=3)
        torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-12)


def test_what_is_missing_is_named_and_the_module_is_left_as_it_was():
    with pytest.raises(SettingInvalid, match="library_prior"):
        marginal_log_likelihood(make(use_observed_lib_size=False), CELL)
    with pytest.raises(SettingInvalid, match="n_samples"):
        marginal_log_likelihood(make(), CELL, n_samples=0)
    module = make().train()
    out = marginal_log_likelihood(module, CELL, n_samples=2)
    assert module.training
    assert not out.requires_grad


def test_zero_variance_of_the_library_stays_finite():
    none = Gaussian(torch.tensor([1.6]).double(), torch.tensor([0.0]).double())
    module = make(use_observed_lib_size=False)
    assert torch.isfinite(marginal_log_likelihood(module, CELL, library_prior=none)).all()


def test_inner_sum_normalises_the_prior_of_the_labels():
    first, second = make(), make()
    second.y_prior.data *= 10
    z = torch.zeros(4, 1).double()
    out = []
    for module in (first, second):
        with drawing_from(torch.Generator().manual_seed(0)):
            out.append(log_state_and_label(module, z))
    torch.testing.assert_close(*out)
