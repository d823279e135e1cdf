"""How the KL weight and the learning rate move over the steps of a run."""

import math

RISE = 0.2  # share of the steps over which the learning rate climbs
START = 0.1  # first learning rate, as a share of the largest
END = 1e-5  # last learning rate, as a share of the largest


def kl_weight(step: int, n_steps: int, warmup: float) -> float:
    """Return the weight of the KL terms: linear from 0 to 1 over the first `warmup` share.

    Phasing the prior in keeps the latent space from collapsing before the decoder has learned
    anything (Sønderby et al. 2016, "Ladder variational autoencoders").

    Parameters
    ----------
    step
        Number of finished steps.
    n_steps
        Planned steps of the run.
    warmup
        Share of the steps, 0 to 1; 0 gives weight 1 throughout.
    """
    length = warmup * n_steps
    return 1.0 if step >= length else step / length


def one_cycle(step: int, n_steps: int, peak: float) -> float:
    """Return the learning rate: up along a cosine to `peak`, then down along one to almost 0.

    The one-cycle schedule of Smith and Topin (2019, "Super-convergence").

    Parameters
    ----------
    step
        Number of finished steps.
    n_steps
        Planned steps of the run.
    peak
        Largest learning rate.
    """
    top = RISE * n_steps
    if step < top:
        return peak * _cosine(START, 1.0, step / top)
    return peak * _cosine(1.0, END, min(1.0, (step - top) / max(n_steps - 1 - top, 1.0)))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
