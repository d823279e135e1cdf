"""Log-probabilities of counts: negative binomial (NB) and its zero-inflated form (ZINB).

Mean mu and inverse dispersion theta: the variance is mu + mu² / theta. With N = x + theta:

- x = 0: log p = −theta · log(1 + mu/theta);
- x > 0: log p = ½ log(theta / (2π x N)) + S(N) − S(theta) − S(x)
  − theta · log((theta + mu) / N) − x · log(x (theta + mu) / (N mu)),

where S is the error of Stirling's formula. This saddle-point form (Loader, Fast and accurate
computation of binomial probabilities, 2000) never subtracts two large log-gammas, so single
precision suffices for any theta; the textbook form is off by a hundred nats at theta = 1e8.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own name for it)
from torch import Tensor

PARITY_EPS = 1e-8
MU_FLOOR = 1e-30  # in logarithms only: a count where the model expects exactly none stays finite
SERIES_FROM = 16.0
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def nb_log_prob(x: Tensor, mu: Tensor, theta: Tensor, *, parity: bool = False) -> Tensor:
    """Return log NB(x; mu, theta), elementwise over tensors that broadcast.

    Parameters
    ----------
    x
        Counts, 0 or more; fractions are accepted.
    mu
        Mean, 0 or more.
    theta
        Inverse dispersion, above 0.
    parity
        Use the textbook formula with 1e-8 inside the logarithms, as scVI 0.6 to 1.4 do.
    """
    if parity:
        return _nb_parity(x, mu, theta)
    zero = -theta * torch.log1p(mu / theta)
    # The unused branch gets x = 1, so that no infinity enters the gradient.
    return torch.where(x > 0, nb_log_prob_positive(x.where(x > 0, 1.0), mu, theta), zero)


def zinb_log_prob(
    x: Tensor, mu: Tensor, theta: Tensor, zi_logits: Tensor, *, parity: bool = False
) -> Tensor:
    """Return log ZINB(x), where a count is a structural zero with probability σ(`zi_logits`).

    With p = σ(w): x = 0 has log(p + (1 − p) NB(0)) = sp(log NB(0) − w) − sp(−w) and x > 0 has
    log(1 − p) + log NB(x) = −sp(w) + log NB(x), sp the softplus. Parameters as `nb_log_prob`.
    """
    if parity:
        zero = _nb_zero_parity(mu, theta)
        return torch.where(
            x < PARITY_EPS,
            F.softplus(zero - zi_logits) - F.softplus(-zi_logits),
            -F.softplus(-zi_logits) - zi_logits + _nb_parity(x, mu, theta),
        )
    zero = -theta * torch.log1p(mu / theta)
    return torch.where(
        x > 0,
        nb_log_prob_positive(x.where(x > 0, 1.0), mu, theta) - F.softplus(zi_logits),
        F.softplus(zero - zi_logits) - F.softplus(-zi_logits),
    )


def nb_log_prob_positive(x: Tensor, mu: Tensor, theta: Tensor) -> Tensor:
    """Return log NB(x; mu, theta) where x > 0 (saddle-point form, see the top of the file)."""
    mu = mu.clamp_min(MU_FLOOR)
    n = x + theta
    return (
        0.5 * torch.log(theta / (n * x))
        - HALF_LOG_2PI
        + stirling_error(n)
        - stirling_error(theta)
        - stirling_error(x)
        - theta * log_ratio((mu - x) / n, (theta + mu) / n)
        - x * log_ratio((theta / n) * ((x - mu) / mu), x / n + (theta / n) * (x / mu))
    )


def stirling_error(z: Tensor) -> Tensor:
    """Return S(z) = log Γ(z+1) − (z + ½) log z + z − ½ log 2π, for z > 0."""
    small, large = z.clamp_max(SERIES_FROM), z.clamp_min(SERIES_FROM)
    exact = torch.lgamma(small + 1.0) - (small + 0.5) * torch.log(small) + small - HALF_LOG_2PI
    u = 1.0 / (large * large)
    series = (1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u / 1188)))) / large
    return torch.where(z < SERIES_FROM, exact, series)


def log_ratio(t: Tensor, ratio: Tensor) -> Tensor:
    """Return log(1 + t), given also ratio = 1 + t computed apart: t is exact near 0 only."""
    near = t.abs() < 0.5
    return torch.where(near, torch.log1p(t.where(near, 0.0)), torch.log(ratio.where(~near, 1.0)))


def _nb_zero_parity(mu: Tensor, theta: Tensor) -> Tensor:
    return theta * (torch.log(theta + PARITY_EPS) - torch.log(theta + mu + PARITY_EPS))


def _nb_parity(x: Tensor, mu: Tensor, theta: Tensor) -> Tensor:
    return (
        _nb_zero_parity(mu, theta)
        + x * (torch.log(mu + PARITY_EPS) - torch.log(theta + mu + PARITY_EPS))
        + torch.lgamma(x + theta)
        - torch.lgamma(theta)
        - torch.lgamma(x + 1.0)
    )
