"""h5Seurat files: a Seurat object in HDF5, as SeuratDisk writes it.

Layout: https://mojaveazure.github.io/seurat-disk/articles/h5Seurat-spec.html: ``cell.names``,
``meta.data``, ``assays/NAME/{features,counts,data,meta.features}`` and
``reductions/NAME/cell.embeddings``. Sparse matrices are [features, cells] by columns, which is
[cells, features] by rows; dense ones are turned round by HDF5 itself. Factors are groups of
``levels`` and ``values``, counted from 1.
"""

from typing import Any

import h5py
import numpy as np
import pandas as pd

from scanvi_core.data.anndata_files.tables import categorical, plain_column
from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.blocks.hdf5 import SPARSE, MatrixSource, sparse_source
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    attribute,
    group_in,
    is_group,
    read,
    shape_of,
    text,
    texts,
)
from scanvi_core.data.question import Option, Question, answer

RNA = "RNA"
NA_INTEGER = -(2**31)


def convert(file: h5py.File, request: Request) -> list[str]:
    """Write one assay of an h5Seurat file as .h5ad; return notices."""
    cells = _names(file, "cell.names")
    assays = group_in(file, "assays")
    active = texts(attribute(file, "active.assay", RNA))[0]
    guess = RNA if RNA in assays else active if active in assays else None
    options = tuple(Option(name, name) for name in assays if is_group(assays[name]))
    question = Question("assay", "It holds several assays. Which one do you want?", options, guess)
    chosen = answer(question, request.answers, request.path.name)
    assay = assays[chosen]
    genes = _names(assay, "features")
    notes: list[str] = []
    obs = _table(file, "meta.data", cells, notes)
    var = _table(assay, "meta.features", genes, notes)
    matrices = _matrices(assay, (len(cells), len(genes)), notes)
    if not matrices:
        raise Unreadable(f"the assay {chosen} has no matrix of all its features")
    with new_h5ad(request.target) as out:
        write_tables(out, Tables(obs, var, _embeddings(file, len(cells))))
        for name, source in matrices.items():
            write_matrix(out, name, source.blocks(), source.shape, source.dtype)
    others = [option.value for option in options if option.value != chosen]
    if others:
        notes.append(f"The assay {chosen} was read; {', '.join(others)} left aside.")
    return notes


def _matrices(assay: Any, shape: tuple[int, int], notes: list[str]) -> dict[str, MatrixSource]:
    """Return the matrices of all features by their place in the new file: counts, else data."""
    found: dict[str, MatrixSource] = {}
    for name in ("counts", "data"):
        if name not in assay:
            continue
        node, source = read(assay, name), None
        if is_group(node) and set(node) >= SPARSE:
            source = sparse_source(name, node, shape, "csr")
        elif shape_of(node) == shape:
            kind = array_in(assay, name, 2, NUMBERS).dtype
            source = MatrixSource(name, node, shape, "dense", kind, shape[0] * shape[1])
        if source is None or (source.stored == "csr" and node["indptr"].shape[0] != shape[0] + 1):
            notes.append(f"The matrix {name} does not fit; it was left aside.")
            continue
        found["X" if not found else f"layers/{name}"] = source
    return found


def _names(parent: Any, name: str) -> list[str]:
    return [str(value) for value in plain_column(array_in(parent, name))]


def _table(parent: Any, key: str, names: list[str], notes: list[str]) -> pd.DataFrame:
    """Return a data.frame stored as a group of columns; one that cannot be read is named."""
    columns: dict[str, Any] = {}
    node = parent.get(key)
    order = texts(attribute(node, "colnames", [])) if is_group(node) else []
    for name in [*order, *(name for name in (node if order or is_group(node) else ()))]:
        if name in columns or name in {"_index", "__categories"} or name not in node:
            continue
        try:
            values = _column(node, name)
        except Unreadable as error:
            notes.append(f"{key}['{name}'] cannot be read and was left out ({error}).")
            continue
        if len(values) == len(names):
            columns[name] = values
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def _column(parent: Any, name: str) -> Any:
    node = read(parent, name)
    if not is_group(node):
        return plain_column(node)
    codes = np.asarray(read(array_in(node, "values", kinds="iu")), dtype=np.int64)
    codes = np.where(codes == NA_INTEGER, 0, codes) - 1
    return categorical(codes, plain_column(array_in(node, "levels")))


def _embeddings(file: h5py.File, n_cells: int) -> dict[str, np.ndarray]:
    """Return the coordinates of the cells; HDF5 has the matrices of R turned round."""
    found: dict[str, np.ndarray] = {}
    reductions = file.get("reductions")
    for name in reductions if is_group(reductions) else ():
        node = reductions[name].get("cell.embeddings") if is_group(reductions[name]) else None
        shape = shape_of(node) or ()
        if len(shape) == 2 and n_cells in shape and not is_group(node):
            values = np.asarray(read(node), dtype=np.float32)
            found[f"X_{text(name).casefold()}"] = values.T if shape[1] == n_cells else values
    return found
