"""Tell counts from sums over neighboring cells, which are whole numbers too.

Counts of two cells in the same state differ by at least what chance makes them differ (Poisson;
given their sum, binomial). Cells that were averaged over shared neighbors differ by less.
"""

import numpy as np
import scipy.sparse as sp

from scanvi_core import config
from scanvi_core.errors import CountsNotFound

N_QUERIES = 24
N_PARTNERS = 3


class NeighborNoise:
    """Compares some cells of the first block with the cells most like them, in every block.

    The measure of a pair is the mean over genes of (a - p s)^2 / (p (1 - p) s), where s = a + b
    are the counts of both cells and p is the part of the first cell in their totals: 1 when both
    are drawn from one state, more when their states differ.
    """

    def __init__(self) -> None:
        self.queries: sp.csr_matrix | None = None
        self.least: np.ndarray = np.full(0, np.inf)

    def add(self, block: sp.csr_matrix) -> None:
        """Look for partners of the queries in a block of counts."""
        if self.queries is None:
            filled = np.flatnonzero(np.diff(block.indptr))
            if not filled.size:
                return
            chosen = filled[np.unique(np.linspace(0, filled.size - 1, N_QUERIES).astype(int))]
            self.queries = block[chosen].copy()
            self.least = np.full(chosen.size, np.inf)
        norms = np.sqrt(_row_sums(block, power=2))
        norms[norms == 0] = np.inf
        queries = self.queries.toarray()
        likeness = (block @ queries.T) / norms[:, None]
        for at, query in enumerate(queries):
            best = np.argsort(-likeness[:, at])[: N_PARTNERS + 1]
            for partner in block[best].toarray():
                if not np.array_equal(partner, query):  # itself, or the same cell given twice
                    self.least[at] = min(self.least[at], _noise(query, partner))

    def check(self, name: str) -> None:
        """Refuse a matrix whose cells differ from their likes by less than chance.

        Raises
        ------
        CountsNotFound
            If that is so for the typical cell.
        """
        known = self.least[np.isfinite(self.least)]
        if known.size and np.median(known) < config.RECOVERY_NOISE:
            raise CountsNotFound(
                f"The counts behind {name} cannot be recovered: cells are more alike than counts "
                f"can be ({np.median(known):.0%} of the noise of counts), so the values look "
                "averaged over neighboring cells.",
                "Open the file from before smoothing or imputation.",
            )


def _noise(a: np.ndarray, b: np.ndarray) -> float:
    both = a + b
    shared = both > 1  # a gene with a single count says nothing
    if not shared.any():
        return np.inf
    a, both = a[shared].astype(np.float64), both[shared].astype(np.float64)
    part = a.sum() / both.sum()
    if not 0 < part < 1:
        return np.inf
    return float(np.mean((a - part * both) ** 2 / (part * (1 - part) * both)))


def _row_sums(block: sp.csr_matrix, power: int) -> np.ndarray:
    rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    return np.bincount(
        rows, weights=block.data.astype(np.float64) ** power, minlength=block.shape[0]
    )
