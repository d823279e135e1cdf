"""What is read off Dask arrays of CSR blocks: numbers per cell, and components.

Scanpy's quality metrics read the counts once for each number; here they are read once for all of
them, and judged on the way. Normalizing is scanpy's own.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from dask.base import compute
from dask.delayed import delayed

from scanvi_core.data.blocks.hdf5 import DAMAGED, MatrixSource
from scanvi_core.data.counts import choose
from scanvi_core.data.normalization import TARGET_SUM
from scanvi_core.data.qc.metrics import Meter, Quality, is_mitochondrial
from scanvi_core.errors import FileRefused
from scanvi_core.runtime import replacing

ADDED_AT_ONCE = 8  # sums of so many blocks are added in one go


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """What one reading of all counts tells: numbers per cell, and cells per gene [genes]."""

    quality: Quality
    n_cells: npt.NDArray[np.int64]


def measure(counts: Any, symbols: np.ndarray, var_names: np.ndarray) -> Measurements:
    """Measure all cells and genes, and judge every value, in one reading.

    Parameters
    ----------
    counts
        Dask array [cells, genes] of CSR blocks of whole rows.
    symbols, var_names
        Names of the genes for display, and their unique names: both tell mitochondrial ones.

    Raises
    ------
    FileRefused, CountsNotFound
        If a block holds anything but counts.
    """
    blocks, starts = blocks_of(counts)
    is_mt = is_mitochondrial(symbols) | is_mitochondrial(var_names)
    measure_block, names = delayed(partial(_measure_block, is_mt), nout=3), delayed(var_names)
    each = [measure_block(names, *pair) for pair in zip(blocks, starts, strict=True)]
    with reading():
        reports, cells, genes = compute(
            [one[0] for one in each], [one[1] for one in each], added([one[2] for one in each])
        )
    for report in reports:
        if report.verdict != choose.EMPTY:  # some cells may well have no counts at all
            choose.choose([report])
    totals, n_genes, pct_mt = (
        np.concatenate([getattr(one, name) for one in cells])
        for name in ("totals", "n_genes", "pct_mt")
    )
    return Measurements(Quality(totals, n_genes, pct_mt, cells[0].n_mt_genes), genes)


def _measure_block(
    is_mt: np.ndarray, var_names: np.ndarray, block: sp.csr_matrix, start: int
) -> tuple[choose.MatrixReport, Quality, np.ndarray]:
    node = {"data": block.data, "indices": block.indices, "indptr": block.indptr}
    source = MatrixSource("The matrix", node, block.shape, "csr", block.dtype, block.nnz)
    numbers = np.arange(start + 1, start + block.shape[0] + 1)
    report = choose.judge(source, numbers, var_names)
    meter = Meter(block.shape[0], np.empty(0, dtype=object))
    meter.is_mt = is_mt
    meter.add(block)
    return report, meter.finish(), np.bincount(block.indices, minlength=block.shape[1])


def components(
    counts: Any, genes: np.ndarray, n_comps: int, at_once: int
) -> tuple[Any, npt.NDArray[np.float64]]:
    """Return principal components of counts that scanpy normalized and logged.

    By the eigenvectors of the covariance, as scanpy does for Dask arrays of CSR blocks; but the
    products of the blocks (32 MB each for 2,000 genes) are added `at_once`. Scanpy 1.11.5 has
    Dask add them all in one go, which holds nearly all of them: 34 MB more for every block.

    Parameters
    ----------
    counts
        Dask array [cells, all genes] of CSR blocks; cells are normalized by all their counts.
    genes
        Columns to take.
    n_comps
        How many components.
    at_once
        So many blocks are in memory.

    Returns
    -------
    tuple
        Dask array float32 [cells, n_comps], and the share of the variance of each.
    """
    import scanpy
    from anndata import AnnData
    from scipy.linalg import eigh

    whole = AnnData(counts)
    scanpy.pp.normalize_total(whole, target_sum=TARGET_SUM)
    scanpy.pp.log1p(whole)
    logs = whole.X[:, genes].astype(np.float64)  # else millions of cells are summed in float32
    multiply, blocks = delayed(_products), list(logs.to_delayed().ravel())
    products: Any = 0.0
    for first in range(0, len(blocks), at_once):
        with reading():
            parts = [multiply(block) for block in blocks[first : first + at_once]]
            products = products + compute(added(parts))[0]
    mean = products[-1] / counts.shape[0]
    variances, vectors = eigh(products[:-1] / counts.shape[0] - np.outer(mean, mean))
    axes = vectors[:, ::-1][:, :n_comps]
    place = partial(_placed, mean @ axes, axes)
    chunks = (counts.chunks[0], (n_comps,))
    like = np.empty((0, 0), dtype=np.float32)
    scores = logs.map_blocks(place, chunks=chunks, dtype=like.dtype, meta=like)
    return scores, variances[::-1][:n_comps] / variances.sum()


def _products(block: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Return the products of all columns, and below them the sums [genes + 1, genes]."""
    return np.vstack([(block.T @ block).toarray(), block.sum(axis=0)])


def _placed(
    middle: npt.NDArray[np.float64], axes: npt.NDArray[np.float64], block: sp.csr_matrix
) -> npt.NDArray[np.float32]:
    return np.asarray(block @ axes - middle, dtype=np.float32)


def write_blocks(array: Any, path: Path, at_once: int) -> None:
    """Write a Dask array of dense blocks of rows as .npy, some blocks at a time.

    This process alone writes: on network disks, maps of several machines may lose rows.
    """
    about = {"descr": "<f4", "fortran_order": False, "shape": array.shape}
    blocks = array.to_delayed().ravel()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        for first in range(0, len(blocks), at_once):
            with reading():
                done = compute(*blocks[first : first + at_once])
            for block in done:
                np.asarray(block, dtype="<f4").tofile(file)


@contextmanager
def reading() -> Iterator[None]:
    """Turn what libraries raise while a block is read, here or elsewhere, into a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileRefused(
            "A file with counts is not found where the work is done.",
            "Is it still there? Workers of a cluster must see it under the same full path.",
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise FileRefused("The counts cannot be read.", DAMAGED) from error


def blocks_of(counts: Any) -> tuple[list[Any], list[int]]:
    """Return the blocks and the first row of each."""
    tall = counts.chunks[0]
    return list(counts.to_delayed().ravel()), [0, *np.cumsum(tall[:-1]).tolist()]


def added(parts: Sequence[Any]) -> Any:
    """Return the sum of delayed parts, added where they are computed."""
    add: Callable[..., Any] = delayed(partial(reduce, operator.add))
    while len(parts) > 1:
        starts = range(0, len(parts), ADDED_AT_ONCE)
        parts = [add(parts[at : at + ADDED_AT_ONCE]) for at in starts]
    return parts[0]
