"""Prove that an exported file holds the user's data unchanged, and ours as asked.

Only ever imported by the writing process (:mod:`scanvi_core.export.child`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import read_elem

from scanvi_core.errors import ExportError
from scanvi_core.export.own_copy import blocks
from scanvi_core.export.patch import (
    Written,
    as_values,
    load_counts,
    old_parts,
    unsliceable,
    without_kept,
)
from scanvi_core.export.request import ExportRequest, OwnCopy

BLOCK_BYTES = 32_000_000


def verify(
    path: Path,
    request: ExportRequest,
    written: Written,
    report: Callable[[float], None] = lambda _: None,
) -> None:
    """Compare the written file with the source and with the request, by reading both.

    `report` is told how far it is, from 0 to 1.

    Raises
    ------
    ExportError
        If anything differs; the message names the first part that does.
    """
    if request.own_copy is None:
        verify_copy(path, request, written, report)
        with h5py.File(request.source.path, "r") as source:
            request = without_kept(source, request)
    with h5py.File(path, "r") as copy:
        if request.own_copy is not None:
            compare_own_copy(copy, request.own_copy)
        compare_request(copy, request, written)


def verify_copy(
    path: Path, request: ExportRequest, written: Written, report: Callable[[float], None]
) -> None:
    """Compare everything that is the user's with the source."""
    old = old_parts(request.source.path)
    ours = {f"{slot}/{name}" for slot, names in written.items() for name in names}
    with h5py.File(request.source.path, "r") as source, h5py.File(path, "r") as copy:
        rewritten = {n for n in old if n != "obsm" or isinstance(source.get(n), h5py.Dataset)}
        positions = {
            f"{name}/{part}" for name in unsliceable(source) for part in ("indices", "indptr")
        }
        compare_files(source, copy, ours | rewritten | positions, report)
        for name in positions:
            if not same_numbers(source[name], copy[name]):
                raise differs(name)
        for name in rewritten:
            compare_rewritten(name, old[name], read_elem(copy[name]), written)


def compare_own_copy(copy: h5py.File, own: OwnCopy) -> None:
    """Compare the counts of a file that was written anew with those it was written from."""
    name = "raw/X" if own.submission else "X"
    stored, at = copy[name], 0
    for block in blocks(own):
        inside = slice(at, at + block.nnz)
        same = np.array_equal(stored["data"][inside], block.data) if block.nnz else True
        if not same or not np.array_equal(stored["indices"][inside], block.indices):
            raise differs(name)
        at += block.nnz
    if stored["data"].shape[0] != at:
        raise differs(name)


def differs(name: str) -> ExportError:
    """Return the error for a part that is not what it should be."""
    return ExportError(
        f"The written file was read again and {name} is not what it should be.",
        "Nothing was replaced. Try again; if it happens again, check the disk.",
    )


def compare_files(
    source: h5py.File,
    copy: h5py.File,
    skip: set[str],
    report: Callable[[float], None] = lambda _: None,
) -> None:
    """Compare every dataset and attribute of the source, in blocks, but for those in `skip`."""
    size, seen = max(1, Path(source.filename).stat().st_size), 0

    def visit(name: str, item: Any) -> None:
        if any(name == path or name.startswith(f"{path}/") for path in skip):
            return
        other = copy.get(name)
        if type(other) is not type(item):
            raise differs(name)
        if isinstance(item, h5py.Dataset):
            if not same_dataset(item, other):
                raise differs(name)
            nonlocal seen
            seen += item.id.get_storage_size()
            report(min(1.0, seen / size))
        if not same_attributes(item, other, {"column-order"} if name == "obs" else set()):
            raise differs(f"the description of {name}")

    source.visititems(visit)


def same_dataset(a: h5py.Dataset, b: h5py.Dataset) -> bool:
    """Tell whether two datasets hold the same bytes, reading blocks of rows."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.shape:
        return a.shape is None or same_values(np.asarray(a[()]), np.asarray(b[()]))
    row_bytes = a.dtype.itemsize * int(np.prod(a.shape[1:], dtype=np.int64))
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    starts = range(0, a.shape[0], step)
    return all(same_values(a[i : i + step], b[i : i + step]) for i in starts)


def same_numbers(a: h5py.Dataset, b: h5py.Dataset) -> bool:
    """Tell whether two lists hold the same numbers, whatever their types."""
    step = BLOCK_BYTES // 8
    starts = range(0, a.shape[0], step)
    return a.shape == b.shape and all(
        np.array_equal(a[i : i + step], b[i : i + step].astype(a.dtype)) for i in starts
    )


def same_values(a: Any, b: Any) -> bool:
    """Compare bytes, so that NaN equals NaN and -0.0 differs from 0.0; words by value."""
    if a.dtype.hasobject:
        pairs = zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)
        return all(np.array_equal(x, y) if isinstance(x, np.ndarray) else x == y for x, y in pairs)
    return bool(a.tobytes() == b.tobytes())


def same_attributes(a: Any, b: Any, skip: set[str]) -> bool:
    """Compare attributes but for HDF5 references, which hold addresses."""
    for name, value in a.attrs.items():
        if name in skip or isinstance(value, h5py.Reference):
            continue
        if name not in b.attrs or not np.array_equal(value, b.attrs[name]):
            return False
    return True


def compare_rewritten(name: str, before: Any, after: Any, written: Written) -> None:
    """Compare a part that an old file made us rewrite: all values of the user, by column."""
    ours = set(written.get(name, []))
    if isinstance(before, dict):
        for key in before.keys() - ours:
            if not np.array_equal(np.asarray(before[key]), np.asarray(after[key]), equal_nan=True):
                raise differs(f"{name}/{key}")
        return
    if not before.index.equals(after.index):
        raise differs(f"the names of {name}")
    for column in before.columns.difference(list(ours)):
        if not before[column].equals(after[column]):
            raise differs(f"{name}/{column}")


def compare_request(copy: h5py.File, request: ExportRequest, written: Written) -> None:
    """Read our keys as any user would, and compare them with what was asked."""
    table = read_elem(copy["obs"])
    for name, column in zip(written["obs"], request.obs.values(), strict=True):
        if not pd.Series(as_values(column), index=table.index).equals(table[name]):
            raise differs(f"obs/{name}")
    for name, array in zip(written["obsm"], request.obsm.values(), strict=True):
        if not same_values(np.asarray(array), np.asarray(read_elem(copy["obsm"][name]))):
            raise differs(f"obsm/{name}")
    for name, text in zip(written["uns"], request.uns.values(), strict=True):
        entry = read_elem(copy["uns"][name])
        if plain(entry) != text:
            raise differs(f"uns/{name}")
    if request.counts is not None:
        name = written["layers"][0]
        if not same_csr(load_counts(request.counts), copy["layers"][name]):
            raise differs(f"layers/{name}")


def plain(entry: Any) -> Any:
    """Return an entry of uns as it was asked for: texts, lists and mappings of them."""
    if isinstance(entry, dict):
        return {name: plain(value) for name, value in entry.items()}
    return entry if isinstance(entry, str) else list(entry)


def same_csr(asked: sp.csr_matrix, stored: h5py.Group) -> bool:
    """Compare a CSR matrix over memory-maps with a stored one, in blocks."""
    for part in ("data", "indices", "indptr"):
        values, other = getattr(asked, part), stored[part]
        if values.shape != other.shape:
            return False
        step = BLOCK_BYTES // 8
        for start in range(0, len(values), step):
            if not np.array_equal(values[start : start + step], other[start : start + step]):
                return False
    return tuple(stored.attrs["shape"]) == asked.shape
