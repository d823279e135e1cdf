"""Small tight clusters of all cells, out of which the cards of a review are drawn.

They are made once for a model, of every cell and not only of doubtful ones: a type that nobody
has named may lie where the model is sure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.review.grouping import members, nearest

Floats = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]

CELLS_PER_CLUSTER = 10
FEWEST, MOST = 4, 400
FITTED_CELLS = 20_000  # all others join the nearest cluster of these
ROUNDS = 20
BLOCK = 20_000
REACH = 2.0  # distances between clusters over which a named cell explains others

CARD_CELLS = 9
LEAST_CELLS = 3  # smaller clusters wait


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Clusters of cells.

    Parameters
    ----------
    codes
        Cluster of each cell [n], -1 for cells without counts.
    distance
        Squared distance from the middle of the cluster [n].
    middles
        Where the clusters lie [c, d]; None where that was not kept.
    """

    codes: npt.NDArray[Any]
    distance: Floats
    middles: Floats | None = None

    def groups(self, rows: Rows) -> list[Rows]:
        """Return the cells of each cluster among `rows`, where there are enough for a card."""
        own = (rows[part] for part in members(self.codes[rows]))
        return [group for group in own if group.size >= LEAST_CELLS]

    def middle(self, group: Rows) -> Rows:
        """Return the cells of a group that a card shows: the nearest to the middle, ascending."""
        return np.sort(group[np.argsort(self.distance[group], kind="stable")[:CARD_CELLS]])

    def nearness(self, cells: npt.NDArray[np.bool_]) -> Floats:
        """Return how near the cluster of each cell is to one that holds some of `cells` [n].

        exp(-d^2 / h^2) of the distance d between their middles, 1 in the same cluster; h is twice
        the median distance of a cluster from the next one. 0 without middles.
        """
        from scipy.spatial.distance import cdist

        there = self.codes >= 0
        reached = np.unique(self.codes[there & cells])
        near = np.zeros(self.codes.size, dtype=np.float32)
        if self.middles is None or not reached.size:
            return near
        squares = cdist(self.middles, self.middles, "sqeuclidean")
        next_one = (squares + np.diag(np.full(len(squares), np.inf))).min(axis=1)
        width = max(REACH**2 * float(np.median(next_one)), 1e-12)
        near[there] = np.exp(-squares[:, reached].min(axis=1) / width)[self.codes[there]]
        return near


def make_clusters(z1: Floats, components: Callable[[Rows], Floats], *, seed: int = 0) -> Clusters:
    """Cluster cells by what the model makes of them and, as much, by their genes alone.

    k-means on latent means scaled to unit variance over the root of their number, beside
    principal components over the root mean square of their length; a tenth as many clusters as
    cells, 400 at most.

    Parameters
    ----------
    z1
        Latent means [n, L]; rows of NaN (cells without counts) are left out.
    components
        Returns the components [m, d] of some cells, found without labels; asked for
        20,000 cells at a time.
    seed
        Chooses the cells that the clusters are found among, where there are more than 20,000.
    """
    from sklearn.cluster import KMeans

    rows = np.flatnonzero(np.isfinite(z1[:, 0]))
    codes = np.full(len(z1), -1, dtype=np.int32)
    distance = np.full(len(z1), np.nan, dtype=np.float32)
    if not rows.size:
        return Clusters(codes, distance)
    few = np.sort(np.random.default_rng(seed).permutation(rows)[:FITTED_CELLS])
    own, genes = np.asarray(z1[few]), components(few)
    center, spread = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-6) * np.sqrt(z1.shape[1])
    length = np.sqrt(np.maximum((genes**2).sum(axis=1).mean(), 1e-12))

    def place(states: Floats, parts: Floats) -> Floats:
        return np.hstack([(states - center) / spread, parts / length]).astype(np.float32)

    n = min(few.size, int(np.clip(rows.size // CELLS_PER_CLUSTER, FEWEST, MOST)))
    fitted = KMeans(n, n_init=1, max_iter=ROUNDS, random_state=seed).fit(place(own, genes))
    middles = fitted.cluster_centers_.astype(np.float32)
    for start in range(0, rows.size, BLOCK):
        block = rows[start : start + BLOCK]
        points = place(np.asarray(z1[block]), components(block))
        codes[block], distance[block] = nearest(np.ascontiguousarray(points), middles)
    return Clusters(codes, distance, middles)
