"""Rows of CSR counts of any size, in memory or over files, without a copy of the others.

Counts that stay in a store (:mod:`scanvi_core.data.collection.collection.counts`) are taken as
well.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from scanvi_core.data.blocks.columns import cached_blocks, row_blocks
from scanvi_core.data.blocks.mapped import (
    LARGE,
    folder_of,
    gathered,
    let_go,
    parts_of,
    read_ahead,
    values,
)

AT_ONCE = 4_096  # rows of large files; of each, up to 128 kB are mapped until all are taken


def take_rows(counts: sp.csr_array, rows: np.ndarray) -> sp.csr_array:
    """Return ``counts[rows]``, in memory; pages of large files are given back.

    With 2^31 entries or more, row pointers are wider than column indices, and scipy copies all of
    those at every access: the rows are then gathered here.

    Parameters
    ----------
    counts
        CSR [n, genes].
    rows
        Positions [k], int64.
    """
    if not sp.issparse(counts):
        return counts[rows]
    if counts.data.nbytes >= LARGE and len(rows) > AT_ONCE:
        some = (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE))
        together = sp.vstack([take_rows(counts, part) for part in some], format="csr")
        return type(counts)(together)  # the same arrays
    first, last = counts.indptr[rows], counts.indptr[rows + 1]
    parts = parts_of(counts)
    for part in parts:
        read_ahead(part, first, last)
    if counts.indptr.dtype == parts[1].dtype:
        taken = counts[rows]
    else:
        starts = np.append(0, np.cumsum(last - first))
        place = np.repeat(first - starts[:-1], last - first) + np.arange(starts[-1])
        taken = gathered(counts, place, starts.astype(np.int32))
    let_go(*parts)
    return taken


def filled_rows(counts: sp.csr_array) -> np.ndarray:
    """Return which rows have a sum above 0, bool [n], reading a block of them at a time."""
    if not sp.issparse(counts):
        return np.asarray(counts.sum(axis=1)) > 0
    filled = np.zeros(counts.shape[0], dtype=bool)
    for start, stop in row_blocks(counts.indptr):
        starts = counts.indptr[start : stop + 1]
        some = np.flatnonzero(np.diff(starts))
        if some.size:
            own = values(counts, start, stop)
            filled[start + some] = np.add.reduceat(own, starts[some] - starts[0]) > 0
        let_go(counts.data)
    return filled


def chosen_rows(counts: sp.csr_array, chosen: np.ndarray) -> sp.csr_array:
    """Return the rows of a mask [n], where possible without holding a copy of them.

    If the others hold no entries, the result shares those of `counts`; if `counts` lies in large
    files, the rows are written beside those, as `cached_cut` writes columns; else they are copied.
    """
    if chosen.all():
        return counts
    if not sp.issparse(counts):
        return counts.subset(chosen)
    shape = int(np.count_nonzero(chosen)), counts.shape[1]
    if not np.diff(counts.indptr)[~chosen].any():
        shared = type(counts)(shape, dtype=counts.dtype)
        shared.data, shared.indices = parts_of(counts)
        shared.indptr = np.append(counts.indptr[:-1][chosen], counts.indptr[-1:])
        return shared
    folder = folder_of(counts.data) if counts.data.nbytes >= LARGE else None
    if folder is None:
        return counts[chosen]
    return cached_blocks(folder, np.packbits(chosen).tobytes(), _parts(counts, chosen), shape)


def _parts(counts: sp.csr_array, chosen: np.ndarray) -> Iterator[sp.csr_array]:
    for start, stop in row_blocks(counts.indptr):
        yield take_rows(counts, start + np.flatnonzero(chosen[start:stop]))
