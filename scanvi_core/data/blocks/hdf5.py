"""Read the matrices of an .h5ad file block by block, straight from HDF5.

Nothing is trusted: positions are checked before they are used as indices, because libraries write
outside their arrays when a file holds a column number beyond the last gene.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    attribute,
    dtype_of,
    is_group,
    names_in,
    read,
    shape_of,
    sparse_format,
    stated_shape,
    text,
)
from scanvi_core.errors import FileRefused

logger = logging.getLogger(__name__)

SPARSE = frozenset({"data", "indices", "indptr"})
BLOCK_VALUES = 4_000_000
DAMAGED = "The file is damaged. Copy it again, or save it again where it was made."

Block = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, columns, values (stored or non-zero)


@dataclass(frozen=True, slots=True)
class MatrixSource:
    """One matrix of a file, not read yet.

    Attributes
    ----------
    name
        ``X``, ``raw.X`` or ``layers/NAME``.
    node
        h5py data set (dense) or group (sparse).
    shape
        (cells, genes).
    stored
        ``dense``, ``csr`` or ``csc``.
    dtype
        Type of the values as stored.
    n_stored
        Stored values; cells × genes for a dense matrix.
    keep
        Which of the stored genes are taken, bool; None: all. `shape` counts the taken ones.
    """

    name: str
    node: Any
    shape: tuple[int, int]
    stored: str
    dtype: np.dtype
    n_stored: int
    keep: np.ndarray | None = None

    @property
    def n_genes_stored(self) -> int:
        """Genes the matrix has in its file."""
        return self.shape[1] if self.keep is None else int(self.keep.size)

    def only(self, keep: np.ndarray) -> "MatrixSource":
        """Return the same matrix with some of its genes: bool [genes]."""
        if keep.all():
            return self
        return replace(self, shape=(self.shape[0], int(keep.sum())), keep=keep)

    def blocks(self) -> Iterator[Block]:
        """Yield (rows, columns, values) in storage order, some million values at a time.

        Raises
        ------
        FileRefused
            If positions point outside the matrix or the data cannot be read.
        """
        try:
            yield from self._kept(
                self._dense_blocks() if self.stored == "dense" else self._sparse_blocks()
            )
        except Unreadable as error:
            raise FileRefused(f"{self.name} cannot be read: {error}.", DAMAGED) from error

    def _kept(self, blocks: Iterator[Block]) -> Iterator[Block]:
        if self.keep is None:
            yield from blocks
            return
        place = np.cumsum(self.keep) - 1
        for rows, columns, values in blocks:
            take = self.keep[columns]
            yield rows[take], place[columns[take]], values[take]

    def _dense_blocks(self) -> Iterator[Block]:
        n_obs, n_vars = self.shape[0], self.n_genes_stored
        step = max(1, BLOCK_VALUES // max(1, n_vars))
        if self.node.chunks:  # whole chunks, so that none is unpacked twice
            tall = self.node.chunks[0]
            step = max(tall, step // tall * tall)
        for start in range(0, n_obs, step):
            block = read(self.node, slice(start, start + step))
            rows, columns = np.nonzero(block)
            yield rows + start, columns, block[rows, columns]

    def _sparse_blocks(self) -> Iterator[Block]:
        whole = self.shape[0], self.n_genes_stored
        n_major, n_minor = whole if self.stored == "csr" else whole[::-1]
        indptr = np.asarray(read(self.node["indptr"]), dtype=np.int64)
        rising = indptr.size == n_major + 1 and indptr[0] == 0 and (np.diff(indptr) >= 0).all()
        if not rising or indptr[-1] != self.n_stored:
            raise FileRefused(f"{self.name} is corrupt: its row pointers do not add up.", DAMAGED)
        start = 0
        while start < n_major:
            stop = int(np.searchsorted(indptr, indptr[start] + BLOCK_VALUES, side="right")) - 1
            stop = min(max(stop, start + 1), n_major)
            low, high = int(indptr[start]), int(indptr[stop])
            minor = read(self.node["indices"], slice(low, high))
            if minor.size and (minor.min() < 0 or minor.max() >= n_minor):
                raise FileRefused(
                    f"{self.name} is corrupt: it points beyond its last "
                    f"{'gene' if self.stored == 'csr' else 'cell'}.",
                    DAMAGED,
                )
            major = np.repeat(np.arange(start, stop), np.diff(indptr[start : stop + 1]))
            values = read(self.node["data"], slice(low, high))
            yield (major, minor, values) if self.stored == "csr" else (minor, major, values)
            start = stop


def raw_genes_key(file: Any) -> str:
    """Return where the table of genes of ``raw.X`` lies; anndata before 0.7 had another place."""
    return "raw.var" if "raw.var" in file else "raw/var"


def find_matrices(file: Any, n_obs: int, n_vars: int) -> tuple[list[MatrixSource], list[str]]:
    """Return the matrices of an open .h5ad file, and notes about those left aside.

    Raises
    ------
    FileRefused
        If ``X`` does not fit the tables of cells and genes.
    """
    nodes = {name: file[name] for name in ("X", "raw.X") if name in file}  # raw.X before 0.7
    raw, layers = file.get("raw"), file.get("layers")
    if "raw.X" not in nodes and is_group(raw) and "X" in raw:
        nodes["raw.X"] = raw["X"]
    if is_group(layers):
        nodes |= {f"layers/{name}": layers[name] for name in layers}
    sources, notes = [], []
    for name, node in nodes.items():
        source = _describe(name, node)
        if source is None:
            if text(attribute(node, "encoding-type", "")) != "null":
                notes.append(f"{name} is stored in a way that cannot be read; it was left aside.")
        elif source.shape[0] == n_obs and (name == "raw.X" or source.shape[1] == n_vars):
            sources.append(source)
        elif name == "X":
            raise _misfit(source.shape, n_obs, n_vars)
        else:
            notes.append(f"{name} has the shape {source.shape}, unlike X; it was left aside.")
    return sources, notes


def read_counts(source: MatrixSource, n_values: int) -> sp.csr_matrix:
    """Return a matrix as CSR float32 with sorted positions, duplicates summed, zeros dropped.

    Parameters
    ----------
    source
        The matrix; its values must fit float32 exactly.
    n_values
        Number of values that its blocks yield.
    """
    wide = max(n_values, *source.shape) >= 2**31
    index = np.int64 if wide else np.int32
    data, minor = np.empty(n_values, np.float32), np.empty(n_values, index)
    by_row = source.stored != "csc"
    lengths = np.zeros(source.shape[0 if by_row else 1], np.int64)
    at = 0
    for rows, columns, values in source.blocks():
        end = at + values.size
        data[at:end] = values
        minor[at:end] = columns if by_row else rows
        lengths += np.bincount(rows if by_row else columns, minlength=lengths.size)
        at = end
    data, minor = data[:at], minor[:at]  # `n_values` counts what is stored of all genes
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(index)
    if by_row:
        matrix = sp.csr_matrix((data, minor, indptr), shape=source.shape)
    else:
        matrix = sp.csc_matrix((data, minor, indptr), shape=source.shape).tocsr()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _describe(name: str, node: Any) -> MatrixSource | None:
    if not is_group(node):
        kind, shape = dtype_of(node), shape_of(node) or ()
        if len(shape) != 2 or kind is None or kind.kind not in NUMBERS:
            return None
        n_obs, n_vars = (int(length) for length in shape)
        return MatrixSource(name, node, (n_obs, n_vars), "dense", kind, n_obs * n_vars)
    stored, stated = sparse_format(node), stated_shape(node)
    try:
        is_whole = set(names_in(node)) >= SPARSE
    except Unreadable as error:
        logger.warning("%s cannot be read", name, exc_info=error)
        return None
    if stored not in {"csr", "csc"} or stated is None or not is_whole:
        return None
    return sparse_source(name, node, stated, stored)


def sparse_source(
    name: str, node: Any, shape: tuple[int, int], stored: str
) -> MatrixSource | None:
    """Return a group with the parts of a sparse matrix; None if its values are no numbers.

    Raises
    ------
    FileRefused
        If its parts do not fit each other.
    """
    try:
        data, indices = array_in(node, "data"), array_in(node, "indices", kinds="iu")
        array_in(node, "indptr", kinds=NUMBERS)
    except Unreadable as error:
        raise FileRefused(f"{name} is corrupt: {error}.", DAMAGED) from error
    if data.shape != indices.shape:
        raise FileRefused(f"{name} is corrupt: its parts differ in length.", DAMAGED)
    if data.dtype.kind not in NUMBERS:
        return None
    return MatrixSource(name, node, shape, stored, data.dtype, int(data.shape[0]))


def _misfit(shape: tuple[int, int], n_obs: int, n_vars: int) -> FileRefused:
    if shape == (n_vars, n_obs):
        return FileRefused(
            f"X is turned round: it has {shape[0]:,} rows for {n_obs:,} cells.",
            "Cells belong in rows. Transpose the matrix where the file was made.",
        )
    return FileRefused(
        f"X has the shape {shape[0]:,} × {shape[1]:,}, but there are {n_obs:,} cells and "
        f"{n_vars:,} genes.",
        DAMAGED,
    )
