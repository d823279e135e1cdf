"""Groups of similar cells without labels: for first names, and for data without a model yet."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[Any]

MIN_CELLS_FOR_GRAPH = 4
# Exact neighbors of so many take seconds, and the time grows with the square; a search by trees
# (pynndescent) is compiled for half a minute in each process before it is faster.
GRAPH_CELLS = 20_000


def louvain_clusters(
    z: Floats, resolution: float = 1.0, seed: int = 0, n_neighbors: int = 15
) -> Codes:
    """Return a cluster per cell by Louvain on the graph of nearest neighbors.

    Louvain: Blondel et al. 2008, doi:10.1088/1742-5468/2008/10/P10008, as scikit-network has it.
    Its Leiden draws from C's unseeded ``rand()``, so equal inputs gave unequal clusters (adjusted
    Rand index 0.8 between two calls). What Leiden promises beyond, clusters that hang together
    (Traag et al. 2019, doi:10.1038/s41598-019-41695-z), is made sure of here. Edges have no
    weights: Jaccard weights agreed less with the labels of five real data sets. Beyond
    `GRAPH_CELLS` cells a sample is clustered, and each other cell joins the cluster that most of
    its nearest neighbors in the sample are in.

    Parameters
    ----------
    z
        Cells in a space where near means similar [n, d].
    resolution
        Larger gives more clusters.
    seed
        Start of the random draws; equal inputs give equal clusters.
    n_neighbors
        Neighbors per cell.

    Returns
    -------
    Codes [n], 0 for the largest cluster.
    """
    n = len(z)
    if n < MIN_CELLS_FOR_GRAPH:
        return np.zeros(n, dtype=np.int32)
    from sknetwork.clustering import Louvain

    drawn = np.arange(n)
    if n > GRAPH_CELLS:
        drawn = np.sort(np.random.default_rng(seed).permutation(n)[:GRAPH_CELLS])
    graph = neighbor_graph(z[drawn], min(n_neighbors, len(drawn) - 1))
    clusters = Louvain(resolution, shuffle_nodes=True, random_state=seed).fit_predict(graph)
    codes = np.empty(n, dtype=np.int32)
    codes[drawn] = by_size(connected(graph, clusters))
    others = np.setdiff1d(np.arange(n), drawn)
    if others.size:
        codes[others] = joined(z[others], z[drawn], codes[drawn], n_neighbors)
    return by_size(codes)


def joined(z: Floats, among: Floats, codes: Codes, n_neighbors: int) -> Codes:
    """Return for each cell of `z` the commonest code of its nearest cells `among` others."""
    from sklearn.neighbors import KNeighborsClassifier

    points, others = (np.ascontiguousarray(cells, dtype=np.float32) for cells in (among, z))
    votes = KNeighborsClassifier(n_neighbors, algorithm="brute").fit(points, codes)
    return np.asarray(votes.predict(others), dtype=np.int32)


def connected(graph: sp.csr_matrix, codes: npt.NDArray[Any]) -> Codes:
    """Part clusters that fall apart when the edges to other clusters are cut."""
    edges = graph.tocoo()
    inside = codes[edges.row] == codes[edges.col]
    ends = edges.row[inside], edges.col[inside]
    within = sp.csr_matrix((np.ones(inside.sum(), dtype=bool), ends), shape=graph.shape)
    _, parts = connected_components(within, directed=False)
    return parts.astype(np.int32)


def neighbor_graph(z: Floats, n_neighbors: int) -> sp.csr_matrix:
    """Return the symmetric graph [n, n] in which cells share an edge if either is near."""
    from sklearn.neighbors import NearestNeighbors

    points = np.ascontiguousarray(z, dtype=np.float32)
    # Asked without points, the search leaves each cell itself out.
    near = NearestNeighbors(n_neighbors=n_neighbors).fit(points).kneighbors_graph()
    return sp.csr_matrix(near.maximum(near.T))


def by_size(codes: npt.NDArray[Any]) -> Codes:
    """Return the codes renamed so that 0 is the largest; ties in the order of first cells."""
    _, first, inverse, sizes = np.unique(
        codes, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), dtype=np.int32)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes), dtype=np.int32)
    return rank[inverse]


def pca_of(lognorm: sp.csr_matrix, n: int = 30, seed: int = 0) -> npt.NDArray[np.float32]:
    """Return the first principal components of sparse values, without a dense copy of them.

    Parameters
    ----------
    lognorm
        log1p(CP10k) values [cells, genes].
    n
        Components; fewer when there are fewer cells or genes.
    seed
        Start of the solver's random draw.

    Returns
    -------
    Scores [cells, min(n, cells - 1, genes - 1)]; the sign of a component is fixed.
    """
    from sklearn.decomposition import PCA

    n_components = max(0, min(n, *(size - 1 for size in lognorm.shape)))
    if n_components == 0:
        return np.zeros((lognorm.shape[0], 1), dtype=np.float32)
    # arpack centers implicitly, so the matrix stays sparse.
    model = PCA(n_components, svd_solver="arpack", random_state=seed)
    return model.fit_transform(sp.csr_matrix(lognorm)).astype(np.float32)
