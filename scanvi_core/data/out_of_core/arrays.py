"""Counts that stay where they lie: Dask arrays of CSR blocks over files larger than memory.

Needs ``dask[array]``, which the ``[scale]`` extra brings.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import scipy.sparse as sp
from dask.array.core import normalize_chunks

from scanvi_core.arrays import Stamp, stamp
from scanvi_core.data import repairs
from scanvi_core.data.anndata_files.elements import read_element, read_frame
from scanvi_core.data.anndata_files.gene_names import symbol_column
from scanvi_core.data.anndata_files.tables import categorical
from scanvi_core.data.blocks.hdf5 import DAMAGED, MatrixSource, find_matrices, raw_genes_key
from scanvi_core.data.blocks.mapped import entries
from scanvi_core.data.blocks.nodes import (
    FAILED,
    Unreadable,
    array_in,
    attribute,
    group_in,
    is_group,
    part_in,
    read,
    shape_of,
    text,
    texts,
)
from scanvi_core.data.blocks.sample import N_ROWS
from scanvi_core.data.counts import choose
from scanvi_core.data.dataset import MANIFEST, Dataset
from scanvi_core.data.guard.child_process import free_memory_mb
from scanvi_core.data.guard.preflight import preflight
from scanvi_core.errors import ColumnMissing, FileRefused
from scanvi_core.hints import CHECK_NAME

BLOCK_VALUES = 4_000_000  # stored values in a block: some 30 MB, and a few times that in use
CSR = sp.csr_matrix((0, 0), dtype=np.float32)
_MEMBER = re.compile(r"dataset_\d+")
IMPORT_IT = "Open it in the app first: a project's own copy is stored by cells, and read here too."


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The counts and tables of one file, store or project, in the order of its rows.

    Attributes
    ----------
    path
        Where it lies; ``STORE/dataset_0`` for a member of a collection.
    counts
        Dask array float32 [cells, genes] of CSR blocks of whole rows.
    matrix
        Which matrix of the file that is.
    var_names, symbols
        Unique names of the genes, and their names for display.
    """

    path: Path
    counts: Any
    matrix: str
    var_names: np.ndarray
    symbols: np.ndarray

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    def obs_names(self) -> np.ndarray:
        """Return the names of the cells, as str objects."""
        if (self.path / MANIFEST).is_file():
            return Dataset.open(self.path).obs_names
        with _opened(self.path) as group:
            return np.asarray(read_element(_names_of(group, "obs")), dtype=object)

    def column(self, name: str) -> pd.Categorical:
        """Return one column of obs.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """
        if (self.path / MANIFEST).is_file():
            return _words(Dataset.open(self.path).values(name).array)
        with _opened(self.path) as group:
            obs = group_in(group, "obs")
            names = texts(attribute(obs, "column-order", []))
            if name not in names:
                raise ColumnMissing(
                    f"The table of cells of {self.path.name} has no column {name}.",
                    f"It has {', '.join(names) or 'none'}.",
                )
            return _words(read_element(part_in(obs, name)))


@dataclass(frozen=True, slots=True, eq=False)
class Lazy:
    """Several parts with the same genes, one below the other."""

    parts: Sequence[Part]

    @property
    def counts(self) -> Any:
        """Dask array float32 [cells, genes] of CSR blocks of whole rows."""
        return da.concatenate([part.counts for part in self.parts])

    @property
    def var_names(self) -> np.ndarray:
        """Unique names of the genes."""
        return self.parts[0].var_names

    @property
    def symbols(self) -> np.ndarray:
        """Names of the genes for display."""
        return self.parts[0].symbols

    def column(self, name: str) -> pd.Series:
        """Return one column of obs over all parts.

        Raises
        ------
        ColumnMissing
            If a part has no such column.
        """
        columns = [part.column(name) for part in self.parts]
        return pd.Series(pd.api.types.union_categoricals(columns), name=name)


def open_lazy(
    paths: Sequence[Path], matrix: str | None = None, block_values: int = BLOCK_VALUES
) -> Lazy:
    """Open files, stores or project data sets without reading their counts.

    Parameters
    ----------
    paths
        Each an .h5ad, an AnnData .zarr, a collection of those (a folder of ``dataset_0``,
        ``dataset_1``, ...) or the ``dataset`` folder of a project. Counts are stored by cells.
    matrix
        ``X``, ``raw.X`` or ``layers/NAME``; None finds the counts, from a sample of the cells.
    block_values
        About how many stored values a block has.

    Raises
    ------
    FileRefused
        If a file is not safe to read, stored by genes or dense, or has other genes than the first.
    CountsNotFound, ColumnMissing
        If no matrix, or not the wanted one, holds counts.
    """
    members = [member for path in paths for member in _members(path.expanduser().resolve())]
    parts = [_open_part(path, matrix, block_values) for path in members]
    for part in parts[1:]:
        if not np.array_equal(part.var_names, parts[0].var_names):
            raise FileRefused(
                f"{part.path.name} has not the genes of {parts[0].path.name} in the same order.",
                "Join the files with anndata.concat or anndata.experimental.concat_on_disk first.",
            )
    return Lazy(parts)


def _members(path: Path) -> list[Path]:
    if not path.exists():
        raise FileRefused(f"There is no file {path.name}.", CHECK_NAME)
    if (path / MANIFEST).is_file():
        return [path]
    preflight(path, free_memory_mb() * 1e6)
    inside = path.iterdir() if path.is_dir() else ()
    members = [child for child in inside if _MEMBER.fullmatch(child.name)]
    return sorted(members, key=lambda child: int(child.name[8:])) or [path]


def _open_part(path: Path, matrix: str | None, block_values: int) -> Part:
    if not (path / MANIFEST).is_file():
        with _opened(path) as group:
            return _of_anndata(path, group, matrix, block_values)
    dataset = Dataset.open(path)
    shape = dataset.n_obs, dataset.n_vars
    like = MatrixSource("dataset", None, shape, "csr", CSR.dtype, int(dataset.counts.indptr[-1]))
    chunks = normalize_chunks((_tall(block_values, like), -1), shape)
    read = partial(_stored_rows, str(path))
    counts = da.map_blocks(read, chunks=chunks, dtype=CSR.dtype, meta=CSR)
    return Part(path, counts, "dataset", dataset.var_names, dataset.symbols)


def _stored_rows(folder: str, block_info: Any = None) -> sp.csr_matrix:
    (start, stop), (_, n_vars) = block_info[None]["array-location"]
    counts = _open_cached(folder, stamp(Path(folder, MANIFEST))).counts
    starts = np.asarray(counts.indptr[start : stop + 1])
    parts = *entries(counts, start, stop), (starts - starts[0]).astype(np.int32)
    return sp.csr_matrix(parts, shape=(stop - start, n_vars), copy=True)


@lru_cache(1)
def _open_cached(folder: str, _state: Stamp) -> Dataset:
    """Return a data set; its row pointers are read once, not for every block."""
    return Dataset.open(folder)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an .h5ad or a group of a zarr store; damage becomes a sentence."""
    import h5py
    import zarr

    try:
        if path.is_file():
            with h5py.File(path, "r") as file:
                yield file
        else:
            yield zarr.open_group(path, mode="r", use_consolidated=False)
    except (Unreadable, OSError, RuntimeError, zarr.errors.BaseZarrError) as error:
        why = error.args[0] if isinstance(error, Unreadable) else FAILED
        raise FileRefused(
            f"{path.name} cannot be read as AnnData: {why}.",
            "Save it again with adata.write_h5ad('name.h5ad') or adata.write_zarr('name.zarr').",
        ) from error


def _of_anndata(path: Path, group: Any, matrix: str | None, block_values: int) -> Part:
    from anndata.experimental import read_elem_lazy

    sources, _ = find_matrices(group, _length(group, "obs"), _length(group, "var"))
    by_row = {source.name: source for source in sources if source.stored == "csr"}
    if not by_row:
        raise FileRefused(f"{path.name} holds no matrix stored by cells (CSR).", IMPORT_IT)
    tables = {name: _genes_of(group, source) for name, source in by_row.items()}
    reports = [_judge_some(source, tables[name].index) for name, source in by_row.items()]
    chosen = choose.choose(reports, matrix).name
    source, table = by_row[chosen], tables[chosen]
    names = table.index.to_numpy(dtype=object)
    raw = read_elem_lazy(source.node, chunks=(_tall(block_values, source), -1))
    tidy = partial(_tidied, chosen, repairs.summary_rows(names))
    counts = raw.map_blocks(tidy, dtype=CSR.dtype, meta=CSR)
    columns = {str(key): table[key].array for key in table}
    var, _ = repairs.tidy_columns(columns, repairs.unique_names(names, "gene")[0])
    symbol = symbol_column(var)
    symbols = var.index if symbol is None else var[symbol].astype(str)
    return Part(path, counts, chosen, var.index.to_numpy(object), symbols.to_numpy(object))


def _genes_of(group: Any, source: MatrixSource) -> pd.DataFrame:
    key = raw_genes_key(group) if source.name == "raw.X" else "var"
    table = read_frame(group, key, [])
    if len(table) != source.shape[1]:
        raise FileRefused(
            f"{source.name} has {source.shape[1]:,} genes but {len(table):,} gene names.", DAMAGED
        )
    return table.set_axis([str(name) for name in table.index])


def _words(values: Any) -> pd.Categorical:
    """Return a column as categories that are texts."""
    column = pd.Categorical(values)
    return categorical(column.codes, column.categories)


def _names_of(group: Any, table: str) -> Any:
    """Return the part of a table that holds the names of its rows, not read yet."""
    rows = group_in(group, table)
    return part_in(rows, text(attribute(rows, "_index", "_index")))


def _length(group: Any, table: str) -> int:
    names = _names_of(group, table)
    stored = array_in(names, "values") if is_group(names) else names
    return int((shape_of(stored) or (0,))[0])


def _judge_some(source: MatrixSource, genes: pd.Index) -> choose.MatrixReport:
    """Say what a matrix holds by its first filled cells; all are judged when they are read."""
    starts = np.asarray(read(source.node["indptr"]))
    filled = np.flatnonzero(np.diff(starts))
    first = int(filled[0]) if filled.size else 0
    starts = starts[first : first + N_ROWS + 1]
    inside = slice(int(starts[0]), int(starts[-1]))
    parts = {name: read(source.node[name], inside) for name in ("data", "indices")}
    few = MatrixSource(
        source.name,
        parts | {"indptr": starts - starts[0]},
        (len(starts) - 1, source.shape[1]),
        "csr",
        source.dtype,
        len(parts["data"]),
    )
    return choose.judge(few, first + np.arange(1, len(starts)), genes.to_numpy())


def _tall(block_values: int, source: MatrixSource) -> int:
    """Return how many rows of a matrix have about so many values."""
    n_obs = source.shape[0]
    return max(1, min(n_obs, block_values * n_obs // max(1, source.n_stored)))


def _tidied(name: str, summaries: np.ndarray, block: sp.csr_matrix) -> sp.csr_matrix:
    """Return a block as the import would store it; see :mod:`scanvi_core.data.counts.convert`."""
    if block.nnz and not 0 <= block.indices.min() <= block.indices.max() < block.shape[1]:
        raise FileRefused(f"{name} is corrupt: it points beyond its last gene.", DAMAGED)
    values = block.data.astype(np.float32)
    if summaries.any():
        values[summaries[block.indices]] = 0
    tidy = sp.csr_matrix((values, block.indices, block.indptr), shape=block.shape)
    tidy.sum_duplicates()
    tidy.eliminate_zeros()
    return tidy
