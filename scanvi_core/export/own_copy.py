"""Write an .h5ad from the project's own copy of the data: CELLxGENE asks for one of its own make.

Only ever imported by the writing process (:mod:`scanvi_core.export.child`).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata.io import write_elem

from scanvi_core.data.normalization import log_normalized
from scanvi_core.errors import ExportError, is_of_the_machine
from scanvi_core.export import cellxgene
from scanvi_core.export.patch import load_counts
from scanvi_core.export.request import OwnCopy

BLOCK_VALUES = 2**22  # counts at a time
NAMES = "names"


def write_own_copy(path: Path, own: OwnCopy, ours: Collection[str]) -> list[str]:
    """Write tables, counts and embeddings; return what had to be renamed, in sentences.

    `ours` are the columns that will be added.
    """
    obs, notes = writable(read_table(own.obs, own.obs_columns))
    var, more = writable(read_table(own.var, own.var_columns))
    notes += more
    rows = slice(None) if own.rows is None else own.rows
    genes = slice(None) if own.genes is None else own.genes
    obs, var = obs.iloc[rows], var.iloc[genes]
    if own.submission:
        obs, more = cellxgene.keep_to_rules(obs, ours)
        notes += more
        var = submission_genes(var, own.gene_ids)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_elem(file, "obs", obs)
        write_elem(file, "var", var)
        for slot in ("obsm", "varm", "obsp", "varp", "layers", "uns"):
            write_elem(file, slot, {})
        for name, array in own.obsm.items():
            values = np.asarray(np.load(array, mmap_mode="r", allow_pickle=False)[rows])
            problem = cellxgene.embedding_problem(name, values) if own.submission else ""
            if problem:
                notes.append(f"The embedding {name} was left out: {problem}.")
                continue
            write_elem(file["obsm"], name.replace("/", "_"), values)
        if own.submission:
            _write_raw(file, var.drop(columns=cellxgene.FILTERED))
        write_matrices(file, own)
    return notes


def _write_raw(file: h5py.File, var: pd.DataFrame) -> None:
    """Write `raw` without its counts, which are written as all matrices are."""
    write_elem(file, "raw", {})
    file["raw"].attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
    write_elem(file["raw"], "var", var)
    write_elem(file["raw"], "varm", {})


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """Return a table of the project's copy under its true names."""
    try:
        frame = pd.read_parquet(path, page_checksum_verification=True)
        return frame.set_index(NAMES).rename_axis(None).set_axis(columns, axis=1)
    except Exception as error:  # a damaged file fails in ways that no list foresees
        if is_of_the_machine(error):
            raise
        raise ExportError(
            f"{path.name} of the project is damaged: it cannot be read.",
            "Restore the project from a copy of it, or open your file as a new project.",
        ) from error


def writable(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table whose names an .h5ad can hold, and what was renamed."""
    names, notes = list[str](), list[str]()
    for name in table:
        wanted = name.replace("/", "_").replace("\0", "") or "_"
        while wanted in names or wanted in {"_index", "."}:
            wanted += "_2"
        if wanted != name:
            notes.append(f"Column {name!r} is now {wanted!r}: an .h5ad file cannot hold its name.")
        names.append(wanted)
    return table.set_axis(names, axis=1), notes


def submission_genes(var: pd.DataFrame, gene_ids: list[str] | None) -> pd.DataFrame:
    """Return the table of genes CELLxGENE asks for: Ensembl ids, and nothing filtered."""
    names = var.index.to_numpy(dtype=object)
    columns = {cellxgene.FILTERED: np.zeros(len(var), dtype=bool), cellxgene.GENE_NAME: names}
    return pd.DataFrame(columns, index=pd.Index(gene_ids or names, dtype=object))


def blocks(own: OwnCopy) -> Iterator[sp.csr_matrix]:
    """Yield the counts to write, some rows at a time, sorted and float32."""
    counts = load_counts(own.counts)
    rows = np.arange(counts.shape[0]) if own.rows is None else own.rows
    lengths = np.diff(counts.indptr)[rows].astype(np.int64).cumsum()
    start = 0
    while start < rows.size:
        before = lengths[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(lengths, before + BLOCK_VALUES, side="right")))
        block = counts[rows[start:stop]]
        block = block if own.genes is None else block[:, own.genes]
        block.sort_indices()
        yield block.astype(np.float32, copy=False)
        start = stop


def write_matrices(file: h5py.File, own: OwnCopy) -> None:
    """Write X, and for a submission raw.X, without ever holding a whole matrix."""
    rows = [np.diff(block.indptr) for block in blocks(own)]
    starts = np.concatenate([[0], *rows]).cumsum()
    shape = (starts.size - 1, own.counts.shape[1] if own.genes is None else own.genes.size)
    groups = [file.create_group("X")]
    if own.submission:
        groups.append(file["raw"].create_group("X"))
    for group in groups:
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = shape
        group["indptr"] = starts.astype(np.int64 if starts[-1] > 2**31 - 1 else np.int32)
        group.create_dataset("data", (starts[-1],), np.float32)
        group.create_dataset("indices", (starts[-1],), np.int32)
    at = 0
    for block in blocks(own):
        inside = slice(at, at + block.nnz)
        values = [log_normalized(block).data, block.data] if own.submission else [block.data]
        for group, data in zip(groups, values, strict=True):
            if block.nnz:
                group["data"][inside] = data
                group["indices"][inside] = block.indices
        at += block.nnz
