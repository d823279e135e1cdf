"""10x Genomics .h5 files: version 3 (one matrix, typed features) and 2 (a group per genome)."""

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
from scanvi_core.data.blocks.hdf5 import DAMAGED, Block, sparse_source
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    group_in,
    is_group,
    read,
    shape_of,
)
from scanvi_core.data.formats.question import Option, Question, answer
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import count

GENES = "Gene Expression"
ALL = "all"
V2_PARTS = frozenset({"barcodes", "data", "indices", "indptr", "shape"})
SCANPY_NAMES = {"id": "gene_ids", "genes": "gene_ids", "feature_type": "feature_types"}


def genomes_v2(file: h5py.File) -> list[str]:
    """Return the groups of a version 2 file that hold a matrix each."""
    return [name for name in file if is_group(file[name]) and set(file[name]) >= V2_PARTS]


def convert_v3(file: h5py.File, request: Request) -> list[str]:
    """Write the gene expression of a Cell Ranger 3+ file; return notices."""
    group = group_in(file, "matrix", V2_PARTS)
    features = features_of(group_in(group, "features"))
    keep, notes = choose_features(features, request)
    _write(group, features, keep, request)
    return notes


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
    _write(group, features, np.ones(len(features), bool), request)
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


def choose_features(features: pd.DataFrame, request: Request) -> tuple[np.ndarray, list[str]]:
    """Return which features are genes of the wanted genome, bool [n], and notices."""
    keep = np.ones(len(features), bool)
    notes: list[str] = []
    if "feature_types" in features:
        keep, notes = _choose_type(features["feature_types"].to_numpy(), request)
    if "genome" in features:
        of_genome, more = _choose_genome(features["genome"].to_numpy(), keep, request)
        keep, notes = keep & of_genome, notes + more
    return keep, notes


def _choose_type(types: np.ndarray, request: Request) -> tuple[np.ndarray, list[str]]:
    sizes = {str(name): int((types == name).sum()) for name in pd.unique(types)}
    chosen = GENES
    if GENES not in sizes:
        options = tuple(Option(name, name, f"{n:,} features") for name, n in sizes.items())
        question = Question(
            "feature_type", "It has no gene expression. Which features are the genes?", options
        )
        chosen = answer(question, request.answers, request.path.name)
    notes = [
        f"{count(n, 'feature')} of the type {name} left aside; {chosen} was read."
        for name, n in sizes.items()
        if name != chosen
    ]
    return types == chosen, notes


def _choose_genome(
    genomes: np.ndarray, keep: np.ndarray, request: Request
) -> tuple[np.ndarray, list[str]]:
    sizes = {str(name): int((genomes[keep] == name).sum()) for name in pd.unique(genomes[keep])}
    if len(sizes) < 2:
        return np.ones(len(genomes), bool), []
    options = [Option(name, name, f"{n:,} genes") for name, n in sizes.items()]
    options.append(Option(ALL, "All of them", f"{sum(sizes.values()):,} genes"))
    question = Question("genome", "Which genome do you want to work with?", tuple(options))
    chosen = answer(question, request.answers, request.path.name)
    if chosen == ALL:
        return np.ones(len(genomes), bool), []
    left = sum(sizes.values()) - sizes[chosen]
    return genomes == chosen, [f"Genome {chosen} was read; {left:,} genes of others left aside."]


def kept_columns(blocks: Iterator[Block], keep: np.ndarray) -> Iterator[Block]:
    """Yield blocks with the columns of a mask only, counted anew."""
    place = np.cumsum(keep) - 1
    for rows, columns, values in blocks:
        take = keep[columns]
        yield rows[take], place[columns[take]], values[take]


def _write(group: Any, features: pd.DataFrame, keep: np.ndarray, request: Request) -> None:
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
    tables = Tables(pd.DataFrame(index=_index(barcodes)), features[keep])
    with new_h5ad(request.target) as file:
        write_tables(file, tables)
        blocks = kept_columns(source.blocks(), keep)
        write_matrix(file, "X", blocks, (n_cells, int(keep.sum())), source.dtype)


def _index(names: np.ndarray) -> pd.Index:
    return pd.Index([str(name) for name in names], dtype=object)


def _shape(group: Any) -> tuple[int, int]:
    """Return the number of features and of cells that a matrix states."""
    stated = read(array_in(group, "shape", kinds=NUMBERS))
    if len(stated) != 2 or not np.isfinite(stated).all():
        raise Unreadable("it states no shape")
    return int(stated[0]), int(stated[1])
