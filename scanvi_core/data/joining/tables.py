"""The tables of cells and genes of several data sets as one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.joining.genes import NAMES, SYMBOLS, SharedGenes, Source, names_of
from scanvi_core.errors import ColumnMissing

SOURCE_COLUMN = "source_file"  # the file a cell came from
SOURCE_BATCH = "source_batch"  # the file, and the batch inside of it
OURS = frozenset({SOURCE_COLUMN, SOURCE_BATCH})  # columns of these names give way
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


def cells_of(source: Source, numbers: dict[str, bool]) -> pd.DataFrame:
    """Return the cells of a data set with the columns of all: float64, or words as categories."""
    dataset = source.dataset
    columns = dict[str, Any]()
    for name, is_number in numbers.items():
        if name not in dataset.manifest["obs_columns"]:
            values = pd.Series([None] * dataset.n_obs, dtype=object)
        else:
            values = dataset.values(name)
        if is_number:
            columns[name] = values.to_numpy(dtype=np.float64)
        else:
            words = pd.Categorical(values).as_unordered()
            columns[name] = words.rename_categories(words.categories.astype(str))
    columns[SOURCE_COLUMN] = pd.Categorical.from_codes(
        np.zeros(dataset.n_obs, np.int8), categories=[source.name]
    )
    return pd.DataFrame(columns, index=dataset.obs_names)


def all_cells(sources: Sequence[Source], batch_key: str | None = None) -> pd.DataFrame:
    """Return the cells of all data sets under each other, with the columns of all.

    Where two data sets have a cell of the same name, the names of all cells end with that of
    their file.

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
    numbers = kinds_of_columns(sources, lambda name: name not in OURS)
    parts = [cells_of(source, numbers) for source in sources]
    columns = {
        name: np.concatenate([part[name].to_numpy() for part in parts])
        if numbers.get(name, False)
        else pd.api.types.union_categoricals([part[name].array for part in parts])
        for name in parts[0]
    }
    names = pd.Index(np.concatenate([part.index.to_numpy(dtype=object) for part in parts]))
    obs = pd.DataFrame(columns)
    if names.has_duplicates:
        names = names + "-" + obs[SOURCE_COLUMN].astype(str)
    if batch_key is not None:
        if batch_key not in numbers:
            raise ColumnMissing(
                f"No file has a column {batch_key}.", f"They have: {', '.join(numbers)}."
            )
        obs[SOURCE_BATCH] = _batches(obs[SOURCE_COLUMN], obs[batch_key])
    return obs.set_axis(names)


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


def _batches(files: pd.Series, batches: pd.Series) -> pd.Series:
    """Return the batches of all cells by file and name; a file alone where it has no batches."""
    if pd.api.types.is_float_dtype(batches):
        batches = batches.map("{:g}".format, na_action="ignore")
    inside = " · " + batches.astype("string")
    return (files.astype("string") + inside.fillna("")).astype(object)


def _is_number(values: pd.Series) -> bool:
    return isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf"
