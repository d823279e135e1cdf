"""Many files as one data set: a sharded zarr store of counts that are read in runs of rows.

A collection is a folder that annbatch wrote (:mod:`scanvi_core.data.collection.collection.write`):
parts ``dataset_0``, ``dataset_1``, ..., each the AnnData of some neighboring cells. Cell i of the
collection is row i of its parts one after the other, in the order of the files it was made from.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.blocks.nodes import Unreadable, group_in, part_in
from scanvi_core.data.blocks.rows import take_rows
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.guard.zarr_store import check_zarr
from scanvi_core.errors import ColumnMissing, FileRefused, InputError
from scanvi_core.hints import CHECK_NAME

ABOUT = "scanvi"  # attribute of the store that describes it
FORMAT = 1
CHECK_BYTES = 2e9
COMPARED = 1_000  # cells whose counts are compared with those of the data set they stand for


class Collection:
    """Counts and tables of a collection, read when asked for.

    Use :meth:`open`.

    Attributes
    ----------
    about
        What was gathered: ``format``, ``n_obs``, ``n_vars``, ``obs_columns``, ``files`` (of each
        ``name``, ``n_obs``, ``n_vars``, ``counts_source`` and ``notes``).
    n_obs, n_vars
        Number of cells and genes.
    """

    def __init__(self, root: Any, about: dict[str, Any]) -> None:
        self.root, self.about = root, about
        self.n_obs, self.n_vars = about["n_obs"], about["n_vars"]

    @classmethod
    def open(cls, path: Path | str) -> "Collection":
        """Open a store written by :func:`scanvi_core.data.collection.write.write_collection`.

        Raises
        ------
        FileRefused
            If the folder is none, is of a newer version, is incomplete or not safe to read.
        """
        import zarr

        path = Path(path)
        if not path.is_dir():
            raise FileRefused(f"There is no folder {path.name}.", CHECK_NAME)
        check_zarr(path, CHECK_BYTES)
        try:
            root = zarr.open_group(path, mode="r")
            about: Any = dict(root.attrs).get(ABOUT)
        except (OSError, ValueError, zarr.errors.BaseZarrError) as error:
            raise FileRefused(
                f"{path.name} cannot be opened as a zarr store.", CHECK_NAME
            ) from error
        if not _is_complete(about):
            raise FileRefused(
                f"{path.name} is no collection of this version.",
                "Make it with `python -m scanvi_core gather`.",
            )
        return cls(root, about)

    @cached_property
    def parts(self) -> list[Any]:
        """The zarr groups of the parts, in order."""
        return [_group(self.root, f"dataset_{i}") for i in range(self.about["n_parts"])]

    @cached_property
    def counts(self) -> StoredCounts:
        """Counts, cells × genes; see there for what can be asked of them.

        Raises
        ------
        InputError
            If annbatch is not installed.
        """
        from scanvi_core.data.collection.annbatch import AnnbatchRows

        rows = AnnbatchRows(self.parts)
        if rows.shape != (self.n_obs, self.n_vars):
            raise FileRefused(
                f"The parts of the collection hold {rows.shape[0]:,} cells of {rows.shape[1]:,} "
                f"genes, not {self.n_obs:,} of {self.n_vars:,}.",
                "Copy the whole store again, or make it anew.",
            )
        return StoredCounts(rows)

    @cached_property
    def var(self) -> pd.DataFrame:
        """The table of genes; index = unique gene names."""
        return _element(self.parts[0], "var")

    @property
    def var_names(self) -> np.ndarray:
        """Unique gene names, as str objects."""
        return self.var.index.to_numpy(dtype=object)

    @cached_property
    def obs_names(self) -> np.ndarray:
        """Cell names as their files have them, as str objects; two files may share some."""
        tables = [_group(part, "obs") for part in self.parts]
        names = [_element(table, str(table.attrs.get("_index", "_index"))) for table in tables]
        return np.concatenate([np.asarray(part, dtype=object) for part in names])

    def genes_matrix(self, var_index: np.ndarray) -> StoredCounts:
        """Return the counts of some genes, by position."""
        return self.counts.columns(var_index)

    def column(self, name: str) -> pd.Series:
        """Return one column of obs, numbered by row: float64, or words as categories.

        Cells of files without the column have no value in it. Where one file has numbers and
        another words, all are words.

        Raises
        ------
        ColumnMissing
            If no file has such a column.
        """
        if name not in self.about["obs_columns"]:
            raise ColumnMissing(
                f"The table of cells has no column {name}.",
                f"It has {', '.join(self.about['obs_columns']) or 'none'}.",
            )
        values = [_element(_group(part, "obs"), name) for part in self.parts]
        if isinstance(values[0], np.ndarray):
            return pd.Series(np.concatenate(values), name=name)
        return pd.Series(pd.api.types.union_categoricals(values), name=name)


def stored_counts(path: Path, dataset: Dataset, genes: Sequence[str]) -> StoredCounts:
    """Return the counts of some genes from the collection that holds the cells of a data set.

    Raises
    ------
    InputError
        If the collection has other cells or lacks a gene, or annbatch is not installed.
    """
    collection = Collection.open(path)
    if collection.n_obs != dataset.n_obs:
        raise InputError(
            f"The store {path.name} has {collection.n_obs:,} cells, the project "
            f"{dataset.n_obs:,}.",
            "Gather the very files that the project was opened from.",
        )
    positions = pd.Index(collection.var_names).get_indexer(list(genes))
    if (positions < 0).any():
        missing = [gene for gene, at in zip(genes, positions, strict=True) if at < 0]
        raise InputError(
            f"The store {path.name} lacks {len(missing):,} of the genes that the model reads, "
            f"such as {missing[0]}.",
            "Train from the project's own files, or gather files that all have these genes.",
        )
    counts = collection.genes_matrix(positions)
    looked_at = np.unique(np.linspace(0, collection.n_obs - 1, COMPARED).astype(np.int64))
    ours = take_rows(dataset.counts, looked_at)[:, pd.Index(dataset.var_names).get_indexer(genes)]
    if (ours != counts[looked_at]).nnz:
        raise InputError(
            f"The cells of the store {path.name} are not those of the project, or in another "
            "order.",
            "Gather the very files that the project was opened from, in their order.",
        )
    return counts


def _is_complete(about: Any) -> bool:
    """Tell whether the description of a store is one of ours, of this version."""
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        return False
    files, columns = about.get("files"), about.get("obs_columns")
    numbers = [about.get(name) for name in ("n_obs", "n_vars", "n_parts")]
    return (
        all(isinstance(number, int) and number > 0 for number in numbers)
        and isinstance(columns, list)
        and isinstance(files, list)
        and all(isinstance(file, dict) and "name" in file for file in files)
    )


def _group(parent: Any, name: str) -> Any:
    with _damage_explained(name):
        return group_in(parent, name)


def _element(parent: Any, name: str) -> Any:
    from scanvi_core.data.anndata_files.elements import read_element

    with _damage_explained(name):
        return read_element(part_in(parent, name))


@contextmanager
def _damage_explained(name: str) -> Iterator[None]:
    try:
        yield
    except Unreadable as error:
        raise FileRefused(
            f"The store is damaged: {name} cannot be read ({error}).",
            "Copy the whole store again, or make it anew.",
        ) from error
