"""Batches that stand apart from all others, of which the model has learned nothing."""

import numpy as np

SAMPLE = 300  # cells of each batch that are looked at
MIN_CELLS = 20  # a smaller batch is not judged
NEIGHBORS = 15
OWN = 0.9  # a cell stands apart when so many of its neighbors are of its own batch,
APART = 0.8  # and a batch when so many of its cells do


def find_unseen_batches(
    z1: np.ndarray, batch_index: np.ndarray, labeled: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return which cells are of a batch that stands apart from the others, bool [n].

    The latent is meant to be free of the batch, so cells of one batch should have neighbors from
    others. Of each batch as many cells are drawn as of the smallest (at most 300), and a batch is
    stray when at least 80 % of its cells have at most a tenth of their 15 nearest neighbors from
    elsewhere. A batch with labeled cells is never stray: the model has learned from it.

    Parameters
    ----------
    z1
        Batch-corrected latent [n, L]; rows with NaN (cells without counts) are never stray.
    batch_index
        Batch codes [n]; batches of fewer than 20 cells are not judged.
    labeled
        Cells with a label [n].
    random
        Draws the cells.
    """
    stray, usable = np.zeros(len(z1), dtype=bool), np.isfinite(z1).all(axis=1)
    cells = [np.flatnonzero((batch_index == b) & usable) for b in np.unique(batch_index)]
    cells = [rows for rows in cells if len(rows) >= MIN_CELLS]
    if len(cells) < 2:
        return stray
    from sklearn.neighbors import NearestNeighbors

    n = min(SAMPLE, *map(len, cells))
    drawn = np.concatenate([random.choice(rows, n, replace=False) for rows in cells])
    k = min(NEIGHBORS, n - 1)
    near = NearestNeighbors(n_neighbors=k).fit(z1[drawn]).kneighbors(return_distance=False)
    batch = np.repeat(np.arange(len(cells)), n)
    alone = (batch[near] == batch[:, None]).mean(axis=1) >= OWN
    for b, rows in enumerate(cells):
        if alone[batch == b].mean() >= APART and not labeled[rows].any():
            stray[rows] = True
    return stray
