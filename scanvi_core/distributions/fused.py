"""The log-likelihood of whole cells, Σ_g log p(x_g), with its gradient in closed form.

The same numbers as :mod:`scanvi_core.distributions.negative_binomial` and automatic
differentiation, several times faster: most counts are 0, where neither log-gammas nor digammas
are needed, so they are computed at the counts above 0 only.

With N = x + theta and ρ(z) = ψ(z) − log z::

    x = 0:  ∂mu = −theta / (theta + mu)      ∂theta = mu / (theta + mu) − log(1 + mu/theta)
    x > 0:  ∂mu = theta (x − mu) / (mu (theta + mu))
            ∂theta = (mu − x) / (theta + mu) − log((theta + mu) / N) + ρ(N) − ρ(theta)

Zero inflation with p = σ(w) multiplies the gradients at x = 0 by s = σ(log NB(0) − w), the
probability that the zero is none of p's, and adds ∂w = (1 − p) − s, at x > 0 ∂w = −p.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor
from torch.autograd.function import once_differentiable

from scanvi_core.distributions.negative_binomial import (
    HALF_LOG_2PI,
    MU_FLOOR,
    SERIES_FROM,
    log_ratio,
    stirling_error,
)


def log_likelihood(x: Tensor, mu: Tensor, theta: Tensor, zi_logits: Tensor | None) -> Tensor:
    """Return Σ_g log p(x_g) for each cell, NB, or ZINB if `zi_logits` are given.

    Parameters
    ----------
    x, mu, zi_logits
        Counts, means and logits of a structural zero, [cells, genes].
    theta
        Inverse dispersion, [genes] or [cells, genes].

    Returns
    -------
    Tensor
        [cells]. Differentiable once, with respect to `mu`, `theta` and `zi_logits`.
    """
    return _LogLikelihood.apply(x, mu, theta, zi_logits)


class _LogLikelihood(torch.autograd.Function):
    """Computes the gradients in the forward pass, where their parts are at hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mu: Tensor, theta: Tensor, w: Tensor | None) -> Tensor:
        x, mu = x.contiguous(), mu.contiguous()  # flat indices below
        u = mu / theta
        d_mu = torch.reciprocal(u + 1.0)
        log_1u = torch.log1p(u)
        d_theta = u.mul_(d_mu).sub_(log_1u)
        d_mu.neg_()
        value = log_1u.mul_(theta).neg_()
        counted = x.reshape(-1).nonzero()[:, 0]
        positive, *slopes = _positive_counts(x, mu, theta, counted)
        d_w = None
        if w is not None:
            w = w.contiguous()
            not_p = torch.sigmoid(-w)
            s = torch.sigmoid(value - w)
            value = F.softplus(value - w).sub_(F.softplus(-w))
            d_mu.mul_(s)
            d_theta.mul_(s)
            d_w = not_p - s
            d_w.view(-1)[counted] = not_p.view(-1)[counted] - 1.0
            positive = positive - F.softplus(w.reshape(-1)[counted])
        for dense, at_counts in zip((value, d_mu, d_theta), (positive, *slopes), strict=True):
            dense.view(-1)[counted] = at_counts
        ctx.save_for_backward(d_mu, d_theta, d_w)
        ctx.theta_per_gene = theta.ndim == 1
        return value.sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        d_mu, d_theta, d_w = ctx.saved_tensors
        column = grad[:, None]
        grad_theta = grad @ d_theta if ctx.theta_per_gene else column * d_theta
        return None, column * d_mu, grad_theta, None if d_w is None else column * d_w


def _positive_counts(
    x: Tensor, mu: Tensor, theta: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log NB(x), its slope in mu and its slope in theta, at the flat indices `counted`."""
    x, mu = x.reshape(-1)[counted], mu.reshape(-1)[counted].clamp_min(MU_FLOOR)
    at = counted % theta.shape[0] if theta.ndim == 1 else counted
    # Once per gene where theta is one per gene, before the values are spread.
    of_theta = (theta, stirling_error(theta), digamma_less_log(theta))
    theta, s_theta, rho_theta = (t.reshape(-1)[at] for t in of_theta)
    n, excess = x + theta, x - mu
    p, shared = theta / n, theta + mu
    log_shared = log_ratio(-excess / n, shared / n)
    value = (
        0.5 * torch.log(p / x)
        - HALF_LOG_2PI
        + (stirling_error(n) - s_theta - stirling_error(x))
        - theta * log_shared
        - x * log_ratio(p * (excess / mu), x / n + p * (x / mu))
    )
    d_mu = (theta / shared) * (excess / mu)
    d_theta = digamma_less_log(n) - rho_theta - log_shared - excess / shared
    return value, d_mu, d_theta


def digamma_less_log(z: Tensor) -> Tensor:
    """Return ρ(z) = ψ(z) − log z, for z > 0."""
    small, large = z.clamp_max(SERIES_FROM), z.clamp_min(SERIES_FROM)
    u = 1.0 / (large * large)
    tail = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u / 132))))
    exact = torch.digamma(small) - torch.log(small)
    return torch.where(z < SERIES_FROM, exact, -0.5 / large - tail)
