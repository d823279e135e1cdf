"""Three numbers per cell: total counts, genes seen, share of mitochondrial counts."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True, slots=True)
class Quality:
    """Per-cell numbers, each of shape [n_obs].

    Attributes
    ----------
    totals
        Sum of counts, float64.
    n_genes
        Genes with at least one count, int64.
    pct_mt
        Percent of the counts in mitochondrial genes (MT-...), float64; 0 for empty cells.
    n_mt_genes
        How many mitochondrial genes there are; with none, `pct_mt` says nothing.
    """

    totals: np.ndarray
    n_genes: np.ndarray
    pct_mt: np.ndarray
    n_mt_genes: int


def measure(counts: sp.csr_matrix, symbols: np.ndarray) -> Quality:
    """Return the quality numbers of every cell; `symbols` are the genes' display names."""
    lengths = np.diff(counts.indptr).astype(np.int64)
    rows = np.repeat(np.arange(counts.shape[0]), lengths)
    totals = np.bincount(rows, weights=counts.data, minlength=counts.shape[0])
    is_mt = np.array([str(symbol).casefold().startswith("mt-") for symbol in symbols], dtype=bool)
    in_mt = is_mt[counts.indices]
    mt = np.bincount(rows[in_mt], weights=counts.data[in_mt], minlength=counts.shape[0])
    pct = np.divide(100 * mt, totals, out=np.zeros_like(totals), where=totals > 0)
    return Quality(totals, lengths, pct, int(is_mt.sum()))
