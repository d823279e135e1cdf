"""Small tight clusters of all cells, out of which the cards of a review are drawn.

They are made once for a model, of every cell and not only of doubtful ones: a type that nobody
has named may lie where the model is sure. Cells that got a name leave them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.review.grouping import nearest

Floats = npt.NDArray[Any]

CELLS_PER_CLUSTER = 10
FEWEST, MOST = 4, 400
FITTED_CELLS = 20_000  # more join the nearest cluster of these
ROUNDS = 20


def space_of(z1: Floats, components: Floats) -> npt.NDArray[np.float32]:
    """Return the space [n, d] in which cells are alike: of the model, and of their genes.

    Latent means are scaled to unit variance and divided by the root of their number, components
    by the root mean square of their length, so that both say as much. Rows of NaN stay NaN.
    """
    usable = np.isfinite(z1).all(axis=1) & np.isfinite(components).all(axis=1)
    own, other = z1[usable], components[usable]
    scaled = (z1 - own.mean(axis=0)) / np.maximum(own.std(axis=0), 1e-6) / np.sqrt(z1.shape[1])
    length = np.sqrt(np.maximum((other**2).sum(axis=1).mean(), 1e-12))
    space = np.hstack([scaled, components / length]).astype(np.float32)
    space[~usable] = np.nan
    return space


def cluster(
    space: Floats, rows: npt.NDArray[np.int64], *, seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Part some cells into clusters by k-means.

    Parameters
    ----------
    space
        Places of all cells [n, d].
    rows
        The cells to part, all with a place.

    Returns
    -------
    codes, distance
        Cluster of each cell [n] (-1: not among `rows`), and its squared distance from the middle.
    """
    from sklearn.cluster import KMeans

    codes = np.full(len(space), -1, dtype=np.int64)
    distance = np.full(len(space), np.nan, dtype=np.float32)
    if not rows.size:
        return codes, distance
    random = np.random.default_rng(seed)
    few = rows if rows.size <= FITTED_CELLS else random.permutation(rows)[:FITTED_CELLS]
    n = int(np.clip(rows.size // CELLS_PER_CLUSTER, min(FEWEST, few.size), MOST))
    fitted = KMeans(n, n_init=1, max_iter=ROUNDS, random_state=seed).fit(space[few])
    middles = fitted.cluster_centers_.astype(np.float32)
    codes[rows], distance[rows] = nearest(np.ascontiguousarray(space[rows]), middles)
    return codes, distance
