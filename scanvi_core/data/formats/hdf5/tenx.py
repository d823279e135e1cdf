"""10x Genomics .h5 files: version 3 (one matrix, typed features) and 2 (a group per genome)."""

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
from scanvi_core.data.blocks.hdf5 import DAMAGED, sparse_source
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    group_in,
    is_group,
    read,
    shape_of,
)
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import FileRefused

V2_PARTS = frozenset({"barcodes", "data", "indices", "indptr", "shape"})
SCANPY_NAMES = {"id": "gene_ids", "genes": "gene_ids", "feature_type": "feature_types"}


def genomes_v2(file: h5py.File) -> list[str]:
    """Return the groups of a version 2 file that hold a matrix each."""
    return [name for name in file if is_group(file[name]) and set(file[name]) >= V2_PARTS]


def convert_v3(file: h5py.File, request: Request) -> list[str]:
    """Write a Cell Ranger 3+ file, features of every type; return notices."""
    group = group_in(file, "matrix", V2_PARTS)
    _write(group, features_of(group_in(group, "features")), request)
    return []


def convert_v2(file: h5py.File, request: Request) -> list[str]:
    """Write one genome of a Cell Ranger 1 or 2 file; return notices."""
    names = genomes_v2(file)
    if not names:
        raise Unreadable("no genome states its shape")
    shapes = {name: _shape(file[name]) for name in names}
    options = tuple(
        Option(name, name, f"{n_cells:,} cells × {n_genes:,} genes")
        for name, (n_genes, n_cells) in shapes.items()
    )
    question = Question("genome", "Which genome do you want to work with?", options)
    genome = answer(question, request.answers, request.path.name)
    group = file[genome]
    genes = {key: group[key] for key in ("gene_names", "genes") if key in group}
    features = features_of(genes, name_key="gene_names")
    _write(group, features, request)
    others = [name for name in names if name != genome]
    return [f"Genome {genome} was read; {', '.join(others)} was left aside."] if others else []


def features_of(parts: Any, name_key: str = "name") -> pd.DataFrame:
    """Return the table of features, index = symbols; a column per part that has their length."""
    columns = {}
    for key in parts:
        node = parts[key]
        if len(shape_of(node) or ()) == 1 and not key.startswith("_"):
            columns[SCANPY_NAMES.get(key, key)] = plain_column(node)
    ids = columns.get("gene_ids")
    names = columns.pop(name_key, ids)
    if names is None:
        raise FileRefused("The file does not name its genes.", DAMAGED)
    fitting = {key: values for key, values in columns.items() if len(values) == len(names)}
    return pd.DataFrame(fitting, index=_index(names))


def _write(group: Any, features: pd.DataFrame, request: Request) -> None:
    barcodes = plain_column(array_in(group, "barcodes"))
    n_features, n_cells = _shape(group)
    if (n_features, n_cells) != (len(features), len(barcodes)):
        raise FileRefused(
            f"The matrix is said to be {n_features:,} × {n_cells:,}, but {len(features):,} genes "
            f"and {len(barcodes):,} cells are named.",
            DAMAGED,
        )
    source = sparse_source("matrix", group, (n_cells, n_features), "csr")
    if source is None:
        raise Unreadable("its values are no numbers")
    tables = Tables(pd.DataFrame(index=_index(barcodes)), features)
    with new_h5ad(request.target) as file:
        write_tables(file, tables)
        write_matrix(file, "X", source.blocks(), source.shape, source.dtype)


def _index(names: np.ndarray) -> pd.Index:
    return pd.Index([str(name) for name in names], dtype=object)


def _shape(group: Any) -> tuple[int, int]:
    """Return the number of features and of cells that a matrix states."""
    stated = read(array_in(group, "shape", kinds=NUMBERS))
    if len(stated) != 2 or not np.isfinite(stated).all():
        raise Unreadable("it states no shape")
    return int(stated[0]), int(stated[1])
