"""What a model says a cell expresses: shares of genes, freed of depth and of batch."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from scipy import sparse

from scanvi_core.data.blocks.rows import filled_rows
from scanvi_core.module import SCANVI, generation
from scanvi_core.nn.sparse import dense
from scanvi_core.train.loader import blocks, rows_of

SEED = 0


def normalized_expression(
    module: SCANVI,
    counts: sparse.csr_array,
    batch_index: np.ndarray | None,
    *,
    transform_batch: Sequence[int] | None = None,
    library_size: float | Literal["latent"] = 1.0,
    n_samples: int = 1,
) -> np.ndarray:
    """Return the decoded expression of every cell, [n, genes], float32; empty cells are NaN.

    `generation.normalized_expression` over blocks of cells; its draws are the same in every call.

    Parameters
    ----------
    module
        The network.
    counts
        Counts [n, genes] of its genes.
    batch_index
        Batch of every cell [n]; may be None with `transform_batch`.
    transform_batch, library_size, n_samples
        As there.
    """
    expression = np.full(counts.shape, np.nan, dtype=np.float32)
    device = module.device
    noise = torch.Generator(device).manual_seed(SEED)
    source = rows_of(counts, device)
    for block in blocks(np.flatnonzero(filled_rows(counts))):
        own = None if batch_index is None else torch.as_tensor(batch_index[block], device=device)
        decoded = generation.normalized_expression(
            module,
            dense(source.fetch(block)),
            own,
            transform_batch=transform_batch,
            library_size=library_size,
            n_samples=n_samples,
            generator=noise,
        )
        expression[block] = decoded.cpu().numpy()
    return expression


def sampled_scales(
    module: SCANVI, counts: sparse.csr_array, rows: np.ndarray, batch: np.ndarray, seed: int
) -> np.ndarray:
    """Return one draw of the decoded shares for each entry of `rows`, [len(rows), genes].

    Only the cells that were asked for are decoded, however many there are in `counts`.

    Parameters
    ----------
    module
        The network.
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
    noise = torch.Generator(module.device).manual_seed(seed)
    source = rows_of(counts, module.device)
    with generation.evaluating(module, noise):
        for block in blocks(np.arange(len(rows))):
            z = module.draw(module.encode(source.fetch(rows[block])))
            code = torch.as_tensor(batch[block], device=module.device)
            scales[block] = module.decode(z, z.new_zeros(len(z), 1), code).scale.cpu().numpy()
    return scales
