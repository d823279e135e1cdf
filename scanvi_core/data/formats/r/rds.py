"""Objects that R saved (.rds): Seurat of versions 3 to 5, SingleCellExperiment, plain matrices.

Read by the package rdata (MIT license), which runs no R, in the child process like any foreign
file. SeuratObject's classes ``Assay`` (slots counts, data) and ``Assay5`` (layers, with the cells
and features of each in a LogMap); SingleCellExperiment's assays, colData and reducedDims.
"""

import bz2
import lzma
import zlib
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.anndata_files.target import (
    Request,
    Tables,
    in_rows,
    new_h5ad,
    write_matrix,
    write_tables,
)
from scanvi_core.data.blocks.nodes import Unreadable
from scanvi_core.data.formats.r import objects as r
from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import FileRefused

KIND = "an R object (.rds)"
INSTALL = (
    "Install the package rdata (pip install '.[r]'), or export in R: "
    'SeuratDisk::SaveH5Seurat(x, "x.h5Seurat"), or zellkonverter::writeH5AD('
    'Seurat::as.SingleCellExperiment(x), "x.h5ad").'
)
EXPORT = (
    "Export it in R and open that: "
    'zellkonverter::writeH5AD(Seurat::as.SingleCellExperiment(x), "x.h5ad").'
)
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
MAGIC = (b"X\n\0\0\0", b"B\n")  # big-endian and native, then the version
BLOCK = 2**20


def is_rds(head: bytes) -> bool:
    """Tell whether an unpacked file begins as R writes one: its format, then its version."""
    return head.startswith(MAGIC)


def is_packed_rds(name: str, head: bytes) -> bool:
    """Tell whether a file packed as R does, beside gzip, is called as R's files are."""
    return head.startswith((b"BZh", b"\xfd7zXZ")) and name.casefold().endswith(".rds")


def convert(request: Request) -> list[str]:
    """Write what an R object holds as .h5ad; return notices.

    Raises
    ------
    FileRefused
        If rdata is not installed, or the object is of a kind not known here.
    """
    root = _parsed(request)
    try:
        return _write(_described(root, request), request)
    except Unreadable as error:
        raise FileRefused(f"{request.path.name} cannot be read: {error}.", EXPORT) from error


def _parsed(request: Request) -> Any:
    try:
        from rdata.parser import parse_data
    except ImportError as error:
        raise FileRefused(
            f"{request.path.name} is {KIND}, and what reads it is not installed.", INSTALL
        ) from error
    content = _unpacked(request)
    try:
        return parse_data(content, extension=".rds").object
    except MemoryError:
        raise
    except Exception as error:  # a foreign file may fail in ways no list foresees
        raise FileRefused(f"{request.path.name} is a damaged R object.", EXPORT) from error


def _unpacked(request: Request) -> bytes:
    """Return the bytes of an R file, which may be packed in three ways, within bounds."""
    with open_regular(request.path) as stream:
        raw = stream.read()
    way = next((way for start, way in PACKED.items() if raw.startswith(start)), "")
    make: dict[str, Any] = {
        "gzip": lambda: zlib.decompressobj(31), "bzip2": bz2.BZ2Decompressor,
        "xz": lzma.LZMADecompressor,
    }  # fmt: skip
    if not way:
        return raw
    try:
        content = make[way]().decompress(raw, int(request.memory_bytes / 4))
    except (zlib.error, OSError, EOFError, lzma.LZMAError) as error:
        raise FileRefused(f"{request.path.name} is cut off or damaged.", EXPORT) from error
    if len(content) >= int(request.memory_bytes / 4):
        raise FileRefused(
            f"{request.path.name} unpacks to more than may be held in memory.",
            "Close other programs, use a larger machine, or export it in R as .h5ad.",
        )
    return bytes(content)


class _Found:
    """What an R object holds: tables, matrices [cells, genes] by name, notices."""

    def __init__(self, obs: pd.DataFrame, var: pd.DataFrame) -> None:
        self.tables = Tables(obs, var)
        self.matrices: dict[str, sp.csr_matrix] = {}
        self.notes = list[str]()


def _described(root: Any, request: Request) -> _Found:
    kinds = r.classes(root)
    if "Seurat" in kinds:
        return _seurat(root, request)
    if {"SingleCellExperiment", "SummarizedExperiment", "RangedSummarizedExperiment"} & set(kinds):
        return _experiment(root)
    try:
        counts, genes, cells = r.matrix(root)
    except Unreadable as error:
        raise FileRefused(
            f"{request.path.name} is an R object of the class {', '.join(kinds) or 'list'}, which "
            "is neither Seurat, SingleCellExperiment nor a matrix.",
            EXPORT,
        ) from error
    found = _Found(*map(_named, (cells, genes), counts.shape, ("cell", "gene")))
    found.matrices["X"] = counts
    return found


def _seurat(root: Any, request: Request) -> _Found:
    assays = r.items(r.slot(root, "assays"))
    active = (r.texts(r.slot(root, "active.assay")) or ["RNA"])[0]
    options = tuple(Option(name, name) for name in assays)
    guess = "RNA" if "RNA" in assays else active
    text = "It holds several assays. Which one do you want?"
    question = Question("assay", text, options, guess if guess in assays else None)
    name = answer(question, request.answers, request.path.name)
    obs, notes = r.table(r.slot(root, "meta.data"))
    layers, genes = _assay(assays[name], list(obs.index))
    var, _ = r.table(r.slot(assays[name], "meta.features"), genes)
    found = _Found(obs, var.reindex(genes) if len(var.columns) else _named(genes, 0, "gene"))
    found.matrices, found.notes = layers, notes
    for key, reduction in r.items(r.slot(root, "reductions")).items():
        embedding = r.slot(reduction, "cell.embeddings")
        _add_embedding(found, key, embedding, list(obs.index))
    if others := [other for other in assays if other != name]:
        found.notes.append(f"The assay {name} was read; {', '.join(others)} left aside.")
    return found


def _assay(assay: Any, cells: list[str]) -> tuple[dict[str, sp.csr_matrix], list[str]]:
    """Return the matrices of an assay, counts as X, in the order of the cells; its genes."""
    layers = r.items(r.slot(assay, "layers"))
    if not layers:  # Seurat 3 and 4
        parts = {name: r.slot(assay, name) for name in ("counts", "data")}
        layers = {name: part for name, part in parts.items() if part is not None}
    maps = [_map_of(r.slot(assay, side)) for side in ("features", "cells")]
    genes = maps[0][0] if maps[0] else []
    joined: dict[str, list[tuple[sp.csr_matrix, list[str], list[str]]]] = {}
    for name, part in layers.items():
        values, own_genes, own_cells = r.matrix(part)
        own_genes = own_genes or _members(maps[0], name)
        own_cells = own_cells or _members(maps[1], name)
        if values.nnz and (len(own_cells), len(own_genes)) == values.shape:
            stem = name.split(".")[0]
            joined.setdefault(stem, []).append((values, own_genes, own_cells))
            genes = genes or own_genes
    if not joined:
        raise Unreadable("the assay has no counts")
    whole = {stem: _joined(parts, genes, cells) for stem, parts in joined.items()}
    first = "counts" if "counts" in whole else next(iter(whole))
    return {"X": whole.pop(first), **{f"layers/{name}": m for name, m in whole.items()}}, genes


def _joined(
    parts: list[tuple[sp.csr_matrix, list[str], list[str]]], genes: list[str], cells: list[str]
) -> sp.csr_matrix:
    """Put the layers of samples together, [cells, genes]; what one does not hold is zero."""
    rows, columns, values = [], [], []
    for matrix, own_genes, own_cells in parts:
        triples = matrix.tocoo()
        cell_at, gene_at = (
            pd.Index(cells).get_indexer(own_cells),
            pd.Index(genes).get_indexer(own_genes),
        )
        keep = (cell_at[triples.row] >= 0) & (gene_at[triples.col] >= 0)
        rows.append(cell_at[triples.row][keep])
        columns.append(gene_at[triples.col][keep])
        values.append(triples.data[keep])
    places = np.concatenate(rows), np.concatenate(columns)
    shape = len(cells), len(genes)
    return sp.coo_matrix((np.concatenate(values), places), shape=shape).tocsr()


def _map_of(node: Any) -> tuple[list[str], dict[str, np.ndarray]] | None:
    """Return a LogMap: names, and which of them each layer has."""
    names = r.slot(node, "dimnames")
    if names is None:
        return None
    rows, columns = (r.texts(r.resolved(side)) for side in names.value)
    flags = np.asarray(node.value).astype(bool).reshape(len(columns), len(rows))
    return rows, dict(zip(columns, flags, strict=True))


def _members(known: tuple[list[str], dict[str, np.ndarray]] | None, layer: str) -> list[str]:
    if known is None or layer not in known[1]:
        return []
    return [name for name, is_in in zip(known[0], known[1][layer], strict=True) if is_in]


def _experiment(root: Any) -> _Found:
    """Return what a SingleCellExperiment holds."""
    assays = r.items(r.slot(root, "assays", "data")) or r.items(r.slot(root, "assays"))
    read = {name: r.matrix(part) for name, part in assays.items()}
    if not read:
        raise Unreadable("it has no assays in memory")
    first = "counts" if "counts" in read else next(iter(read))
    values, genes, cells = read[first]
    obs, notes = r.table(r.slot(root, "colData"), cells)
    genes = genes or r.texts(r.slot(root, "NAMES"))
    about = r.slot(root, "rowRanges", "unlistData", "elementMetadata") or r.slot(
        root, "rowRanges", "elementMetadata"
    )
    var, _ = r.table(about or r.slot(root, "elementMetadata"), genes)
    found = _Found(
        obs if len(obs) == values.shape[0] else _named(cells, values.shape[0], "cell"),
        var if len(var) == values.shape[1] else _named(genes, values.shape[1], "gene"),
    )
    found.matrices = {
        "X" if name == first else f"layers/{name}": part[0]
        for name, part in read.items()
        if part[0].shape == values.shape
    }
    found.notes = notes
    inside = r.items(r.slot(root, "int_colData")).get("reducedDims")
    for key, embedding in r.items(inside).items():
        _add_embedding(found, key, embedding, list(found.tables.obs.index))
    return found


def _add_embedding(found: _Found, name: str, node: Any, cells: list[str]) -> None:
    try:
        values, rows, _ = r.matrix(node)  # turned round: [dimensions, cells]
    except Unreadable:
        found.notes.append(f"The reduction {name} cannot be read and was left out.")
        return
    dense = values.toarray().T
    if rows and set(rows) >= set(cells):
        dense = dense[pd.Index(rows).get_indexer(cells)]
    if len(dense) == len(cells):
        found.tables.obsm[f"X_{name.casefold()}"] = dense.astype(np.float32)


def _named(names: list[str] | None, n: int, what: str) -> pd.DataFrame:
    return pd.DataFrame(
        index=pd.Index(names or [f"{what}-{i + 1}" for i in range(n)], dtype=object)
    )


def _write(found: _Found, request: Request) -> list[str]:
    with new_h5ad(request.target) as out:
        write_tables(out, found.tables)
        for name, matrix in found.matrices.items():
            matrix.sort_indices()
            write_matrix(out, name, in_rows(matrix), matrix.shape, matrix.dtype)
    return found.notes
