"""What a model says a cell expresses: shares of genes, freed of depth and of batch."""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from scanvi_core.module import SCANVI
from scanvi_core.train.loader import blocks, rows_of


@torch.no_grad()
def normalized_expression(
    module: SCANVI,
    counts: sparse.csr_array,
    batches: np.ndarray,
    *,
    library_size: float | None = 1.0,
    n_samples: int = 0,
    seed: int = 0,
) -> np.ndarray:
    """Return the decoded expression of every cell, [n, genes], float32; empty cells are NaN.

    The softmax output of the decoder times a library size, averaged over batches and draws.

    Parameters
    ----------
    module
        The network, in eval mode.
    counts
        Counts [n, genes] of its genes.
    batches
        Batches to decode each cell as, [n, b]: its own, or several whose decodings are averaged.
    library_size
        What each row sums to; None: the library size of each cell.
    n_samples
        Draws of the state to average over; 0 decodes its posterior mean, without randomness.
    seed
        Start of the draws.
    """
    expression = np.full(counts.shape, np.nan, dtype=np.float32)
    noise = torch.Generator(device_of(module)).manual_seed(seed)
    rows = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > 0)
    with module.drawing_from(noise):
        for block, x in _fetched(module, counts, rows):
            q = module.encode(x)
            states = [module.draw(q) for _ in range(n_samples)] or [q.mean]
            codes = torch.as_tensor(batches[block], device=x.device).unbind(1)
            parts = [decode_scale(module, z, code) for z in states for code in codes]
            scale = torch.stack(parts).mean(0)
            size = log_library(module, x).exp() if library_size is None else library_size
            expression[block] = (scale * size).cpu().numpy()
    return expression


@torch.no_grad()
def sampled_scales(
    module: SCANVI, counts: sparse.csr_array, rows: np.ndarray, batch: np.ndarray, seed: int
) -> np.ndarray:
    """Return one draw of the decoded shares for each entry of `rows`, [len(rows), genes].

    Only the cells that were asked for are decoded, however many there are in `counts`.

    Parameters
    ----------
    module
        The network, in eval mode.
    counts
        Counts [n, genes] of its genes.
    rows
        Cells, each as often as it is wanted; none without counts.
    batch
        Batch to decode each entry as [len(rows)].
    seed
        Start of the draws.
    """
    scales = np.empty((len(rows), counts.shape[1]), dtype=np.float32)
    noise = torch.Generator(device_of(module)).manual_seed(seed)
    source = rows_of(counts, device_of(module))
    with module.drawing_from(noise):
        for block in blocks(np.arange(len(rows))):
            z = module.draw(module.encode(source.fetch(rows[block])))
            code = torch.as_tensor(batch[block], device=z.device)
            scales[block] = decode_scale(module, z, code).cpu().numpy()
    return scales


def decode_scale(module: SCANVI, z: Tensor, batch: Tensor) -> Tensor:
    """Return the share of each gene [cells, genes] in states `z`, as if in `batch` [cells]."""
    return module.decode(z, z.new_zeros(len(z), 1), batch).scale


def log_library(module: SCANVI, x: Tensor) -> Tensor:
    """Return the log library size of each cell [cells, 1]: observed, or its posterior mean."""
    if module.use_observed_lib_size:
        return torch.log(x.sum(-1, keepdim=True))
    return module.l_encoder(torch.log1p(x) if module.log_variational else x).mean


def device_of(module: SCANVI) -> torch.device:
    """Return where the network computes."""
    return next(module.parameters()).device


def _fetched(
    module: SCANVI, counts: sparse.csr_array, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, Tensor]]:
    source = rows_of(counts, device_of(module))
    return ((block, source.fetch(block)) for block in blocks(rows))
