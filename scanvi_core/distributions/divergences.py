"""Gaussian densities and closed Kullback-Leibler divergences; last axis summed, no constants lost.

References
----------
Kingma and Welling, Auto-Encoding Variational Bayes, 2014, appendix B.
"""

import math

import torch
from torch import Tensor

LOG_2PI = math.log(2.0 * math.pi)


def gaussian_log_prob(z: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """Return log N(z; mean, var) for a diagonal Gaussian, summed over the last axis."""
    return -0.5 * ((z - mean) ** 2 / var + torch.log(var) + LOG_2PI).sum(-1)


def kl_standard_gaussian(mean: Tensor, var: Tensor) -> Tensor:
    """Return KL[N(mean, var) ‖ N(0, I)] = ½ Σ (var + mean² − 1 − log var)."""
    return 0.5 * (var + mean**2 - 1.0 - torch.log(var)).sum(-1)


def kl_gaussian(mean: Tensor, var: Tensor, prior_mean: Tensor, prior_var: Tensor) -> Tensor:
    """Return KL[N(mean, var) ‖ N(prior_mean, prior_var)], summed over the last axis."""
    ratio = var / prior_var
    return 0.5 * (ratio + (mean - prior_mean) ** 2 / prior_var - 1.0 - torch.log(ratio)).sum(-1)


def kl_categorical(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Return Σ_y q_y (log q_y − log p_y) over the last axis, from normalized log-probabilities.

    A label with q_y = 0 (log q_y = −∞) adds nothing, whatever its p_y.
    """
    difference = (log_q - log_p).masked_fill(log_q == -torch.inf, 0.0)
    return (log_q.exp() * difference).sum(-1)
