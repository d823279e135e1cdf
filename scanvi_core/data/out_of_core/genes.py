"""Variable genes of counts larger than memory: those of :mod:`scanvi_core.data.genes.choose`.

Scanpy 1.11.5 ends with a TypeError at ``flavor="seurat_v3"`` of a Dask array (it calls
``np.putmask`` on it), and its other flavours read all counts again for every batch
(scverse/scanpy#3736; ``python -m benchmarks.scale.preprocess``). So sums per batch are taken block
by block and added up by Dask; pooling of small batches, fit and ranks are those used in memory.
"""

import logging
import tempfile
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from dask.base import compute
from dask.delayed import delayed

from scanvi_core import config
from scanvi_core.data.genes.choose import MIN_DETECTED, pool_batches
from scanvi_core.data.genes.how_chosen import SPANS
from scanvi_core.data.genes.seurat import Floats, SingularFit, expected, first, standardized
from scanvi_core.data.out_of_core.passes import Measurements, added, blocks_of, reading
from scanvi_core.errors import InputError
from scanvi_core.runtime import worker_threads

logger = logging.getLogger(__name__)


def variable_table(
    counts: Any, measured: Measurements, batch: pd.Series | None, n_top: int, folder: Path
) -> pd.DataFrame:
    """Choose the variable genes as :func:`scanvi_core.data.genes.choose.variable_genes` does.

    Parameters
    ----------
    counts, measured
        The counts and what :func:`~scanvi_core.data.out_of_core.passes.measure` tells of them.
    batch
        Batch of each cell; small batches are pooled. None: one batch.
    n_top
        How many genes.
    folder
        For a temporary file that all workers read.

    Returns
    -------
    DataFrame
        Per gene ``n_cells_by_counts``, ``highly_variable`` and, where there was a choice, scanpy's
        ``highly_variable_rank`` (median over batches), ``highly_variable_nbatches`` and
        ``variances_norm``.

    Raises
    ------
    InputError
        If the local fit is singular at every span.
    """
    detected = np.flatnonzero(measured.n_cells >= MIN_DETECTED)
    if len(detected) < config.MIN_GENES:
        detected = np.arange(counts.shape[1])
    table = pd.DataFrame({"n_cells_by_counts": measured.n_cells, "highly_variable": False})
    if len(detected) <= n_top:
        table.loc[detected, "highly_variable"] = True
        return table
    values = _standardized(counts, batch_codes(measured.quality.totals, batch), detected, folder)
    table.loc[detected[first(values, n_top)], "highly_variable"] = True
    ranks = np.argsort(np.argsort(-values, axis=1), axis=1).astype(np.float64)
    ranks[ranks >= n_top] = np.nan
    about = {
        "highly_variable_rank": np.ma.median(np.ma.masked_invalid(ranks), axis=0).filled(np.nan),
        "highly_variable_nbatches": np.count_nonzero(~np.isnan(ranks), axis=0),
        "variances_norm": values.mean(axis=0),
    }
    return table.join(pd.DataFrame(about, index=detected), how="left")


def batch_codes(totals: np.ndarray, batch: pd.Series | None) -> npt.NDArray[np.int32]:
    """Return the pooled batch of each cell from 0 on; -1 for cells without counts."""
    codes, rows = np.full(len(totals), -1, dtype=np.int32), np.flatnonzero(totals > 0)
    pooled = None if batch is None else pool_batches(batch.iloc[rows])
    codes[rows] = 0 if pooled is None else np.unique(pooled, return_inverse=True)[1]
    return codes


def _standardized(
    counts: Any, codes: npt.NDArray[np.int32], genes: np.ndarray, folder: Path
) -> Floats:
    """Return the standardized variance of some genes in each batch [n_batch, len(genes)]."""
    n_cells = np.bincount(codes[codes >= 0])[:, None]
    sums, squares = (part[:, genes] for part in _sums(counts, codes))
    mean = sums / n_cells
    variance = (squares - sums * mean) / np.maximum(n_cells - 1, 1)
    deviation = _deviation(mean, variance)
    limits = np.zeros((len(n_cells), counts.shape[1]))
    limits[:, genes] = deviation * np.sqrt(n_cells) + mean
    with tempfile.TemporaryDirectory(dir=folder) as shared:
        clip = Path(shared) / "clip.npy"
        np.save(clip, limits, allow_pickle=False)
        sums, squares = (part[:, genes] for part in _sums(counts, codes, clip))
    return standardized((sums, squares), mean, deviation, n_cells)


def _deviation(mean: Floats, variance: Floats) -> Floats:
    """Return the deviation that genes of these means usually have, per batch.

    Fitted in other processes: of constant or few data, the fit can end its process.
    """
    problem: Exception | None = None
    for span in SPANS:
        try:
            with ProcessPoolExecutor(worker_threads(), get_context("spawn")) as pool:
                fits = list(pool.map(partial(expected, span=span), mean, variance))
        except (SingularFit, BrokenProcessPool) as error:
            logger.warning("seurat_v3 did not work with span %s: %r", span, error)
            problem = error
        else:
            return np.sqrt(10 ** np.array(fits))
    what = "is singular" if isinstance(problem, SingularFit) else "ended its process"
    raise InputError(
        f"Variable genes cannot be told apart: the fit of variance to mean {what}.",
        "Take a batch column with fewer values, or none.",
    ) from problem


def _sums(counts: Any, codes: npt.NDArray[np.int32], clip: Path | None = None) -> list[Floats]:
    """Return sums of the values, clipped, and of their squares, each [n_batch, genes]."""
    n_batch = int(codes.max()) + 1
    blocks, starts = blocks_of(counts)
    add_up = delayed(partial(_sums_of_block, n_batch, clip))
    each = [
        add_up(block, codes[start : start + tall])
        for block, start, tall in zip(blocks, starts, counts.chunks[0], strict=True)
    ]
    with reading():
        (both,) = compute(added(each))
    return [both[:n_batch].toarray(), both[n_batch:].toarray()]


def _sums_of_block(
    n_batch: int, clip: Path | None, block: sp.csr_matrix, codes: npt.NDArray[np.int32]
) -> sp.csr_matrix:
    """Return sums, and below them sums of squares; sparse, since a block has few batches."""
    values = block.data.astype(np.float64)
    if clip is not None:
        of_batch = np.repeat(codes, np.diff(block.indptr))
        limits = np.load(clip, mmap_mode="r", allow_pickle=False)
        np.minimum(values, limits[of_batch, block.indices], out=values)
    cells = np.flatnonzero(codes >= 0)
    place = codes[cells], cells
    members = sp.csr_matrix((np.ones(len(cells)), place), shape=(n_batch, len(codes)))
    parts = block.indices, block.indptr
    sums, squares = (
        members @ sp.csr_matrix((powers, *parts), shape=block.shape)
        for powers in (values, values**2)
    )
    return sp.vstack([sums, squares], format="csr")
