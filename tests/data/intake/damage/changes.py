"""What became of a damaged file that was taken in: compared with what the sound one held.

No format but gzip, zip and the packed blocks of HDF5 keeps checksums: a flipped bit inside a
stored number or a name makes another number or name, which nobody can see. What is claimed of a
file that was taken in without a word about it:

- it holds as many cells and genes as the sound one, and the same columns and embeddings;
- its names are still names, each once; its counts are whole numbers, each place given once;
- no more values and names differ than the bytes that were damaged can hold.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.dataset import Dataset

SAME, TOLD, VALUES, SILENT = "the same", "changed and told", "other values", "silent change"
MOST_BYTES = 64  # that one damage changes


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in: counts, tables with names, embeddings, everything said."""

    counts: sp.csr_matrix
    obs: pd.DataFrame
    var: pd.DataFrame
    embeddings: tuple[str, ...]
    said: frozenset[str]

    @classmethod
    def of(cls, folder: Path) -> "Taken":
        """Return what lies in the folder of a data set."""
        dataset = Dataset.open(folder)
        obs = dataset.obs.set_axis(pd.Index(dataset.obs_names))
        var = dataset.var.set_axis(pd.Index(dataset.var_names))
        about = dataset.manifest
        said = frozenset([*about["repairs"], *about["warnings"]])
        return cls(dataset.counts, obs, var, tuple(about["obsm"]), said)


def compare(sound: Taken, taken: Taken) -> str:
    """Return what damage has made of a file that was taken in."""
    n = differing(sound, taken)
    if n == 0:
        return SAME
    if taken.said - sound.said:
        return TOLD
    if n is None:
        return f"{SILENT}: other parts"
    return VALUES if n <= 2 * MOST_BYTES else f"{SILENT}: {n:,} values"


def differing(sound: Taken, taken: Taken) -> int | None:
    """Return how many values and names differ; None where what differs is more than that."""
    if sound.counts.shape != taken.counts.shape or sound.embeddings != taken.embeddings:
        return None
    n = int((sound.counts != taken.counts).nnz)
    for one, other in ((sound.obs, taken.obs), (sound.var, taken.var)):
        if one.shape != other.shape or not other.index.is_unique:
            return None
        for index, now in ((one.index, other.index), (one.columns, other.columns)):
            n += int(np.count_nonzero(index != now))
        for at in range(one.shape[1]):
            n += int(np.count_nonzero(_words(one.iloc[:, at]) != _words(other.iloc[:, at])))
    return n


def _words(column: pd.Series) -> np.ndarray:
    """Return values as words; numbers that are the same are the same words."""
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    return np.where(numbers.notna(), numbers.astype(str), column.astype(object).astype(str))
