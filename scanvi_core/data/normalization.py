"""Counts per 10,000 of their cell, and their logarithm: the one scale on which genes compare."""

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

TARGET_SUM = 1e4


def log_normalized(
    counts: sp.csr_matrix | sp.csc_matrix, totals: npt.ArrayLike | None = None
) -> sp.csr_matrix | sp.csc_matrix:
    """Return log1p of counts per 10,000, float32, by cell or by gene as the counts are.

    What scanpy's ``normalize_total`` and ``log1p`` make of counts, but only the values are new:
    positions and pointers are those of `counts`. Cells without counts stay zero.

    Parameters
    ----------
    counts
        Non-negative counts [n, genes], CSR or CSC, of all genes or of some.
    totals
        Counts per cell over all genes [n]; None: the row sums of `counts`.
    """
    sums = np.asarray(counts.sum(axis=1) if totals is None else totals).ravel()
    if counts.format == "csr":
        kind, values = sp.csr_matrix, np.repeat(_per_cell(sums), np.diff(counts.indptr))
    else:
        kind, values = sp.csc_matrix, _per_cell(sums[counts.indices])
    values *= counts.data
    np.log1p(values, out=values)
    return kind((values, counts.indices, counts.indptr), shape=counts.shape)


def _per_cell(totals: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    scale = np.divide(TARGET_SUM, totals, out=np.zeros(len(totals)), where=totals > 0)
    return scale.astype(np.float32)
