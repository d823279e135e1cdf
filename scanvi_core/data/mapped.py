"""Sparse matrices over files that may be larger than memory."""

import mmap
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

NARROW = 2**31 - 1  # entries up to which row pointers have the 32 bits of column indices
# Bytes of an array; smaller files stay mapped. Mapping again takes 6 ms for 1,000 scattered cells,
# a twentieth of the step that learns from them.
LARGE = 2**29
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
        mapped = mapping(array) if array.nbytes >= LARGE else None
        # of a private map (mode "c") this would lose what was changed
        if mapped is None or mapped.mode == "c" or not hasattr(mmap, "MADV_DONTNEED"):
            continue
        if isinstance(mapped.base, mmap.mmap):
            mapped.base.madvise(mmap.MADV_DONTNEED)


def folder_of(array: np.ndarray) -> Path | None:
    """Return the folder of the file that `array` is a part of; None if it is in memory."""
    mapped = mapping(array)
    return None if mapped is None or mapped.filename is None else Path(mapped.filename).parent


def mapping(array: np.ndarray) -> np.memmap | None:
    """Return the array that maps the file of which `array` is a part; None if it is in memory."""
    found: object = array
    while isinstance(found, np.ndarray):
        if isinstance(found, np.memmap) and isinstance(found.base, mmap.mmap):
            return found
        found = found.base
    return None
