"""Sparse matrices over files that may be larger than memory."""

import mmap
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

NARROW = 2**31 - 1  # entries up to which row pointers have the 32 bits of column indices
# Bytes of an array; smaller files stay mapped: to map 1,000 scattered cells again takes some
# 10 ms, a tenth of the time of the step that learns from them.
LARGE = 2**30
Kind = TypeVar("Kind", sp.csr_matrix, sp.csc_matrix)


def over_files(
    kind: type[Kind],
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> Kind:
    """Return a matrix over the very arrays data and indices, and indptr.

    Scipy's constructor copies all indices where there are 2^31 of them or more, because the
    pointers are then wider.
    """
    matrix = kind(shape, dtype=parts[0].dtype)
    matrix.data, matrix.indices, matrix.indptr = (np.asarray(part) for part in parts)
    matrix.indptr = narrow(matrix.indptr)
    return matrix


def narrow(indptr: np.ndarray) -> np.ndarray:
    """Return row pointers as int32 where that will do: scipy copies indices of another width."""
    return indptr if indptr[-1] > NARROW else indptr.astype(np.int32, copy=False)


def let_go(*arrays: np.ndarray) -> None:
    """Give back the memory of large arrays over files; they are read again when they are needed.

    Pages of a mapped file that were read count as memory of the process until the system needs
    them. Nothing happens to arrays that are small or in memory, nor on systems without this call.
    """
    for array in arrays:
        pages = _large_map(array)
        if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            pages.madvise(mmap.MADV_DONTNEED)


def read_ahead(array: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> None:
    """Ask the system for scattered parts of a large array over a file, before they are read.

    Else the disk is waited for at every part and its surroundings are read, too: 1,000 scattered
    cells that are in no cache then take 0.7 s instead of 0.03 to 0.07 s (measured on one disk).

    Parameters
    ----------
    array
        One-dimensional; nothing happens if it is small or in memory.
    starts, stops
        Where the parts begin and end, in any order.
    """
    pages = _large_map(array)
    if pages is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    offset = array.ctypes.data - np.frombuffer(pages, np.uint8).ctypes.data
    some = stops > starts
    first = (offset + starts[some].astype(np.int64) * array.itemsize) // mmap.PAGESIZE
    last = (offset + stops[some].astype(np.int64) * array.itemsize - 1) // mmap.PAGESIZE + 1
    first, last = np.sort(first), np.sort(last)
    apart = first[1:] > last[:-1]  # parts that touch are asked for together
    begin = np.concatenate([first[:1], first[1:][apart]]) * mmap.PAGESIZE
    end = np.concatenate([last[:-1][apart], last[-1:]]) * mmap.PAGESIZE
    for here, there in zip(begin.tolist(), end.tolist(), strict=True):
        pages.madvise(mmap.MADV_WILLNEED, here, there - here)


def folder_of(array: np.ndarray) -> Path | None:
    """Return the folder of the file that `array` is a part of; None if it is in memory."""
    mapped = mapping(array)
    return None if mapped is None or mapped.filename is None else Path(mapped.filename).parent


def _large_map(array: np.ndarray) -> mmap.mmap | None:
    """Return the map of a large array over a file; None too where changes would be lost."""
    mapped = mapping(array) if array.nbytes >= LARGE else None
    if mapped is None or mapped.mode == "c" or not isinstance(mapped.base, mmap.mmap):
        return None
    return mapped.base


def mapping(array: np.ndarray) -> np.memmap | None:
    """Return the array that maps the file of which `array` is a part; None if it is in memory."""
    found: object = array
    while isinstance(found, np.ndarray):
        if isinstance(found, np.memmap) and isinstance(found.base, mmap.mmap):
            return found
        found = found.base
    return None
