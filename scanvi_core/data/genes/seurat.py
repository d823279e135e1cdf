"""Variable genes by the standardized variance of Stuart et al. 2019 (10.1016/j.cell.2019.05.031).

The numbers of scanpy's ``highly_variable_genes(flavor="seurat_v3")``, from counts that are read
gene by gene: memory holds a block of them, never the matrix.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.blocks.mapped import entries, let_go, parts_of

Floats = npt.NDArray[np.float64]


class SingularFit(Exception):
    """The local fit of variance to mean has no single solution."""


def most_variable(
    counts: sp.csc_matrix,
    genes: npt.NDArray[Any],
    batch: npt.NDArray[Any],
    n_top: int,
    span: float,
) -> npt.NDArray[np.int64]:
    """Return the `n_top` genes that rank best within the batches, as sorted positions in `genes`.

    Genes are ordered by the median of their ranks in the batches where they are among the first
    `n_top`, then by the number of those batches.

    Parameters
    ----------
    counts
        Counts [cells, all genes], CSC; may be memory-mapped.
    genes
        Columns to choose from.
    batch
        Batch code of each cell, from 0 on without gaps; -1: the cell is not looked at.
    n_top
        How many genes.
    span
        Share of the genes in each local fit.

    Raises
    ------
    SingularFit
        If a local fit is singular.
    """
    n_cells = np.bincount(batch[batch >= 0])
    sums, squares = _sums(counts, batch, len(n_cells))
    mean = sums / n_cells[:, None]
    variance = (squares - sums * mean) / np.maximum(n_cells - 1, 1)[:, None]
    fitted = np.zeros_like(variance)
    for at in range(len(n_cells)):
        fitted[at, genes] = expected(mean[at, genes], variance[at, genes], span)
    deviation = np.sqrt(10**fitted)
    sums, squares = _sums(
        counts, batch, len(n_cells), deviation * np.sqrt(n_cells)[:, None] + mean
    )
    clipped = standardized((sums, squares), mean, deviation, n_cells[:, None])
    return first(clipped[:, genes], n_top)


def standardized(
    clipped: tuple[Floats, Floats],
    mean: Floats,
    deviation: Floats,
    n_cells: npt.NDArray[np.int64],
) -> Floats:
    """Return the variance of standardized values, [n_batch, genes].

    Parameters
    ----------
    clipped
        Sums of the values, clipped at ``mean + sqrt(n_cells) deviation``, and of their squares.
    mean, deviation
        Of the values, and the deviation that genes of such a mean usually have.
    n_cells
        Cells per batch [n_batch, 1].
    """
    sums, squares = clipped
    return (n_cells * mean**2 + squares - 2 * sums * mean) / ((n_cells - 1) * deviation**2)


def _sums(
    counts: sp.csc_matrix, batch: npt.NDArray[Any], n_batch: int, clip: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return sums of the values, clipped, and of their squares, each [n_batch, genes]."""
    sums, squares = np.zeros((2, n_batch, counts.shape[1]))
    for start, stop in row_blocks(counts.indptr):
        starts = counts.indptr[start : stop + 1].astype(np.int64)
        own, cells = entries(counts, start, stop)
        codes, n = batch[cells], stop - start
        used = codes >= 0
        place = (codes * n + np.repeat(np.arange(n), np.diff(starts)))[used]
        values = own[used].astype(np.float64)
        if clip is not None:
            np.minimum(values, clip[:, start:stop].ravel()[place], out=values)
        shape = (n_batch, n)
        sums[:, start:stop] = np.bincount(place, values, n_batch * n).reshape(shape)
        squares[:, start:stop] = np.bincount(place, values**2, n_batch * n).reshape(shape)
        let_go(*parts_of(counts))
    return sums, squares


def expected(mean: Floats, variance: Floats, span: float) -> Floats:
    """Return log10 of the variance that a gene of this mean usually has; 0 for constant genes.

    Raises
    ------
    SingularFit
        If there are too few means that differ.
    """
    from skmisc.loess import loess

    varies = variance > 0
    fitted = np.zeros_like(mean)
    points = np.log10(mean[varies]), np.log10(variance[varies])
    try:
        model = loess(*points, span=span, degree=2)
        model.fit()
    except ValueError as error:
        raise SingularFit from error
    fitted[varies] = model.outputs.fitted_values
    return fitted


def first(variances: Floats, n_top: int) -> npt.NDArray[np.int64]:
    """Return the `n_top` genes whose ranks in the batches are best, as sorted positions."""
    ranks = np.argsort(np.argsort(-variances, axis=1), axis=1)
    high = ranks < n_top
    median = np.ma.median(np.ma.array(ranks, mask=~high, dtype=np.float32), axis=0)
    order = np.lexsort((-high.sum(axis=0), median.filled(np.inf)))
    return np.sort(order[:n_top])
