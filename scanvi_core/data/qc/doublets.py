"""How much each cell looks like two: the score of scrublet, one batch at a time.

Doublets form among the cells of one sample, so each batch is judged by its own simulated ones.
On the 1,408 cells of scMixology (Tian et al. 2019, 10.1038/s41592-019-0425-8), of which 387 are
doublets by genotype, many of them of two cells alike, the score puts a doublet before a single
cell in 0.65 of the pairs (checked in `tests/data/qc/test_doublets.py`).
"""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from scanvi_core.plurals import sizes

MIN_CELLS = 50  # fewer have too few neighbors to tell
MAX_CELLS = 30_000  # no sample of one droplet run is larger
N_COMPONENTS = 30
MIN_GENES = 3  # of a cell, and cells of a gene, that scrublet looks at
SIMULATED = 2  # doublets for each cell
EXPECTED = 0.05  # share of doublets, before a cell is looked at
TOTAL = 1e6  # of every cell
BLOCK = 5_000  # cells whose neighbors are looked for at a time
BYTES_PER_VALUE = 100  # copies made on the way: raw, normalized, logs, simulated doublets


@dataclass(frozen=True, slots=True, eq=False)
class Doublets:
    """What scrublet says about the cells of one batch.

    Attributes
    ----------
    score
        Estimated chance that a cell is a doublet, float32 [n], NaN where it could not be judged.
    problem
        Why the batch was not judged, as the end of a sentence; empty when it was.
    """

    score: np.ndarray
    problem: str = ""


def why_not(n_cells: int, n_values: int, memory_mb: float) -> str:
    """Return why a batch cannot be judged, as the end of a sentence; empty when it can."""
    if n_cells < MIN_CELLS:
        return f"fewer than {MIN_CELLS} cells with counts"
    if n_cells > MAX_CELLS:
        return f"{n_cells:,} cells, more than {MAX_CELLS:,}: no single sample is so large"
    if BYTES_PER_VALUE * n_values > memory_mb * 1e6:
        needed, free = sizes(BYTES_PER_VALUE * n_values, memory_mb * 1e6)
        return f"it takes {needed} of memory, {free} are free"
    return ""


def find_doublets(counts: sp.csr_matrix, seed: int) -> Doublets:
    """Score the cells of one batch (Wolock et al. 2019, 10.1016/j.cels.2018.11.005).

    The scores are scanpy's, down to ties between neighbors (checked in
    `tests/data/qc/test_doublets.py`), in a third of its time: the neighbors of simulated doublets,
    which nobody asks for, are not looked for.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, of one batch.
    seed
        Of the simulated doublets.
    """
    score = np.full(counts.shape[0], np.nan, dtype=np.float32)
    rows, cells = _usable(counts)
    if len(rows) <= N_COMPONENTS:
        return Doublets(score, problem=f"too few cells with {MIN_GENES} genes or more")
    if cells.shape[1] <= N_COMPONENTS:
        return Doublets(score, problem="too few genes that differ between its cells")
    observed, simulated = _scaled(cells, _simulated(cells, seed))
    axes = _components(observed)
    score[rows] = _chance(observed @ axes, simulated @ axes)
    return Doublets(score)


def _usable(counts: sp.csr_matrix) -> tuple[np.ndarray, sp.csr_matrix]:
    """Return which cells are scored, and their counts of the variable genes.

    As scrublet chooses them: rare genes and poor cells go, variable genes stay.
    """
    import anndata
    import scanpy

    cells = anndata.AnnData(sp.csr_matrix(counts, dtype=np.float32, copy=True))
    cells.obs["row"] = np.arange(cells.n_obs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scanpy about genes and cells left out
        scanpy.pp.filter_genes(cells, min_cells=MIN_GENES)
        scanpy.pp.filter_cells(cells, min_genes=MIN_GENES)
        rows, raw = cells.obs["row"].to_numpy(), sp.csr_matrix(cells.X, copy=True)
        if min(cells.shape) <= N_COMPONENTS:
            return rows, raw
        scanpy.pp.normalize_total(cells)
        scanpy.pp.log1p(cells)
        scanpy.pp.highly_variable_genes(cells)
    return rows, sp.csr_matrix(raw[:, cells.var["highly_variable"].to_numpy()])


def _simulated(cells: sp.csr_matrix, seed: int) -> sp.csr_matrix:
    """Return doublets, two for each cell: sums of two cells, no pair twice."""
    from sklearn.utils.random import sample_without_replacement

    n = cells.shape[0]
    drawn = sample_without_replacement(n * n, SIMULATED * n, random_state=seed)
    first, second = np.unravel_index(drawn, (n, n))
    return cells[first] + cells[second]


def _scaled(
    observed: sp.csr_matrix, simulated: sp.csr_matrix
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return cells of equal totals, genes of equal spread among the observed ones."""
    observed, simulated = (_of_equal_totals(each) for each in (observed, simulated))
    squares = observed.multiply(observed).mean(axis=0) - np.square(observed.mean(axis=0))
    spread = np.sqrt(np.maximum(np.asarray(squares).ravel(), 0.0))
    spread[spread == 0] = 1.0
    for each in (observed, simulated):
        each.data /= spread[each.indices].astype(np.float32)
    return observed, simulated


def _of_equal_totals(counts: sp.csr_matrix) -> sp.csr_matrix:
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    factors = TOTAL / np.where(totals > 0, totals, 1.0)
    data = counts.data * np.repeat(factors, np.diff(counts.indptr)).astype(np.float32)
    return sp.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)


def _components(cells: sp.csr_matrix) -> np.ndarray:
    """Return the leading components [genes, 30] of cells that are not centered."""
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(0).uniform(-1.0, 1.0, min(cells.shape))
    found = svds(cells, N_COMPONENTS, v0=start)[2]
    return np.ascontiguousarray(found.T, dtype=np.float32)


def _chance(observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Return the chance to be a doublet [n]: by the share of simulated ones among the nearest.

    A cell is the nearest of itself. The formulas are those of scrublet's classifier.
    """
    from sklearn.neighbors import NearestNeighbors

    n, ratio = len(observed), len(simulated) / len(observed)
    k = round(round(0.5 * np.sqrt(n)) * (1.0 + ratio))
    search = NearestNeighbors(n_neighbors=k, algorithm="brute")
    search.fit(np.concatenate([observed, simulated]))
    near = np.concatenate([
        (search.kneighbors(observed[at : at + BLOCK], return_distance=False) >= n).sum(axis=1)
        for at in range(0, n, BLOCK)
    ])  # fmt: skip
    share = (near + 1.0) / (k + 2.0)
    single = 1.0 - EXPECTED - share * (1.0 - EXPECTED - EXPECTED / ratio)
    return share * EXPECTED / ratio / single
