"""Loom files: one dense matrix [genes, cells], layers of its shape, attributes of both."""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pandas as pd

from scanvi_core.data.anndata_files.tables import plain_column
from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.blocks.hdf5 import BLOCK_VALUES, DAMAGED, Block
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    dtype_of,
    group_in,
    is_group,
    read,
    shape_of,
)
from scanvi_core.data.names import IDENTIFIER_COLUMNS, SYMBOL_COLUMNS, plain
from scanvi_core.errors import FileRefused

# by `plain`, the likeliest first
CELL_NAMES = (
    "cellid", "cellids", "obsnames", "cell", "cells", "cellname", "cellnames", "cellbarcode",
    "cellbarcodes", "barcode", "barcodes", "cellindex", "index",
)  # fmt: skip
GENE_NAMES = ("gene", "genes", "varnames", *SYMBOL_COLUMNS, *IDENTIFIER_COLUMNS)


def convert(file: h5py.File, request: Request) -> list[str]:
    """Write a loom file as .h5ad, layers included; return notices."""
    try:
        matrix = array_in(file, "matrix", 2, NUMBERS)
    except Unreadable as error:
        raise FileRefused(f"{request.path.name} holds no matrix of numbers.", DAMAGED) from error
    n_genes, n_cells = matrix.shape
    notes: list[str] = []
    obs, obsm = _attributes(group_in(file, "col_attrs"), n_cells, CELL_NAMES, "cell", notes)
    var, _ = _attributes(group_in(file, "row_attrs"), n_genes, GENE_NAMES, "gene", notes)
    with new_h5ad(request.target) as out:
        write_tables(out, Tables(obs, var, obsm))
        write_matrix(out, "X", _blocks(matrix), (n_cells, n_genes), matrix.dtype)
        layers = file.get("layers")
        for name in layers if is_group(layers) else ():
            layer = read(layers, name)
            kind = dtype_of(layer)
            if shape_of(layer) != matrix.shape or kind is None or kind.kind not in NUMBERS:
                notes.append(f"Layer {name} does not fit the matrix; it was left aside.")
                continue
            write_matrix(out, f"layers/{name}", _blocks(layer), (n_cells, n_genes), kind)
    return notes


def _blocks(matrix: Any) -> Iterator[Block]:
    """Yield a dense matrix [genes, cells] turned round, whole columns of chunks at a time."""
    n_genes, n_cells = matrix.shape
    wide = matrix.chunks[1] if matrix.chunks else 1
    step = max(wide, BLOCK_VALUES // max(1, n_genes) // wide * wide)
    for start in range(0, n_cells, step):
        block = read(matrix, (slice(None), slice(start, start + step))).T
        rows, columns = np.nonzero(block)
        yield rows + start, columns, block[rows, columns]


def _attributes(
    group: Any, n: int, name_keys: tuple[str, ...], what: str, notes: list[str]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return the attributes of cells or genes as a table and, where wider, as arrays."""
    columns: dict[str, np.ndarray] = {}
    wide: dict[str, np.ndarray] = {}
    for key in group:
        node = read(group, key)
        shape, kind = shape_of(node) or (), dtype_of(node)
        if shape[:1] != (n,) or len(shape) > 2:
            notes.append(f"{what.capitalize()} attribute {key} does not fit; it was left aside.")
        elif len(shape) == 1:
            columns[key] = plain_column(node)
        elif kind is not None and kind.kind in NUMBERS:
            values = read(node)
            columns |= {key: values[:, 0]} if shape[1] == 1 else {}
            wide |= {key: values} if shape[1] != 1 else {}
        else:
            notes.append(f"{what.capitalize()} attribute {key} is no column; it was left aside.")
    named = [key for key in columns if plain(key) in name_keys]
    names = columns.pop(min(named, key=lambda key: name_keys.index(plain(key)))) if named else None
    if names is None:
        notes.append(f"The file does not name its {what}s; they were numbered.")
        names = np.arange(1, n + 1)
        index = pd.Index([f"{what}_{number}" for number in names])
    else:
        index = pd.Index([str(name) for name in names], dtype=object)
    return pd.DataFrame(columns, index=index), wide
