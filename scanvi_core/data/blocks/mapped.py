"""Sparse matrices over files that may be larger than memory.

Compiled code takes positions as they are, and those of a damaged file would end the program. So a
matrix over files gives its positions out by blocks that were looked at (`entries`, and rows that
are taken), which costs next to nothing beside reading them; whoever asks for all of them waits
until all were looked at, once for each state of the file.
"""

import mmap
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from scanvi_core.arrays import KNOWN, damaged, stamp
from scanvi_core.errors import DataDamaged

NARROW = 2**31 - 1  # entries up to which row pointers have the 32 bits of column indices
# Bytes of an array; smaller files stay mapped: to map 1,000 scattered cells again takes some
# 10 ms, a tenth of the time of the step that learns from them.
LARGE = 2**30
BLOCK = 2**24  # positions looked at in one go
_checked_keys: OrderedDict[Any, None] = OrderedDict()
Kind = TypeVar("Kind", sp.csr_matrix, sp.csc_matrix)


class _OverFiles:
    """A sparse matrix over files, whose positions are looked at before anybody uses them."""

    shape: tuple[int, int]
    format: str
    data: np.ndarray
    indptr: np.ndarray
    _positions: np.ndarray
    _plain: Any = None
    _starts_seen: Any = ()  # the state of their file when the pointers were looked at

    @property
    def indices(self) -> np.ndarray:
        """All positions: columns of the entries of a CSR, rows of a CSC."""
        whole = mapping(self._positions)
        if whole is not None:
            self._check_all(whole)
        return self._positions

    @indices.setter
    def indices(self, positions: np.ndarray) -> None:
        self._positions = positions

    @property
    def plain(self) -> Any:
        """The same matrix for compiled code that only copies positions."""
        self.check_files()
        if self._plain is None or self._plain.indices is not self._positions:
            matrix = (sp.csr_matrix if self.format == "csr" else sp.csc_matrix)(self.shape)
            matrix.data, matrix.indices, matrix.indptr = self.data, self._positions, self.indptr
            self._plain = matrix  # to make one takes as long as taking 50 rows
        return self._plain

    def check_files(self) -> None:
        """Find that no file was cut off, and that the pointers are what they were.

        What is read behind the end of a file ends the program.
        """
        for part in (self.data, self._positions, self.indptr):
            if _is_cut_off(part):
                raise _broken(part, "it was cut off")
        now = _state(self.indptr)
        if now != self._starts_seen:
            by_row = self.format == "csr"
            _check_starts(self.indptr, self.shape[0 if by_row else 1], self.data, self._positions)
            self._starts_seen = now

    def checked(self, positions: np.ndarray) -> np.ndarray:
        """Return some of the positions once they are found to lie in the matrix."""
        n = self.shape[1 if self.format == "csr" else 0]
        unsigned = positions.view(f"u{positions.itemsize}")  # below 0 is far above all others
        if positions.size and int(unsigned.max()) >= n:
            raise _broken(self._positions, "it holds positions outside of the data")
        return positions

    def __getitem__(self, key: Any) -> Any:
        rows_alone = self.format == "csr" and not (isinstance(key, tuple) or sp.issparse(key))
        if not rows_alone:
            _ = self.indices
        part = self.plain[key]
        if not sp.issparse(part):  # one number
            return part
        if rows_alone:
            self.checked(part.indices)
        return type(self)(part)  # type: ignore[call-arg]  # scipy's; the arrays are the same

    def _check_all(self, whole: np.memmap) -> None:
        """Check all positions, once for each state of their file."""
        state = _state(whole)
        key = (state, self.shape, len(self._positions))
        self.check_files()
        if key in _checked_keys:
            return
        for start in range(0, len(self._positions), BLOCK):
            self.checked(self._positions[start : start + BLOCK])
            let_go(self._positions)
        if state is not None:
            _checked_keys[key] = None
        while len(_checked_keys) > KNOWN:
            _checked_keys.popitem(last=False)


class MappedRows(_OverFiles, sp.csr_matrix):
    """CSR over files."""


class MappedColumns(_OverFiles, sp.csc_matrix):
    """CSC over files."""


def over_files(
    kind: type[Kind],
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    shape: tuple[int, int],
) -> Kind:
    """Return a matrix over the very arrays data and indices, and indptr.

    Scipy's constructor copies all indices where there are 2^31 of them or more, because the
    pointers are then wider.

    Raises
    ------
    DataDamaged
        If the pointers do not grow or do not fit the arrays, or positions that are in memory lie
        outside the matrix.
    """
    matrix = (MappedRows if issubclass(kind, sp.csr_matrix) else MappedColumns)(
        shape, dtype=parts[0].dtype
    )
    matrix.data, matrix.indices, matrix.indptr = (np.asarray(part) for part in parts)
    matrix.check_files()
    matrix.indptr = narrow(matrix.indptr)
    if mapping(parts[1]) is None:
        matrix.checked(parts[1])
    return matrix


def entries(matrix: Any, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return values and positions of the rows `start` to `stop` of a CSR (columns of a CSC).

    They are those of the matrix, not a copy.

    Raises
    ------
    DataDamaged
        If a position lies outside a matrix over files.
    """
    inside = slice(int(matrix.indptr[start]), int(matrix.indptr[stop]))
    if not isinstance(matrix, _OverFiles):
        return matrix.data[inside], matrix.indices[inside]
    matrix.check_files()
    return matrix.data[inside], matrix.checked(matrix._positions[inside])


def columns_at(matrix: Any, columns: Sequence[int]) -> sp.csc_matrix:
    """Return some columns of a CSC, in memory; nothing else of it is read.

    Raises
    ------
    DataDamaged
        If a position lies outside a matrix over files.
    """
    parts = [entries(matrix, column, column + 1) for column in columns]
    starts = np.cumsum([0, *(len(positions) for _, positions in parts)])
    data = np.concatenate([values for values, _ in parts] or [matrix.data[:0]])
    positions = np.concatenate([positions for _, positions in parts] or [starts[:0]])
    return sp.csc_matrix((data, positions, starts), shape=(matrix.shape[0], len(parts)))


def gathered(matrix: Any, place: np.ndarray, starts: np.ndarray) -> Any:
    """Return the entries at `place` of a CSR as rows that begin at `starts`, in memory."""
    shape = (len(starts) - 1, matrix.shape[1])
    if isinstance(matrix, _OverFiles):
        matrix.check_files()
        positions = matrix.checked(matrix._positions[place])
    else:
        positions = matrix.indices[place]
    return type(matrix)((matrix.data[place], positions, starts), shape=shape)


def values(matrix: Any, start: int, stop: int) -> np.ndarray:
    """Return the values of the rows `start` to `stop` of a CSR (columns of a CSC).

    Raises
    ------
    DataDamaged
        If a file was cut off.
    """
    inside = slice(int(matrix.indptr[start]), int(matrix.indptr[stop]))
    if isinstance(matrix, _OverFiles):
        matrix.check_files()
    return np.asarray(matrix.data[inside])


def parts_of(matrix: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return values and positions of a matrix, to ask where they lie; nobody looked at them."""
    over = isinstance(matrix, _OverFiles)
    return matrix.data, matrix._positions if over else matrix.indices


def _check_starts(
    starts: np.ndarray, n_major: int, data: np.ndarray, positions: np.ndarray
) -> None:
    right = len(starts) == n_major + 1 and starts[0] == 0 and len(data) == len(positions)
    if not right or starts[-1] != len(data) or (starts[1:] < starts[:-1]).any():
        raise _broken(starts, "its rows do not fit the entries")


def _is_cut_off(part: np.ndarray) -> bool:
    whole = mapping(part)
    if whole is None or not isinstance(whole.base, mmap.mmap):
        return False
    return whole.base.size() < whole.offset + whole.nbytes


def _state(part: np.ndarray) -> Any:
    """Return what changes with the file of a mapped array; None where there is none (any more)."""
    whole = mapping(part)
    try:
        return None if whole is None or whole.filename is None else stamp(whole.filename)
    except OSError:  # its name is gone, and what is mapped stays as it is
        return None


def _broken(part: np.ndarray, what: str) -> DataDamaged:
    whole = mapping(part)
    name = None if whole is None else whole.filename
    return damaged(Path("dataset", "counts") if name is None else Path(name), what)


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
    owner: object = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap) and isinstance(owner.base, mmap.mmap):
            return owner
        owner = owner.base
    return None
