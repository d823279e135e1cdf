"""Labels of an earlier version of a file: found again cell by cell, with their whole history.

A cell is the same when it has the same name; or, where names were changed or are mere numbers,
the same counts. Cells that appear twice are left out: nobody could tell which is which.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.data.blocks.mapped import entries
from scanvi_core.data.dataset import Dataset
from scanvi_core.errors import LabelsUnusable
from scanvi_core.services.projects.joining.label_transfer import transfer
from scanvi_core.services.workspace import Workspace, recent_projects, workspace

BLOCK_ROWS = 20_000
_MIX = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


@dataclass(frozen=True)
class Found:
    """How the cells of a file were found among those of an earlier one.

    Attributes
    ----------
    place
        Per cell of the earlier file its row here, -1 where it is not here.
    by_name, by_counts, new
        Number of cells here found either way, and of those that were not in the earlier file.
    """

    place: np.ndarray
    by_name: int
    by_counts: int
    new: int


def candidates(opened: Workspace) -> dict[str, str]:
    """Return ids and names of the other projects with a label log, the one changed last first."""
    others = [item for item in recent_projects() if item.id != opened.id]
    return {item.id: item.name for item in others if item.saved_at is not None}


def find(earlier_id: str, opened: Workspace) -> Found:
    """Find the cells of an earlier project among those of this one."""

    def compute() -> Found:
        return match(workspace(earlier_id).dataset, opened.dataset)

    return opened.cache.get(("earlier", earlier_id), compute)


def take_over(earlier_id: str, opened: Workspace) -> Found:
    """Give this project the labels and the history of an earlier one, for the cells found again.

    Raises
    ------
    LabelsUnusable
        If no cell was found again, or nothing is labeled there.
    ProjectError
        If this project has labels already.
    """
    earlier = workspace(earlier_id)
    found = find(earlier_id, opened)
    if not found.by_name + found.by_counts:
        raise LabelsUnusable(
            f"No cell of {earlier.project.name} was found here, by name or by its counts.",
            "Choose another project, or take the labels from a column.",
        )
    if not earlier.labels().seq:
        raise LabelsUnusable(f"{earlier.project.name} has no labels.", "Choose another project.")
    transfer(earlier, opened, found.place)
    return found


def match(old: Dataset, new: Dataset) -> Found:
    """Find the cells of one data set in another."""
    by_name = _where(old.obs_names, new.obs_names)
    by_counts = _where(cell_hashes(old), cell_hashes(new))
    # counts that bear another name here: the names were given anew, as numbers often are
    place = np.where(by_counts >= 0, by_counts, by_name)
    sure = np.zeros(new.n_obs, dtype=bool)
    sure[by_counts[by_counts >= 0]] = True
    place[(by_counts < 0) & (place >= 0) & sure[place]] = -1
    here = place >= 0
    named = int((here & (place == by_name)).sum())
    return Found(place, named, int(here.sum()) - named, new.n_obs - int(here.sum()))


def matched(old: np.ndarray, new: np.ndarray) -> Found:
    """Find cells by their names alone."""
    place = _where(old, new)
    n_found = int((place >= 0).sum())
    return Found(place, n_found, 0, len(new) - n_found)


def cell_hashes(dataset: Dataset) -> np.ndarray:
    """Return a number per cell, uint64 [n_obs], that tells its counts, whatever the gene order.

    The sum over a cell's genes of a mix of the gene's name and the count (the finaliser of
    SplitMix64: Steele et al. 2014, "Fast splittable pseudorandom number generators"); 0 for a cell
    without counts.
    """
    digests = (hashlib.blake2b(str(g).encode(), digest_size=8).digest() for g in dataset.var_names)
    genes = np.frombuffer(b"".join(digests), dtype="<u8")
    counts = dataset.counts
    hashes = np.zeros(dataset.n_obs, dtype=np.uint64)
    for start in range(0, dataset.n_obs, BLOCK_ROWS):
        bounds = np.asarray(counts.indptr[start : start + BLOCK_ROWS + 1], dtype=np.int64)
        values, columns = entries(counts, start, start + len(bounds) - 1)
        values = np.asarray(values, dtype=np.float32).view(np.uint32)
        mixed = genes[columns] + values.astype(np.uint64) * _MIX[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[1]
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[2]
        mixed[values == 0] = 0  # a stored zero is no count
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
        at = bounds - bounds[0]
        hashes[start : start + len(at) - 1] = sums[at[1:]] - sums[at[:-1]]
    return hashes


def _where(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return per old row the row of the same value in the new, int64, -1 where there is none.

    Values that appear twice, and cells without counts, are found nowhere.
    """
    before, after = pd.Index(old), pd.Index(new)
    usable = ~before.duplicated(keep=False)
    if old.dtype == np.uint64:
        usable &= old != 0
    rows = np.flatnonzero(~after.duplicated(keep=False))
    place = np.full(len(old), -1, dtype=np.int64)
    at = after[rows].get_indexer(before[usable])
    place[usable] = np.where(at >= 0, rows[at], -1)
    return place
