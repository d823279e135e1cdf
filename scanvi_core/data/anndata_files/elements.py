"""Copy AnnData elements from a zarr or HDF5 group into a new .h5ad file.

Matrices go block by block, the rest through anndata's own reader and writer.
"""

from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from scanvi_core.data.anndata_files.tables import Unreadable, categorical
from scanvi_core.data.anndata_files.target import CHUNK, PACKED
from scanvi_core.data.blocks.hdf5 import BLOCK_VALUES

SPARSE = frozenset({"data", "indices", "indptr"})
MAPPINGS = ("obsm", "obsp", "uns", "varm", "varp")


def copy_anndata(source: Any, file: h5py.File) -> list[str]:
    """Copy one AnnData group; return notices about what could not be read.

    Parameters
    ----------
    source
        zarr or h5py group with ``obs`` and ``var``.
    file
        The new .h5ad file.
    """
    notes: list[str] = []
    for name in ("obs", "var"):
        write_elem(file, name, read_frame(source[name], name, notes))
    if "X" in source:
        copy_matrix(source["X"], file, "X", notes)
    for name in source.get("layers", ()):
        copy_matrix(source[f"layers/{name}"], file, f"layers/{name}", notes)
    if hasattr(source.get("raw"), "keys") and "X" in source["raw"]:
        file.create_group("raw").attrs.update(
            {"encoding-type": "raw", "encoding-version": "0.1.0"}
        )
        copy_matrix(source["raw/X"], file, "raw/X", notes)
        write_elem(file, "raw/var", read_frame(source["raw/var"], "raw/var", notes))
    for slot in MAPPINGS:
        for name in source.get(slot, ()):
            _copy_element(source[slot], file[slot], slot, name, notes)
    return notes


def read_frame(node: Any, name: str, notes: list[str]) -> pd.DataFrame:
    """Return a table of cells or genes; a column that cannot be read does not cost the others."""
    try:
        return read_elem(node)
    except Exception:  # noqa: BLE001 whatever one column is, the rest is read one by one below
        index_key = str(node.attrs["_index"])
        columns = {}
        for key in [str(key) for key in node.attrs["column-order"]]:
            try:
                columns[key] = _column(node[key])
            except Exception as error:  # noqa: BLE001 as above
                reason = error if isinstance(error, Unreadable) else type(error).__name__
                notes.append(f"{name}['{key}'] cannot be read and was left out ({reason}).")
        index = _texts(node[index_key])
        return pd.DataFrame({key: pd.Series(v, index=index) for key, v in columns.items()}, index)


def _column(node: Any) -> Any:
    if hasattr(node, "keys") and {"codes", "categories"} <= set(node):  # "ordered" may be missing
        if "ordered" in node:  # an R writer of 2025 did so, and counted its codes from 1
            raise Unreadable("its writer may have counted the categories from 0 or from 1")
        return categorical(node["codes"][()], _texts(node["categories"]), node.attrs)
    return read_elem(node)


def _texts(node: Any) -> pd.Index:
    return pd.Index([str(text) for text in read_elem(node)], dtype=object)


def copy_matrix(node: Any, file: h5py.File, name: str, notes: list[str]) -> None:
    """Copy a dense or sparse matrix some million values at a time."""
    if not hasattr(node, "keys"):
        if getattr(node, "ndim", 0) == 2:
            _copy_array(node, file, name)
        return
    if not set(node) >= SPARSE:
        notes.append(f"{name} is stored in a way that cannot be read; it was left aside.")
        return
    stored = str(node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", "csr")))
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    group = file.create_group(name)
    group.attrs["encoding-type"] = f"{stored.removesuffix('_matrix')}_matrix"
    group.attrs["encoding-version"] = "0.1.0"
    group.attrs["shape"] = np.asarray(shape)
    for part in sorted(SPARSE):
        _copy_array(node[part], group, part)


def _copy_array(node: Any, parent: Any, name: str) -> None:
    height, *width = (int(length) for length in node.shape)
    row = int(np.prod(width, dtype=np.int64)) or 1
    chunks = (max(1, min(height, CHUNK // row)), *width) if node.size else None
    packed = PACKED if node.size else {}
    new = parent.create_dataset(name, node.shape, node.dtype, chunks=chunks, **packed)
    new.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    step = max(1, BLOCK_VALUES // row)
    for start in range(0, height, step):
        new[start : start + step] = node[start : start + step]


def _copy_element(source: Any, target: Any, slot: str, name: str, notes: list[str]) -> None:
    try:
        write_elem(target, name.replace("/", "_"), read_elem(source[name]))
    except Exception as error:  # noqa: BLE001 one entry of unknown make does not cost the file
        notes.append(f"{slot}['{name}'] cannot be read and was left out ({type(error).__name__}).")
        if name in target:
            del target[name]
