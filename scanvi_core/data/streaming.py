"""Counts of any size from a file into the project's own arrays, a block of rows at a time.

Plain reads and writes, no maps: a full disk is an error instead of the end of the process, and
maps would count against its limit on memory. What is held is one block and some numbers per cell
and gene.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.cut import row_blocks, row_starts
from scanvi_core.data.reading import MatrixSource

GENE_BLOCK = 2**24  # values turned at a time: temporaries of some 500 MB
PARTS = {"data": np.dtype("<f4"), "indices": np.dtype("<i4")}


def csr_blocks(source: MatrixSource) -> Iterator[sp.csr_matrix]:
    """Yield a matrix stored by rows or dense as blocks of whole rows, float32, from the first on.

    Positions are sorted, what is stored twice is summed, and zeros are left out.

    Raises
    ------
    FileRefused
        If positions point outside the matrix or the data cannot be read.
    ValueError
        If the matrix is stored by columns.
    """
    if source.stored == "csc":
        raise ValueError(f"{source.name} is stored by columns")
    first, n_obs = 0, source.shape[0]
    for rows, columns, values in source.blocks():
        if not rows.size:
            continue
        last = int(rows[-1]) + 1
        yield _block(values, columns, rows - first, (last - first, source.shape[1]))
        first = last
    if first < n_obs:  # rows without values at the end
        yield sp.csr_matrix((n_obs - first, source.shape[1]), dtype=np.float32)


def _block(
    values: np.ndarray, columns: np.ndarray, rows: np.ndarray, shape: tuple[int, int]
) -> sp.csr_matrix:
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=shape[0])))
    parts = values.astype(np.float32), columns.astype(np.int32), starts.astype(np.int32)
    block = sp.csr_matrix(parts, shape=shape)
    block.sum_duplicates()
    block.eliminate_zeros()
    return block


def write_csr(blocks: Iterator[sp.csr_matrix], folder: Path, prefix: str = "counts") -> None:
    """Write blocks of rows as ``<prefix>_data.npy``, ``_indices.npy`` and ``_indptr.npy``.

    Parameters
    ----------
    blocks
        Tidy blocks in order, as `csr_blocks` yields them.
    folder
        Where; must exist.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    lengths, n_values = list[np.ndarray](), 0
    paths = {part: folder / f"{prefix}_{part}.npy" for part in PARTS}
    with paths["data"].open("wb") as data, paths["indices"].open("wb") as indices:
        for file, kind in ((data, PARTS["data"]), (indices, PARTS["indices"])):
            _write_header(file, kind, 2**62)  # room for any length; the true one follows
        for block in blocks:
            block.data.astype(PARTS["data"], copy=False).tofile(data)
            block.indices.astype(PARTS["indices"], copy=False).tofile(indices)
            lengths.append(np.diff(block.indptr))
            n_values += block.nnz
        for file, kind in ((data, PARTS["data"]), (indices, PARTS["indices"])):
            _write_header(file, kind, n_values)
    np.save(folder / f"{prefix}_indptr.npy", row_starts(lengths), allow_pickle=False)


def read_rows(folder: Path, n_vars: int, size: int, prefix: str = "counts") -> Iterator[Any]:
    """Yield (first row, block) of what `write_csr` wrote, about `size` values at a time."""
    indptr = np.load(folder / f"{prefix}_indptr.npy", allow_pickle=False)
    paths = {part: folder / f"{prefix}_{part}.npy" for part in PARTS}
    with paths["data"].open("rb") as data, paths["indices"].open("rb") as indices:
        for file in (data, indices):
            _skip_header(file)
        for start, stop in row_blocks(indptr, size):
            n = int(indptr[stop] - indptr[start])
            parts = np.fromfile(data, PARTS["data"], n), np.fromfile(indices, PARTS["indices"], n)
            starts = (indptr[start : stop + 1] - indptr[start]).astype(np.int32)
            yield start, sp.csr_matrix((*parts, starts), shape=(stop - start, n_vars), copy=False)


def write_by_gene(folder: Path, shape: tuple[int, int], size: int = GENE_BLOCK) -> None:
    """Turn ``counts_*.npy`` into the same counts by gene, ``by_gene_*.npy`` (CSC).

    Two passes over the rows: the first counts the values of every gene, the second puts those of
    a block of rows at their places, one write per gene and block.

    Parameters
    ----------
    folder
        Holds what `write_csr` wrote.
    shape
        (cells, genes).
    size
        Values at a time.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    per_gene = np.zeros(shape[1], dtype=np.int64)
    for _, block in read_rows(folder, shape[1], size):
        per_gene += np.bincount(block.indices, minlength=shape[1])
    starts = row_starts([per_gene])
    np.save(folder / "by_gene_indptr.npy", starts, allow_pickle=False)
    paths = {part: folder / f"by_gene_{part}.npy" for part in PARTS}
    with paths["data"].open("wb") as data, paths["indices"].open("wb") as indices:
        heads = [_write_header(f, PARTS[p], int(starts[-1])) for p, f in _named(data, indices)]
        place = starts[:-1].astype(np.int64)
        for first, block in read_rows(folder, shape[1], size):
            turned = block.tocsc()
            cells = turned.indices.astype(PARTS["indices"]) + PARTS["indices"].type(first)
            for file, head, values in zip(
                (data, indices), heads, (turned.data, cells), strict=True
            ):
                _put(file, head, place, turned.indptr, values)
            place += np.diff(turned.indptr)


def _named(data: IO[bytes], indices: IO[bytes]) -> list[tuple[str, IO[bytes]]]:
    return [("data", data), ("indices", indices)]


def _put(
    file: IO[bytes], head: int, place: np.ndarray, starts: np.ndarray, values: np.ndarray
) -> None:
    """Write the values of each gene of a block at its place in the file."""
    width, raw = values.itemsize, values.view(np.uint8).data
    for gene in np.flatnonzero(np.diff(starts)):
        file.seek(head + int(place[gene]) * width)
        file.write(raw[int(starts[gene]) * width : int(starts[gene + 1]) * width])


def _write_header(file: IO[bytes], kind: np.dtype, n_values: int) -> int:
    """Write the head of a .npy file of `n_values` numbers; return its length, always the same."""
    file.seek(0)
    about = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False}
    # numpy pads the head so that the number of values may grow; 20 digits always fit
    np.lib.format.write_array_header_1_0(file, about | {"shape": (n_values,)})
    return file.tell()


def _skip_header(file: IO[bytes]) -> None:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
