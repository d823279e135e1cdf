"""Counts from log-normalised values, with a proof that they are the only ones possible."""

import numpy as np
import scipy.sparse as sp

from scanvi_core.errors import CountsNotFound

TOLERANCE = 1.3e-3  # values rounded to 3 decimals are off by 5e-4; a ratio of two by 1e-3


def recover_counts(
    log_values: sp.csr_matrix, totals: np.ndarray | None = None, target: float = 1e4
) -> sp.csr_matrix:
    """Undo ``log1p(counts / total * target)``.

    A cell passes when each of its values, brought back, lies within a relative `TOLERANCE` of a
    whole number, and that distance is smaller than to any other whole number. Without `totals`
    the smallest value of a cell is taken as one count.

    Parameters
    ----------
    log_values
        Cells × genes, non-negative.
    totals
        Counts per cell before normalisation, over all genes measured.
    target
        Counts per cell after normalisation; plays no part without `totals`.

    Returns
    -------
    scipy.sparse.csr_matrix
        Whole numbers as float32, same cells and genes.

    Raises
    ------
    CountsNotFound
        If any cell has no exact solution; nothing is ever approximated.
    """
    values = np.expm1(log_values.data.astype(np.float64))
    lengths = np.diff(log_values.indptr)
    if totals is None:
        unit = np.ones(lengths.size)
        filled = lengths > 0
        unit[filled] = np.minimum.reduceat(values, log_values.indptr[:-1][filled])
        factor = 1 / unit
    else:
        factor = np.asarray(totals, dtype=np.float64) / target
    exact = values * np.repeat(factor, lengths)
    counts = np.rint(exact)
    # TOLERANCE · count must stay below one half, or the next whole number would do as well.
    good = (np.abs(exact - counts) <= TOLERANCE * counts) & (counts * TOLERANCE < 0.5)
    good &= counts > 0
    if not good.all():
        rows = np.repeat(np.arange(lengths.size), lengths)
        n_bad = np.unique(rows[~good]).size
        raise CountsNotFound(
            f"The counts of {n_bad:,} of {lengths.size:,} cells cannot be recovered exactly.",
            "Open the file from before normalisation.",
        )
    return sp.csr_matrix(
        (counts.astype(np.float32), log_values.indices.copy(), log_values.indptr.copy()),
        shape=log_values.shape,
    )
