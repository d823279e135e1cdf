"""Some whole rows of a matrix that is read block by block."""

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.blocks.hdf5 import MatrixSource

N_ROWS = 384


class RowSample:
    """Keeps the values of some cells while blocks go by.

    Of a matrix stored by cells, cells of the first block; of one stored by genes, or when asked
    for, cells of the whole matrix, complete only when every block was added.
    """

    def __init__(self, source: MatrixSource, *, spread: bool = False) -> None:
        self.n_vars = source.shape[1]
        self.by_row = source.stored != "csc" and not spread
        self.chosen = None if self.by_row else _spread(np.arange(source.shape[0]))
        self.parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Keep what belongs to the sample."""
        if self.chosen is None and values.size:
            self.chosen = _spread(np.unique(rows))
        elif self.by_row:
            return
        if self.chosen is not None:
            keep = np.isin(rows, self.chosen)
            self.parts.append((rows[keep], columns[keep], values[keep]))

    def matrix(self) -> sp.csr_matrix:
        """Return the sampled cells × all genes, without zeros; values keep their type."""
        if self.chosen is None or not self.parts:
            return sp.csr_matrix((0, self.n_vars))
        rows, columns, values = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        at, filled = np.searchsorted(self.chosen, rows), values != 0
        order = np.argsort(at[filled], kind="stable")
        lengths = np.bincount(at[filled], minlength=self.chosen.size)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        parts = (values[filled][order], columns[filled][order], indptr)
        return sp.csr_matrix(parts, shape=(self.chosen.size, self.n_vars))


def _spread(rows: np.ndarray) -> np.ndarray:
    return rows[np.unique(np.linspace(0, rows.size - 1, N_ROWS).astype(np.int64))]
