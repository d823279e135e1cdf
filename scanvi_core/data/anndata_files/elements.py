"""Copy AnnData elements from a zarr or HDF5 group into a new .h5ad file.

Matrices go block by block, the rest through anndata's own reader and writer.
"""

import logging
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from scanvi_core.data.anndata_files.tables import categorical, is_ordered
from scanvi_core.data.anndata_files.target import CHUNK, PACKED, write_frame
from scanvi_core.data.blocks.hdf5 import BLOCK_VALUES, SPARSE
from scanvi_core.data.blocks.nodes import (
    FAILED,
    NUMBERS,
    Unreadable,
    array_in,
    attribute,
    is_group,
    names_in,
    part_in,
    read,
    shape_of,
    sparse_format,
    stated_shape,
    text,
    texts,
)

MAPPINGS = ("obsm", "obsp", "uns", "varm", "varp")
TURNED = {"obs": "var", "var": "obs", "obsm": "varm", "varm": "obsm", "obsp": "varp",
          "varp": "obsp"}  # fmt: skip
logger = logging.getLogger(__name__)


def copy_anndata(source: Any, file: h5py.File, *, turned: bool = False) -> list[str]:
    """Copy one AnnData group; return notices about what could not be read.

    Parameters
    ----------
    source
        zarr or h5py group with ``obs`` and ``var``.
    file
        The new .h5ad file.
    turned
        Whether rows and columns change places; ``raw`` is left out then.

    Raises
    ------
    Unreadable
        If names of cells or genes, or a matrix, cannot be read.
    """
    notes: list[str] = []
    target = TURNED if turned else {}
    for name in ("obs", "var"):
        write_frame(file, target.get(name, name), read_frame(source, name, notes))
    if "X" in source:
        copy_matrix(source, file, "X", notes, turned=turned)
    for name in _names_in(source, "layers"):
        copy_matrix(source, file, f"layers/{name}", notes, turned=turned)
    if not turned and "X" in _names_in(source, "raw"):
        file.create_group("raw").attrs.update(
            {"encoding-type": "raw", "encoding-version": "0.1.0"}
        )
        copy_matrix(source, file, "raw/X", notes)
        write_elem(file, "raw/var", read_frame(source, "raw/var", notes))
    for slot in MAPPINGS:
        for name in _names_in(source, slot):
            _copy_element(source[slot], file[target.get(slot, slot)], slot, name, notes)
    return notes


def read_element(node: Any) -> Any:
    """Return what anndata reads from a part of a file.

    Raises
    ------
    Unreadable
        If it cannot; its error is the cause.
    """
    try:
        return read_elem(node)
    except MemoryError:
        raise
    except Exception as error:
        raise Unreadable(FAILED) from error


def read_frame(source: Any, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table of cells or genes; a column that cannot be read does not cost the others.

    Raises
    ------
    Unreadable
        If the names of its rows cannot be read.
    """
    node = part_in(source, name)
    try:
        whole = read_element(node)
    except Unreadable as error:
        logger.warning("%s is read column by column", name, exc_info=error)
    else:
        if not isinstance(whole, pd.DataFrame):
            raise Unreadable(f"{name} is no table")
        return whole
    index = _words(node, text(attribute(node, "_index", "_index")))
    columns = {}
    for key in texts(attribute(node, "column-order", [])):
        try:
            columns[key] = _column(node, key, index)
        except Unreadable as error:
            logger.warning("%s['%s'] cannot be read", name, key, exc_info=error)
            notes.append(f"{name}['{key}'] cannot be read and was left out ({error}).")
    return pd.DataFrame(columns, index)


def _column(table: Any, name: str, index: pd.Index) -> pd.Series:
    node = part_in(table, name)
    if is_group(node) and {"codes", "categories"} <= set(node):  # "ordered" may be missing
        if "ordered" in node:  # an R writer of 2025 did so, and counted its codes from 1
            raise Unreadable("its writer may have counted the categories from 0 or from 1")
        codes, words = read(array_in(node, "codes")), _words(node, "categories")
        values = categorical(codes, words, ordered=is_ordered(node))
    else:
        values = read_element(node)
    if np.ndim(values) != 1 or len(values) != len(index):
        raise Unreadable("it does not fit the table")
    return pd.Series(values, index=index)


def _words(table: Any, name: str) -> pd.Index:
    values = read_element(part_in(table, name))
    if np.ndim(values) != 1:
        raise Unreadable(f"{name} is no list")
    return pd.Index([str(value) for value in values], dtype=object)


def _names_in(source: Any, name: str) -> list[str]:
    """Return the names of the parts of a group; none where it is missing or no group."""
    node = source.get(name)
    return names_in(node) if is_group(node) else []


def copy_matrix(
    source: Any, file: h5py.File, name: str, notes: list[str], *, turned: bool = False
) -> None:
    """Copy a dense or sparse matrix some million values at a time; `turned`: its transpose.

    Raises
    ------
    Unreadable
        If a part of it is missing or damaged.
    """
    node = part_in(source, name)
    if not is_group(node):
        if len(shape_of(node) or ()) == 2:
            copy = _copy_transposed if turned else _copy_array
            copy(array_in(source, name, 2, NUMBERS), file, name)
        return
    if not set(names_in(node)) >= SPARSE:
        notes.append(f"{name} is stored in a way that cannot be read; it was left aside.")
        return
    parts = {part: array_in(node, part, 1, NUMBERS) for part in sorted(SPARSE)}
    stored, shape = sparse_format(node) or "csr", stated_shape(node)
    if shape is None:
        raise Unreadable(f"{name} states no shape")
    if turned:  # what is stored by rows of one is stored by columns of the other
        stored, shape = {"csr": "csc", "csc": "csr"}.get(stored, stored), shape[::-1]
    group = file.create_group(name)
    group.attrs.update({"encoding-type": f"{stored}_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = shape
    for part, array in parts.items():
        _copy_array(array, group, part)


def _copy_array(node: Any, parent: Any, name: str) -> None:
    height, *width = (int(length) for length in node.shape)
    row = int(np.prod(width, dtype=np.int64)) or 1
    chunks = (max(1, min(height, CHUNK // row)), *width) if node.size else None
    packed = PACKED if node.size else {}
    new = parent.create_dataset(name, node.shape, node.dtype, chunks=chunks, **packed)
    new.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    step = max(1, BLOCK_VALUES // row)
    for start in range(0, height, step):
        new[start : start + step] = read(node, slice(start, start + step))


def _copy_transposed(node: Any, parent: Any, name: str) -> None:
    height, width = (int(length) for length in node.shape)
    side = max(1, int(CHUNK**0.5))
    chunks = (min(width, side), min(height, side)) if node.size else None
    packed = PACKED if node.size else {}
    new = parent.create_dataset(name, (width, height), node.dtype, chunks=chunks, **packed)
    new.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    step = max(side, BLOCK_VALUES // max(1, width) // side * side)
    for start in range(0, height, step):
        new[:, start : start + step] = read(node, slice(start, start + step)).T


def _copy_element(source: Any, target: Any, slot: str, name: str, notes: list[str]) -> None:
    try:
        _write_element(target, name.replace("/", "_"), read_element(part_in(source, name)))
    except Unreadable as error:
        logger.warning("%s['%s'] cannot be read", slot, name, exc_info=error)
        notes.append(f"{slot}['{name}'] cannot be read and was left out ({error}).")


def _write_element(target: Any, name: str, value: Any) -> None:
    """Write what was read; anndata reads more than it writes, and that is left out as well."""
    try:
        write_elem(target, name, value)
    except (MemoryError, OSError):  # of the machine, not of the value
        raise
    except Exception as error:
        if name in target:
            del target[name]
        raise Unreadable("anndata cannot write what it read") from error
