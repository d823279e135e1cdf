"""The parts that some cells fall into, in their own variable genes."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from scanvi_core.annotation.layout.louvain import pca_of

N_GENES = 2_000
SEEN_IN = 0.02  # share of the cells in which a gene must be seen, and at least in three
MIN_CELLS = 20  # fewer have no parts that anybody could tell
LEAST_PART = 5  # fewer cells are odd ones, no part
MOST_CELLS = 10_000  # that the parts are found in; the others go to the nearest


def parts_of(logs: sp.csr_matrix, n_parts: int, *, seed: int = 0) -> npt.NDArray[np.integer[Any]]:
    """Return the part of each cell [n], the largest being 0.

    k-means on the principal components of the genes that vary most among these very cells.

    Parameters
    ----------
    logs
        log1p(CP10k) values [n, genes].
    n_parts
        How many.
    seed
        Start of the search.
    """
    points = pca_of(logs[:, _variable(logs)], seed=seed)
    codes = _alike(points, n_parts, seed)
    order = np.argsort(-np.bincount(codes, minlength=n_parts), kind="stable")
    return np.argsort(order)[codes]


def _alike(points: npt.NDArray[Any], n_parts: int, seed: int) -> npt.NDArray[np.integer[Any]]:
    """Return the k-means cluster of each cell; odd cells, which alone would be one, go along."""
    from sklearn.cluster import KMeans

    random = np.random.default_rng(seed)
    some = np.sort(random.permutation(len(points))[:MOST_CELLS])
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer distinct points than parts
            found = KMeans(n_parts, n_init=4, random_state=seed).fit(points[some])
        sizes = np.bincount(found.labels_, minlength=n_parts)
        usual = some[sizes[found.labels_] >= LEAST_PART]
        if len(usual) == len(some) or len(usual) < n_parts * LEAST_PART:
            return np.asarray(found.predict(points))
        some = usual


def _variable(logs: sp.csr_matrix) -> npt.NDArray[np.int64]:
    """Return the genes seen in some cells whose variance stands out from others of their mean."""
    mean = np.asarray(logs.mean(axis=0)).ravel()
    square = np.asarray(logs.multiply(logs).mean(axis=0)).ravel()
    variance = square - mean**2
    least = max(3.0, SEEN_IN * logs.shape[0])
    seen = np.flatnonzero((variance > 0) & (logs.getnnz(axis=0) >= least))
    if not seen.size:
        return np.flatnonzero(variance > 0)
    bins = np.searchsorted(np.quantile(mean[seen], np.linspace(0, 1, 21)[1:-1]), mean[seen])
    usual = np.array([np.median(variance[seen][bins == b]) if (bins == b).any() else 1.0
                      for b in range(20)])  # fmt: skip
    order = np.argsort(-variance[seen] / usual[bins], kind="stable")
    return np.sort(seen[order[:N_GENES]])
