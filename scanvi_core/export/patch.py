"""Add our keys to a copy of the user's .h5ad, and leave everything else as it is.

Only ever imported by the writing process (:mod:`scanvi_core.export.child`).
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import write_elem

from scanvi_core import keys
from scanvi_core.data.anndata_files.element import describe, index_name, slices_in_scipy
from scanvi_core.data.anndata_files.elements import read_element
from scanvi_core.data.anndata_files.tables import read_table
from scanvi_core.data.blocks.hdf5 import SPARSE
from scanvi_core.data.blocks.nodes import Unreadable, attribute, texts
from scanvi_core.errors import ExportError
from scanvi_core.export.request import Column, CountsLayer, ExportRequest
from scanvi_core.hints import LABELS_AS_CSV

logger = logging.getLogger(__name__)
POSITIONS = 2**22  # at a time

Written = dict[str, list[str]]
"""The names written, by slot: obs, obsm, uns, layers."""


def patch(path: Path, request: ExportRequest) -> tuple[Written, list[str]]:
    """Write the request's keys into the file at `path`.

    Returns
    -------
    written, notes
        The names they got, and what of the user's had to be written anew, in sentences.

    Raises
    ------
    ExportError
        If the file has no usable cell table, or another number of cells or genes.
    """
    notes = modernize(path)
    with h5py.File(path, "r+") as file:
        check_shapes(file, request)
        request = without_kept(file, request)
        suffix = "" if request.replace else free_suffix(file, request)
        written: Written = {
            "obs": add_columns(file, request.obs, suffix),
            "obsm": add_all(file, "obsm", request.obsm, suffix),
            "uns": add_all(file, "uns", request.uns, suffix),
            "layers": [],
        }
        if request.counts is not None:
            written["layers"] = [add_counts(file, request.counts)]
    return written, notes


def is_current(file: h5py.File) -> bool:
    """Tell whether the cell table can take single columns (``dataframe`` 0.2.0)."""
    if "obs" not in file or file.attrs.get("encoding-type", "anndata") != "anndata":
        raise ExportError(
            "The file has no cell table (obs) of an .h5ad file.",
            LABELS_AS_CSV,
        )
    kind = [file["obs"].attrs.get(f"encoding-{part}") for part in ("type", "version")]
    return kind == ["dataframe", "0.2.0"]


def old_parts(path: Path) -> dict[str, Any]:
    """Return the parts of an old file that must be rewritten whole; empty for a current one.

    anndata < 0.7 keeps obs, var and obsm as compound datasets and the categories of both tables
    in uns, which are only looked up while obs is such a dataset: these go together. The 0.1.0
    table keeps its categories in ``__categories``, by reference.
    """
    with h5py.File(path, "r") as file:
        if is_current(file):
            return {}
        if isinstance(file["obs"], h5py.Group):
            return {"obs": whole_table(file, "obs")}
    whole = anndata.read_h5ad(path)
    return {"obs": whole.obs, "var": whole.var, "obsm": dict(whole.obsm)}


def whole_table(file: h5py.File, name: str) -> pd.DataFrame:
    """Return a table that says less of itself than anndata asks for; no column is lost.

    SeuratDisk keeps factors as codes that anndata takes for numbers; other writers leave out what
    marks a table as one.
    """
    ours = read_table(file, name)
    try:
        table = read_element(file[name])
    except Unreadable as error:
        logger.warning("%s is read column by column", name, exc_info=error)
        table = None
    if not isinstance(table, pd.DataFrame):
        if ours.notes:
            raise ExportError(
                f"The cell table ({name}) of the file cannot be rewritten: {ours.notes[0]}",
                "Open the file with the program that wrote it and save it again.",
            )
        return pd.DataFrame(ours.columns, index=pd.Index(ours.names, dtype=object))
    for column, values in ours.columns.items():
        codes = isinstance(values, pd.Categorical) and column in table
        if codes and not isinstance(table[column].dtype, pd.CategoricalDtype):
            table[column] = values
    return table


def unsliceable(file: h5py.File) -> list[str]:
    """Return the sparse matrices whose positions are of a type that scipy cannot slice with."""
    found = list[str]()

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and set(item) >= SPARSE and not slices_in_scipy(item):
            found.append(name)

    file.visititems(visit)
    return found


def positions(group: h5py.Group) -> np.dtype:
    """Return the type that the positions of a sparse matrix are written in."""
    longest = max(group["data"].shape[0], *map(int, group.attrs.get("shape", (0, 0))))
    return np.dtype(np.int32 if longest < 2**31 else np.int64)


def make_sliceable(path: Path) -> list[str]:
    """Write positions of sparse matrices as whole numbers with a sign, which scipy slices with."""
    notes = []
    with h5py.File(path, "r+") as file:
        for name in unsliceable(file):
            group = file[name]
            kind = positions(group)
            for part in ("indices", "indptr"):
                old = group[part]
                new = group.create_dataset(
                    f"{part}.new", old.shape, kind, chunks=old.chunks, compression=old.compression,
                    compression_opts=old.compression_opts,
                )  # fmt: skip
                for start in range(0, old.shape[0], POSITIONS):
                    new[start : start + POSITIONS] = old[start : start + POSITIONS]
                new.attrs.update(dict(old.attrs))
                del group[part]
                group.move(f"{part}.new", part)
            notes.append(
                f"The positions of {name} were stored in a type with which scanpy cannot slice; "
                "they were written anew, values unchanged."
            )
    return notes


def modernize(path: Path) -> list[str]:
    """Rewrite the parts of an old file that cannot take an addition; say which."""
    parts = old_parts(path)
    notes = []
    with h5py.File(path, "r+") as file:
        for name, value in parts.items():
            if name != "obsm" or isinstance(file.get(name), h5py.Dataset):
                write_elem(file, name, value)
                notes.append(
                    f"{name} was stored in an old format; it was written anew, values unchanged."
                )
    return notes + make_sliceable(path)


def length(table: Any) -> int:
    """Return the number of rows of a stored table, current or compound."""
    if isinstance(table, h5py.Dataset):
        return int(table.shape[0])
    element = describe(table, index_name(table))
    if element.length is None:
        raise ExportError(
            f"The names in a table of the file are stored as {element.encoding or 'something'!r}.",
            LABELS_AS_CSV,
        )
    return element.length


def check_shapes(file: h5py.File, request: ExportRequest) -> None:
    """Refuse arrays that do not fit the cells (and, for counts, the genes) of the file."""
    n_obs = length(file["obs"])
    rows = {name: len(c[0] if isinstance(c, tuple) else c) for name, c in request.obs.items()}
    rows |= {name: len(array) for name, array in request.obsm.items()}
    for name, n in rows.items():
        if n != n_obs:
            raise ExportError(
                f"The file has {n_obs:,} cells, but {name} has {n:,} values.",
                "Load the file again and export from the new project.",
            )
    if request.counts is not None:
        shape = (n_obs, length(file["var"]))
        if request.counts.shape != shape:
            raise ExportError(
                f"The counts are {request.counts.shape}, the file's table is {shape} "
                "(cells, genes), so they cannot be a layer of it.",
                "Export without the layer of counts.",
            )


def without_kept(file: h5py.File, request: ExportRequest) -> ExportRequest:
    """Return the request without the entries of uns that are there and are to stay."""
    there = {name for name in request.keep if "uns" in file and name in file["uns"]}
    return replace(request, uns={k: text for k, text in request.uns.items() if k not in there})


def free_suffix(file: h5py.File, request: ExportRequest) -> str:
    """Return the first of ``""``, ``_2``, ``_3``... with which none of our names is taken."""
    asked = {"obs": request.obs, "obsm": request.obsm, "uns": request.uns}

    def is_taken(suffix: str) -> bool:
        return any(
            slot in file and suffixed(name, suffix) in file[slot]
            for slot, names in asked.items()
            for name in names
        )

    return next(suffix for suffix in suffixes() if not is_taken(suffix))


def suffixes() -> Iterator[str]:
    """Yield ``""``, ``_2``, ``_3``... without end."""
    return ("" if n == 1 else f"_{n}" for n in count(1))


def as_values(column: Column) -> Any:
    """Return a column as anndata writes it: categorical, words as objects, or numbers."""
    if isinstance(column, tuple):
        return pd.Categorical.from_codes(np.asarray(column[0], dtype=np.int64), column[1])
    return column.astype(object) if column.dtype.kind == "U" else np.asarray(column)


def add_columns(file: h5py.File, columns: Mapping[str, Column], suffix: str) -> list[str]:
    """Write columns into the cell table and list them in its ``column-order``."""
    table = file["obs"]
    order = texts(attribute(table, "column-order", []))
    names = [name + suffix for name in columns]
    for name, column in zip(names, columns.values(), strict=True):
        write_elem(table, name, as_values(column))
    table.attrs["column-order"] = order + [name for name in names if name not in order]
    return names


def add_all(file: h5py.File, slot: str, values: Mapping[str, Any], suffix: str) -> list[str]:
    """Write arrays or texts into obsm or uns, which is made when missing."""
    if slot not in file:
        write_elem(file, slot, {})
    for name, value in values.items():
        listed = np.array(value, dtype=object) if isinstance(value, list) else value
        write_elem(file[slot], suffixed(name, suffix), listed)
    return [suffixed(name, suffix) for name in values]


def suffixed(name: str, suffix: str) -> str:
    """Return a name with a suffix; the colors of a column are called after all of its name."""
    stem = name.removesuffix(keys.COLORS)
    return stem + suffix + keys.COLORS if stem != name else name + suffix


def load_counts(counts: CountsLayer) -> sp.csr_matrix:
    """Open the counts over memory-maps, without a copy."""
    parts = [np.load(p, mmap_mode="r") for p in (counts.data, counts.indices, counts.indptr)]
    return sp.csr_matrix(tuple(parts), shape=counts.shape, copy=False)


def add_counts(file: h5py.File, counts: CountsLayer) -> str:
    """Write the layer of counts under a free name: a layer of the user is never replaced."""
    if "layers" not in file:
        write_elem(file, "layers", {})
    names = (keys.COUNTS_LAYER + suffix for suffix in suffixes())
    name = next(name for name in names if name not in file["layers"])
    write_elem(file["layers"], name, load_counts(counts))
    return name
