"""What the model expects of a cell: normalized expression, and counts drawn anew.

Every function works in eval mode without gradients and leaves the module's mode as it was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from scanvi_core.distributions.sampling import draw_counts
from scanvi_core.errors import SettingInvalid
from scanvi_core.module.scanvi import SCANVI
from scanvi_core.module.vae import VAE
from scanvi_core.nn.noise import drawing_from, generator_in_use


@contextmanager
def evaluating(module: VAE, generator: torch.Generator | None = None) -> Iterator[None]:
    """Put `module` in eval mode for a while, without gradients, drawing from `generator`."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad(), drawing_from(generator):
            yield
    finally:
        for part in training:  # one by one: a frozen part may be in eval mode on purpose
            part.training = True


def normalized_expression(
    module: VAE,
    x: Tensor,
    batch_index: Tensor | None = None,
    *,
    transform_batch: int | Sequence[int] | None = None,
    library_size: float | Literal["latent"] = 1.0,
    n_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the expression the model sees behind the counts, [cells, genes].

    Parameters
    ----------
    module
        A trained model.
    x
        Counts [cells, genes].
    batch_index
        Batch of each cell, index [cells(, 1)] or one-hot.
    transform_batch
        Batch as a member of which every cell is decoded; of several, the mean. None: its own.
    library_size
        What each row sums to; ``latent``: the library size of the cell.
    n_samples
        1 decodes the posterior mean of the state, so that two calls agree; more average that
        many draws of it.
    generator
        Source of the draws.

    Raises
    ------
    SettingInvalid
        If `n_samples` is below 1 or `transform_batch` names no batch of the model.
    """
    _check_draws(n_samples)
    with evaluating(module, generator):
        q = module.encode(x)
        batches = _batches(module, len(x), batch_index, transform_batch)
        log_size = _log_library(module, x, draw=False)
        scale = torch.zeros_like(x)
        for _ in range(n_samples):
            z = q.mean if n_samples == 1 else module.draw(q)
            for batch in batches:
                scale += module.decode(z, log_size, batch).scale
        scale /= n_samples * len(batches)
        return scale * (log_size.exp() if library_size == "latent" else library_size)


def sample_counts(
    module: VAE,
    x: Tensor,
    batch_index: Tensor | None = None,
    *,
    transform_batch: int | None = None,
    n_samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return counts drawn from the posterior predictive, [n_samples, cells, genes].

    Each sample draws the state, a latent library size and, where the dispersion depends on it,
    the label anew. Parameters and errors as `normalized_expression`.
    """
    _check_draws(n_samples)
    samples = x.new_empty(n_samples, *x.shape)
    with evaluating(module, generator):
        q = module.encode(x)
        (batch,) = _batches(module, len(x), batch_index, transform_batch)
        for sample in samples:
            z = module.draw(q)
            decoded = module.decode(z, _log_library(module, x, draw=True), batch)
            theta = module.theta(decoded, batch, _draw_label(module, z))
            sample.copy_(
                draw_counts(decoded.rate, theta, decoded.zi_logits, generator=generator_in_use())
            )
    return samples


def _check_draws(n_samples: int) -> None:
    if n_samples < 1:
        raise SettingInvalid(f"n_samples is {n_samples}.", "Ask for at least one.")


def _batches(
    module: VAE,
    n_cells: int,
    own: Tensor | None,
    transform_batch: int | Sequence[int] | None,
) -> list[Tensor | None]:
    """Return the batch indices to decode with."""
    if transform_batch is None:
        return [own]
    asked = transform_batch if isinstance(transform_batch, Sequence) else [int(transform_batch)]
    if not asked or not all(0 <= batch < max(module.n_batch, 1) for batch in asked):
        raise SettingInvalid(
            f"transform_batch is {transform_batch}, the model has {module.n_batch} batches.",
            "Choose batches of the model, numbered from 0.",
        )
    return [torch.full((n_cells,), batch, device=module.device) for batch in asked]


def _log_library(module: VAE, x: Tensor, *, draw: bool) -> Tensor:
    """Return the log library size [cells, 1]: observed, or the mean or a draw of a latent one."""
    if module.use_observed_lib_size:
        return torch.log(x.sum(-1, keepdim=True))
    q = module.encode_library(x)
    return module.draw(q) if draw else q.mean


def _draw_label(module: VAE, z: Tensor) -> Tensor | None:
    if not isinstance(module, SCANVI) or module.dispersion != "gene-label":
        return None
    q = module.log_q_y(z).exp()
    return torch.multinomial(q, 1, generator=generator_in_use())[:, 0]
