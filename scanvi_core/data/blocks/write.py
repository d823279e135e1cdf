"""Counts of any size from a file into the project's own arrays, a block of rows at a time.

Plain reads and writes, no maps: a full disk is an error instead of the end of the process, and
maps would count against its limit on memory. What is held is one block and some numbers per cell
and gene.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp

from scanvi_core.arrays import Kind, damaged, open_array
from scanvi_core.data.blocks.columns import row_blocks, row_starts
from scanvi_core.data.blocks.hdf5 import MatrixSource

GENE_BLOCK = 2**24  # values turned at a time: temporaries of some 500 MB
SHARE_COUNTED = 0.1  # of the time of turning, for counting how much there is of every gene
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


def regrouped(blocks: Iterator[sp.csr_matrix], size: int) -> Iterator[sp.csr_matrix]:
    """Yield the same rows in blocks of at most `size` values, or one row, as large as can be.

    What depends on the blocks then depends on the matrix alone, not on how it was stored. The
    blocks own their values.
    """
    held = None
    for block in blocks:
        held = block if held is None else sp.vstack([held, block], format="csr")
        if held.nnz <= size:
            continue
        *full, (start, _) = row_blocks(held.indptr, size)
        for first, last in full:
            yield held[first:last].copy()
        held = held[start:].copy()
    if held is not None:
        yield held


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
    """Yield (first row, block) of what `write_csr` wrote, about `size` values at a time.

    Raises
    ------
    DataDamaged
        If the files do not hold such rows.
    """
    at_indptr = folder / f"{prefix}_indptr.npy"
    indptr = open_array(at_indptr, Kind(("int32", "int64"), (None,), low=0))
    if not len(indptr) or indptr[0] or (indptr[1:] < indptr[:-1]).any():
        raise damaged(at_indptr, "its numbers do not grow")
    paths = {part: folder / f"{prefix}_{part}.npy" for part in PARTS}
    with paths["data"].open("rb") as data, paths["indices"].open("rb") as indices:
        for file in (data, indices):
            _skip_header(file)
        for start, stop in row_blocks(indptr, size):
            n = int(indptr[stop] - indptr[start])
            parts = np.fromfile(data, PARTS["data"], n), np.fromfile(indices, PARTS["indices"], n)
            if any(len(part) < n for part in parts):
                raise damaged(at_indptr, "it tells of more values than there are")
            if n and not 0 <= parts[1].min() <= parts[1].max() < n_vars:
                raise damaged(paths["indices"], "it holds positions outside of the data")
            starts = (indptr[start : stop + 1] - indptr[start]).astype(np.int32)
            yield start, sp.csr_matrix((*parts, starts), shape=(stop - start, n_vars), copy=False)


def hash_rows(folder: Path, shape: tuple[int, int]) -> str:
    """Return the SHA-256 of shape, row pointers, positions and values that `write_csr` wrote."""
    indptr = np.load(folder / "counts_indptr.npy", allow_pickle=False)
    digest = hashlib.sha256(np.asarray(shape, "<i8").tobytes())
    digest.update(indptr.astype("<i8").tobytes())
    for part in ("indices", "data"):
        with (folder / f"counts_{part}.npy").open("rb") as file:
            _skip_header(file)
            while piece := file.read(2**24):
                digest.update(piece)
    return digest.hexdigest()


def write_by_gene(
    folder: Path,
    shape: tuple[int, int],
    size: int = GENE_BLOCK,
    tell: Callable[[float], None] = lambda _: None,
) -> None:
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
    tell
        Told which share is done.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    per_gene = np.zeros(shape[1], dtype=np.int64)
    for first, block in read_rows(folder, shape[1], size):
        tell(SHARE_COUNTED * first / shape[0])
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
            tell(SHARE_COUNTED + (1 - SHARE_COUNTED) * (first + block.shape[0]) / shape[0])


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
