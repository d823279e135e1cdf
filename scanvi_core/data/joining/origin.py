"""From which files the cells of a data set came that was joined before, and what that added."""

import re
from dataclasses import dataclass

import numpy as np

from scanvi_core.data.joining.genes import Source
from scanvi_core.data.manifest import joined_parts

SOURCE_COLUMN = "source_file"  # the file a cell came from
SOURCE_BATCH = "source_batch"  # the file, and the batch inside of it
MADE = re.compile(rf"({SOURCE_COLUMN}|{SOURCE_BATCH})(_[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the cells of a data set came from.

    Attributes
    ----------
    files
        The name of each cell's file: of the data set, or of the one it was joined from.
    names
        The cells' names in those files.
    made
        Columns that joining added: they say no more than `files`, or than batches inside of them.
    """

    files: np.ndarray
    names: np.ndarray
    made: frozenset[str]


def origin_of(source: Source) -> Origin:
    """Return where the cells of a data set came from."""
    dataset, names = source.dataset, source.dataset.obs_names.astype(object)
    parts = joined_parts(dataset.manifest)
    if not parts:
        alone = np.full(dataset.n_obs, source.name, dtype=object)
        return Origin(alone, names, frozenset())
    sizes = [part["n_obs"] for part in parts]
    files = np.repeat(np.array([part["name"] for part in parts], dtype=object), sizes)
    endings = np.repeat(np.array([part["ending"] for part in parts], dtype=object), sizes)
    own = [name.removesuffix(ending) for name, ending in zip(names, endings, strict=True)]
    candidates = filter(MADE.fullmatch, dataset.manifest["obs_columns"])
    made = frozenset(name for name in candidates if _tells_files(source, name, files))
    return Origin(files, np.array(own, dtype=object), made)


def _tells_files(source: Source, column: str, files: np.ndarray) -> bool:
    """Tell whether each value of a column is the name of the cell's file, or begins with it."""
    values = source.dataset.values(column).astype(str)
    return all(value.startswith(file) for value, file in zip(values, files, strict=True))
