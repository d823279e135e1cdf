"""How much each cell looks like two: scanpy's scrublet, one batch at a time.

Doublets form among the cells of one sample, so each batch is judged by its own simulated ones.
On the 1,408 cells of scMixology (Tian et al. 2019, 10.1038/s41592-019-0425-8), of which 387 are
doublets by genotype, many of them of two cells alike, the score puts a doublet before a single
cell in 0.65 of the pairs (checked in `tests/data/qc/test_doublets.py`).
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from scanvi_core.plurals import sizes

if TYPE_CHECKING:
    import anndata

MIN_CELLS = 50  # fewer have too few neighbors to tell
MAX_CELLS = 30_000  # no sample of one droplet run is larger
N_COMPONENTS = 30
MIN_GENES = 3  # of a cell, and cells of a gene, that scrublet looks at
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

    Parameters
    ----------
    counts
        Counts [n, genes], CSR, of one batch.
    seed
        Of the simulated doublets and of the search for neighbors.
    """
    import anndata
    import scanpy

    score = np.full(counts.shape[0], np.nan, dtype=np.float32)
    cells = anndata.AnnData(sp.csr_matrix(counts, dtype=np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scanpy about genes and cells left out
        n_cells, n_genes = _n_usable(cells.copy())
        if n_cells <= N_COMPONENTS:
            return Doublets(score, problem=f"too few cells with {MIN_GENES} genes or more")
        if n_genes <= N_COMPONENTS:
            return Doublets(score, problem="too few genes that differ between its cells")
        scanpy.pp.scrublet(
            cells,
            mean_center=False,  # centring would fill every zero
            use_approx_neighbors=False,
            threshold=1.0,  # not used; to find one takes scikit-image
            n_prin_comps=N_COMPONENTS,
            verbose=False,
            random_state=seed,
        )
    score[:] = cells.obs["doublet_score"].to_numpy(np.float32)
    return Doublets(score)


def _n_usable(cells: "anndata.AnnData") -> tuple[int, int]:
    """Return of how many cells and genes scrublet takes components.

    By the steps that it begins with itself: rare genes and poor cells go, variable genes stay.
    """
    import scanpy

    scanpy.pp.filter_genes(cells, min_cells=MIN_GENES)
    scanpy.pp.filter_cells(cells, min_genes=MIN_GENES)
    if min(cells.shape) <= N_COMPONENTS:
        return cells.n_obs, cells.n_vars
    scanpy.pp.normalize_total(cells)
    scanpy.pp.log1p(cells)
    scanpy.pp.highly_variable_genes(cells)
    return cells.n_obs, int(cells.var["highly_variable"].sum())
