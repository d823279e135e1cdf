"""Some columns of a CSR matrix of any size, a block of rows at a time."""

import bisect
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from scanvi_core.arrays import Kind, damaged, open_array
from scanvi_core.data.blocks.mapped import entries, let_go, narrow, over_files, parts_of
from scanvi_core.errors import DataDamaged, ProjectError, reason_of

BLOCK = 2**21  # entries at a time: temporaries of some 50 MB
DAY_S = 86_400.0
MAX_CUTS = 3  # cuts kept beside a data set; each is as large as the counts of its genes


def row_blocks(indptr: np.ndarray, size: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Yield (first row, row after the last) of blocks with at most `size` entries, or one row."""
    start, n_rows, indptr = 0, len(indptr) - 1, np.asarray(indptr)
    while start < n_rows:
        # numpy's search would copy all pointers where they are narrower than the number sought
        full = bisect.bisect_right(indptr, int(indptr[start]) + size, start) - 1
        stop = max(start + 1, full)
        yield start, stop
        start = stop


def cut_blocks(counts: sp.csr_array, positions: np.ndarray) -> Iterator[sp.csr_array]:
    """Yield the columns `positions` of `counts` in blocks of whole rows, from the first row on.

    Parameters
    ----------
    counts
        Counts [n, genes], CSR; may be memory-mapped.
    positions
        Columns in the order wanted [g], each once; -1 gives a column of zeros.

    Yields
    ------
    CSR [rows, g] with int32 indices in sorted order, no stored zeros and nothing stored twice.
    """
    here = np.flatnonzero(positions >= 0).astype(np.int32)
    for start, stop in row_blocks(counts.indptr):
        values, indices = entries(counts, start, stop)
        indices = indices.astype(np.int32, copy=False)
        starts = (counts.indptr[start : stop + 1] - counts.indptr[start]).astype(np.int32)
        shape = (stop - start, counts.shape[1])
        cut = sp.csr_array((values, indices, starts), shape)[:, positions[here]]
        shape = (stop - start, len(positions))
        block = sp.csr_array((cut.data, here[cut.indices], cut.indptr), shape)
        block.sum_duplicates()
        block.eliminate_zeros()
        let_go(*parts_of(counts))
        yield block


def row_starts(lengths: list[np.ndarray]) -> np.ndarray:
    """Return row pointers for rows of these lengths, int32 where that will do."""
    return narrow(np.concatenate([np.zeros(1, dtype=np.int64), *lengths]).cumsum())


def cached_cut(folder: Path, counts: sp.csr_matrix, positions: np.ndarray) -> sp.csr_matrix:
    """Return the columns `positions` of `counts` as CSR over files in `folder`.

    They are cut out once and kept: the next call with the same positions costs next to nothing.
    Only the last three cuts stay.

    Parameters
    ----------
    folder
        Where cuts of this very matrix are kept.
    counts, positions
        As in `cut_blocks`; the values must be float32.

    Raises
    ------
    ProjectError
        If there is no room for it on the disk.
    """
    positions = np.asarray(positions, dtype=np.int64)
    shape = counts.shape[0], len(positions)
    return cached_blocks(folder, positions.tobytes(), cut_blocks(counts, positions), shape)


def cached_blocks(
    folder: Path, key: bytes, blocks: Iterator[sp.csr_array], shape: tuple[int, int]
) -> sp.csr_matrix:
    """Return blocks of whole rows as one CSR over files in `folder`, written once for each `key`.

    Raises
    ------
    ProjectError
        If there is no room for it on the disk.
    """
    home = folder / f"cut_{hashlib.sha256(key).hexdigest()[:16]}"
    cached = None
    if home.is_dir():
        try:
            cached = _read(home, shape)
        except DataDamaged:  # it can be written again
            shutil.rmtree(home, ignore_errors=True)
    if cached is None:
        _write(home, blocks)
        cached = _read(home, shape)
    os.utime(home)
    _tidy(folder)
    return cached


def _write(home: Path, blocks: Iterator[sp.csr_array]) -> None:
    """Write a cut, all or nothing: into a folder beside `home` that takes its name at the end."""
    # Plain writes, not a writable map: a full disk is then an error instead of the end of the app.
    temporary = Path(tempfile.mkdtemp(prefix=".cut_", dir=home.parent))
    try:
        lengths = list[np.ndarray]()
        at_data, at_indices = temporary / "data", temporary / "indices"
        with at_data.open("wb") as data, at_indices.open("wb") as indices:
            for block in blocks:
                block.data.tofile(data)
                block.indices.astype(np.int32, copy=False).tofile(indices)
                lengths.append(np.diff(block.indptr))
        np.save(temporary / "indptr.npy", row_starts(lengths), allow_pickle=False)
        for path in temporary.iterdir():
            with path.open("rb+") as handle:
                os.fsync(handle.fileno())
        if not home.is_dir():
            temporary.replace(home)
    except OSError as error:
        raise ProjectError(
            f"The counts of the chosen genes could not be written: {reason_of(error)}.",
            "Check the free space and the permissions of the project folder.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tidy(folder: Path) -> None:
    """Remove all cuts but the last, and what a write that was killed the day before has left."""
    cuts = sorted(folder.glob("cut_*"), key=lambda path: -path.stat().st_mtime)
    killed = [path for path in folder.glob(".cut_*") if time.time() - path.stat().st_mtime > DAY_S]
    for old in cuts[MAX_CUTS:] + killed:
        shutil.rmtree(old, ignore_errors=True)  # on Windows not while it is in use


def _read(home: Path, shape: tuple[int, int]) -> sp.csr_matrix:
    pointers = Kind(("int32", "int64"), (shape[0] + 1,), low=0)
    indptr = open_array(home / "indptr.npy", pointers, mapped=True)
    parts = _numbers(home / "data", np.float32), _numbers(home / "indices", np.int32)
    return over_files(sp.csr_matrix, (*parts, indptr), shape)


def _numbers(path: Path, kind: type[np.generic]) -> np.ndarray:
    """Return all numbers of a file, mapped."""
    try:
        return np.memmap(path, kind, "r") if path.stat().st_size else np.empty(0, kind)
    except (OSError, ValueError) as error:  # not there, or no whole number of numbers
        raise damaged(path, "it cannot be read") from error
