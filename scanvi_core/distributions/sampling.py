"""Draws of counts from the negative binomial and its zero-inflated form."""

import torch
from torch import Tensor


def draw_counts(
    mu: Tensor,
    theta: Tensor,
    zi_logits: Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return one draw of NB(mu, theta), or of ZINB if `zi_logits` are given; whole numbers.

    NB is a Poisson whose rate is Gamma(shape theta, mean mu); zero inflation hides a count with
    probability σ(`zi_logits`).

    Parameters
    ----------
    mu, theta, zi_logits
        Means, inverse dispersions and logits of a structural zero, of shapes that broadcast.
    generator
        Source of random numbers; None takes torch's default.
    """
    # The public Gamma distribution takes no generator; this is the function it draws with.
    gamma = torch._standard_gamma(theta.expand_as(mu).contiguous(), generator=generator)
    counts = torch.poisson(gamma * (mu / theta), generator=generator)
    if zi_logits is None:
        return counts
    uniform = torch.rand(mu.shape, generator=generator, dtype=mu.dtype, device=mu.device)
    return counts * (uniform >= torch.sigmoid(zi_logits))
