"""The tables of cells and genes of several data sets as one."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.joining.genes import NAMES, SYMBOLS, SharedGenes, Source, names_of
from scanvi_core.data.joining.origin import SOURCE_BATCH, SOURCE_COLUMN, Origin, origin_of
from scanvi_core.errors import ColumnMissing

INSIDE = " · "  # between the name of a file and that of a batch in it
SEPARATORS = ("-", "_", "@", " of ")  # between the name of a cell and that of its file
SYMBOL_COLUMN = "gene_symbols"


def kinds_of_columns(sources: Sequence[Source], is_kept: Callable[[str], bool]) -> dict[str, bool]:
    """Return the columns that are kept, and of each whether it holds numbers wherever it is."""
    numbers = dict[str, bool]()
    for source in sources:
        for name in source.dataset.manifest["obs_columns"]:
            if is_kept(name):
                values = source.dataset.values(name)
                numbers[name] = numbers.get(name, True) and _is_number(values)
    return numbers


def cells_of(
    source: Source, numbers: dict[str, bool], file_column: str = SOURCE_COLUMN
) -> pd.DataFrame:
    """Return the cells of a data set with the columns of all: float64, or words as categories.

    `file_column` gets the name of the data set.
    """
    dataset = source.dataset
    columns = dict[str, Any]()
    for name, is_number in numbers.items():
        if name not in dataset.manifest["obs_columns"]:
            values = pd.Series([None] * dataset.n_obs, dtype=object)
        else:
            values = dataset.values(name)
        columns[name] = values.to_numpy(dtype=np.float64) if is_number else in_words(values)
    columns[file_column] = pd.Categorical.from_codes(
        np.zeros(dataset.n_obs, np.int8), categories=[source.name]
    )
    return pd.DataFrame(columns, index=dataset.obs_names)


def in_words(values: pd.Series) -> pd.Categorical:
    """Return values as words: a whole number has no point, whatever its type is."""
    words = pd.Categorical(values).as_unordered()
    names = [
        str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)
        for name in words.categories
    ]
    return words.rename_categories(names)


@dataclass(frozen=True, slots=True)
class JoinedCells:
    """The cells of several data sets under each other.

    Attributes
    ----------
    obs
        Their table, with unique names.
    separator
        What stands between the name of a cell and that of its file; empty where the names of all
        cells are those in their files.
    batch_key
        The column that tells the batches apart: that of the files, or of the batches inside.
    """

    obs: pd.DataFrame
    separator: str
    batch_key: str


def all_cells(sources: Sequence[Source], batch_key: str | None = None) -> JoinedCells:
    """Put the cells of all data sets under each other, with the columns of all.

    Where two data sets have a cell of the same name, the names of all cells end with that of
    their file. Cells that were joined before are taken as those of their files: names do not grow.

    Parameters
    ----------
    sources
        Under different names.
    batch_key
        A column that tells batches apart inside of the data sets that have it: each is a batch
        in ``source_batch``, and each data set without it.

    Raises
    ------
    ColumnMissing
        If none has that column.
    """
    numbers = kinds_of_columns(sources, lambda _: True)
    origins = [origin_of(source) for source in sources]
    if batch_key is not None and batch_key not in numbers:
        raise ColumnMissing(
            f"No file has a column {batch_key}.", f"They have: {', '.join(numbers)}."
        )
    numbers = {
        name: kind for name, kind in numbers.items() if not _is_made(name, sources, origins)
    }
    files = _free(SOURCE_COLUMN, numbers)
    parts = [
        cells_of(source, numbers, files).assign(**{files: pd.Categorical(origin.files)})
        for source, origin in zip(sources, origins, strict=True)
    ]
    columns = {
        name: np.concatenate([part[name].to_numpy() for part in parts])
        if numbers.get(name, False)
        else pd.api.types.union_categoricals([part[name].array for part in parts])
        for name in parts[0]
    }
    obs, batches = pd.DataFrame(columns), files
    if batch_key is not None:
        batches = _free(SOURCE_BATCH, numbers)
        each = zip(sources, origins, strict=True)
        inside = [batches_of(source, origin, batch_key) for source, origin in each]
        obs[batches] = np.concatenate(inside)
    names = pd.Index(np.concatenate([origin.names for origin in origins]))
    separator = _separator(names, obs[files])
    return JoinedCells(obs.set_axis(_ended(names, separator, obs[files])), separator, batches)


def _is_made(column: str, sources: Sequence[Source], origins: Sequence[Origin]) -> bool:
    """Tell whether a column is in no file: joining added it wherever it is."""
    pairs = zip(sources, origins, strict=True)
    has_it = [o.made for s, o in pairs if column in s.dataset.manifest["obs_columns"]]
    return all(column in made for made in has_it)


def batches_of(source: Source, origin: Origin, batch_key: str) -> np.ndarray:
    """Return the batches of a data set that a column tells apart inside of its files."""
    files = pd.Series(origin.files, dtype="string")
    if batch_key not in source.dataset.manifest["obs_columns"]:
        return files.to_numpy(dtype=object)
    values = pd.Series(in_words(source.dataset.values(batch_key))).astype("string")
    if batch_key in origin.made:  # it holds the file already
        return values.fillna(files).to_numpy(dtype=object)
    return (files + (INSIDE + values).fillna("")).to_numpy(dtype=object)


def _free(name: str, taken: Collection[str]) -> str:
    """Return the name for a column of ours, with a number where the user has one of that name."""
    numbered = (f"{name}_{number}" for number in count(2))
    return next(free for free in chain([name], numbered) if free not in taken)


def _separator(names: pd.Index, files: pd.Series) -> str:
    if not names.has_duplicates:
        return ""
    apart = (sign for sign in SEPARATORS if not _ended(names, sign, files).has_duplicates)
    return next(apart, SEPARATORS[-1])


def _ended(names: pd.Index, separator: str, files: pd.Series) -> pd.Index:
    return names + separator + files.astype(str).to_numpy(dtype=object) if separator else names


def all_genes(sources: Sequence[Source], shared: SharedGenes) -> pd.DataFrame:
    """Return the shared genes under the names of the first data set, with symbols and ids."""
    first = sources[0].dataset
    columns = dict[str, np.ndarray]()
    for source, positions in zip(sources, shared.positions, strict=True):
        for kind, names in names_of(source.dataset).items():
            name = SYMBOL_COLUMN if kind == SYMBOLS else kind
            if kind != NAMES and name not in columns:
                texts = names.to_numpy(dtype=object)[positions]
                columns[name] = np.where(pd.isna(texts), "", texts).astype(object)
    genes = pd.Index(first.var_names[shared.positions[0]], dtype=object)
    return pd.DataFrame(columns, index=genes)


def _is_number(values: pd.Series) -> bool:
    return isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"
