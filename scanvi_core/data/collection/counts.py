"""Counts that stay in their store: what training and prediction ask of a CSR matrix, and no more.

Nothing here knows how rows are read: that is the business of `RowReader`.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp

from scanvi_core.errors import FileRefused

GAP = 256  # rows between two wanted ones that are read along with them: packed together anyhow
READ_ROWS = 8_192  # rows with all their genes in memory at a time


class RowReader(Protocol):
    """Reads runs of rows; safe to call from several threads."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        ...

    def read(self, runs: list[slice]) -> sp.csr_array:
        """Return the rows of all runs, one run after the other."""
        ...


class StoredCounts:
    """Counts [cells, genes] in a store, in place of a CSR matrix.

    It offers ``shape``, ``dtype``, ``nnz`` (read and counted once), ``counts[rows]`` (CSR in
    memory; any order, numbers, a mask or a slice), ``sum(axis=1)``, `columns`, `subset` and
    `blocks`. It has no ``data``, ``indices`` or ``indptr``.

    Parameters
    ----------
    reader
        Reads the store.
    rows
        Rows of the store that are the cells, ascending; None for all.
    genes
        Columns of the store that are the genes, in the order wanted; None for all.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, reader: RowReader, rows: np.ndarray | None = None, genes: np.ndarray | None = None
    ) -> None:
        self.reader, self.rows, self.genes = reader, rows, genes
        n_rows, n_genes = reader.shape
        self.shape = (
            n_rows if rows is None else len(rows),
            n_genes if genes is None else len(genes),
        )

    def columns(self, genes: np.ndarray) -> "StoredCounts":
        """Return the counts of some genes, by position, each once; nothing is read."""
        genes = np.asarray(genes)
        return StoredCounts(
            self.reader, self.rows, genes if self.genes is None else self.genes[genes]
        )

    def subset(self, rows: np.ndarray) -> "StoredCounts":
        """Return some cells, by ascending number or as a mask, still in the store."""
        rows = self._numbers(rows)
        if len(rows) and (np.diff(rows) <= 0).any():
            raise ValueError("rows of a subset must ascend")
        return StoredCounts(
            self.reader, rows if self.rows is None else self.rows[rows], self.genes
        )

    def __getitem__(self, rows: Any) -> sp.csr_array:
        """Return some cells as CSR in memory, float32, positions sorted."""
        rows = self._numbers(rows)
        wanted = rows if self.rows is None else self.rows[rows]
        ascending, place = np.unique(wanted, return_inverse=True)
        pieces = list(self._read(ascending))
        empty = sp.csr_array((0, self.shape[1]), dtype=np.float32)
        block = sp.csr_array(sp.vstack(pieces or [empty], format="csr"))
        return block if np.array_equal(place, np.arange(len(ascending))) else block[place]

    def blocks(self, size: int = READ_ROWS) -> Iterator[tuple[int, sp.csr_array]]:
        """Yield (first cell, CSR of the next `size` cells) in order, over all cells."""
        for start in range(0, self.shape[0], size):
            yield start, self[start : start + size]

    def sum(self, axis: int) -> np.ndarray:
        """Return the total of each cell, float64 [n]; only ``axis=1``. Read once, then known."""
        if axis != 1:
            raise ValueError("only totals of cells are known")
        return self._totals_nnz[0]

    @property
    def nnz(self) -> int:
        """Number of counts above 0."""
        return self._totals_nnz[1]

    @cached_property
    def _totals_nnz(self) -> tuple[np.ndarray, int]:
        totals, nnz = np.zeros(self.shape[0]), 0
        for start, block in self.blocks():
            totals[start : start + block.shape[0]] = block.sum(axis=1, dtype=np.float64)
            nnz += block.nnz
        return totals, nnz

    def _numbers(self, rows: Any) -> np.ndarray:
        if isinstance(rows, slice):
            return np.arange(*rows.indices(self.shape[0]))
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        if len(rows) and not 0 <= rows.min() <= rows.max() < self.shape[0]:
            raise IndexError(f"rows must be within 0 and {self.shape[0] - 1}")
        return rows.astype(np.int64, copy=False)

    def _read(self, rows: np.ndarray) -> Iterator[sp.csr_array]:
        """Yield ascending rows of the store, cut to the genes, some at a time."""
        for runs, inside in grouped(rows):
            block = self.reader.read(runs)
            if len(inside) < block.shape[0]:
                block = block[inside]
            yield self._cut(block)

    def _cut(self, block: sp.csr_array) -> sp.csr_array:
        n_genes = self.reader.shape[1]
        if block.nnz and not 0 <= int(block.indices.min()) <= int(block.indices.max()) < n_genes:
            raise FileRefused(
                "The store has counts of genes that it does not have.", "Make the store anew."
            )
        if self.genes is not None:
            block = block[:, self.genes]
        block.sort_indices()
        return block.astype(np.float32, copy=False)


def grouped(rows: np.ndarray) -> Iterator[tuple[list[slice], np.ndarray]]:
    """Yield runs that cover ascending rows, some at a time, and where in them the rows are."""
    steps = np.diff(rows, prepend=rows[:1] - 1)
    jumps = steps > GAP
    n_read = np.cumsum(np.where(jumps, 1, steps))
    for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(n_read // READ_ROWS)) + 1):
        if len(part):
            jumps[part[0]] = True
            runs = np.split(rows[part], np.flatnonzero(jumps[part])[1:])
            lengths = np.cumsum([0, *(run[-1] - run[0] + 1 for run in runs)])
            within = [at + run - run[0] for at, run in zip(lengths, runs, strict=False)]
            slices = [slice(int(run[0]), int(run[-1]) + 1) for run in runs]
            yield slices, np.concatenate(within)
