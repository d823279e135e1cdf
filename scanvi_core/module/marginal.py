"""The log evidence log p(x) of single cells, by importance sampling.

The bound that training climbs is below the evidence by how far q is from the posterior; this
estimator closes the gap as draws are added, so models can be compared by it. With draws
z_i ~ q(z1|x), l_i ~ q(l|x) and, for every label y, u_iy ~ q(z2|z_i, y)::

    log p(x) ≈ log mean_i  Σ_y  p(x|z_i, l_i, y) p(y) p(z_i|u_iy, y) p(u_iy) / q(u_iy|z_i, y)
                           · p(l_i) / ( q(z_i|x) q(l_i|x) )

The mean inside is unbiased for p(x): its logarithm is below log p(x) in expectation, above the
bound, and rises with the number of draws (Burda, Grosse and Salakhutdinov, Importance weighted
autoencoders, 2016). The classifier does not enter: labels are summed exactly under their prior.
"""

import math

import torch
from torch import Tensor

from scanvi_core.distributions.divergences import gaussian_log_prob
from scanvi_core.errors import SettingInvalid
from scanvi_core.module.generation import evaluating
from scanvi_core.module.scanvi import SCANVI
from scanvi_core.nn.networks import VARIANCE_FLOOR, Gaussian


def marginal_log_likelihood(
    module: SCANVI,
    x: Tensor,
    batch_index: Tensor | None = None,
    *,
    n_samples: int = 100,
    library_prior: Gaussian | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return an estimate of log p(x) of each cell, [cells].

    Parameters
    ----------
    module
        A trained model; it is evaluated in eval mode.
    x
        Counts [cells, genes].
    batch_index
        Batch of each cell, index [cells(, 1)] or one-hot.
    n_samples
        Draws of the state; memory does not depend on it.
    library_prior
        Mean and variance of the log totals of each cell's batch, [cells(, 1)]; needed if the
        library size is latent.
    generator
        Source of the draws.

    Raises
    ------
    SettingInvalid
        If `n_samples` is below 1, or the library size is latent and its prior is missing.
    """
    if n_samples < 1:
        raise SettingInvalid(f"n_samples is {n_samples}.", "Ask for at least one.")
    if library_prior is None and not module.use_observed_lib_size:
        raise SettingInvalid(
            "The library size is latent, but library_prior is missing.",
            "Give mean and variance of the log totals of each cell's batch.",
        )
    with evaluating(module, generator):
        q_z1 = module.encode(x)
        total = torch.full_like(x[:, 0], -torch.inf)
        for _ in range(n_samples):
            z1 = module.draw(q_z1)
            library, log_weight = _draw_library(module, x, library_prior)
            log_weight = log_weight - gaussian_log_prob(z1, *q_z1)
            decoded = module.decode(z1, library, batch_index)
            log_px = -module.reconstruction_by_label(x, decoded, batch_index)
            joint = log_px + log_state_and_label(module, z1)
            total = torch.logaddexp(total, log_weight + joint.logsumexp(0))
        return total - math.log(n_samples)


def log_state_and_label(module: SCANVI, z1: Tensor) -> Tensor:
    """Return log p(y) p(z1|u_y, y) p(u_y) / q(u_y|z1, y) at one draw of u, [n_labels, cells]."""
    labels = module.every_label(z1)
    q_u = module.encoder_z2_z1(z1[None], labels)
    u = module.draw(q_u)
    standard = torch.zeros_like(u), torch.ones_like(u)
    return (
        module.log_prior().T
        + gaussian_log_prob(z1, *module.decoder_z1_z2(u, labels))
        + gaussian_log_prob(u, *standard)
        - gaussian_log_prob(u, *q_u)
    )


def _draw_library(module: SCANVI, x: Tensor, prior: Gaussian | None) -> tuple[Tensor, Tensor]:
    """Return the log library size [cells, 1], and log p(l) / q(l|x) of it if it is a draw."""
    if prior is None or module.use_observed_lib_size:
        return torch.log(x.sum(-1, keepdim=True)), x.new_zeros(len(x))
    q = module.encode_library(x)
    draw = module.draw(q)
    mean, var = (t.reshape(-1, 1) for t in prior)
    if not module.parity:
        var = var.clamp_min(VARIANCE_FLOOR)  # as the bound does
    return draw, gaussian_log_prob(draw, mean, var) - gaussian_log_prob(draw, *q)
