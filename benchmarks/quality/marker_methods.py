"""Ways to score marker genes that `benchmarks.quality.markers` compares, each [cells, types].

Each is written from its paper; AddModuleScore is scanpy's ``score_genes``. All are averaged over
the same clusters of similar cells afterwards, so that they differ by the score alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from scanvi_core.annotation.markers.cluster_scores import GeneSet, cluster_scores

MOST_RANK = 1_500  # of UCell
HIGHER, LOWER = 8.0, 0.2  # times the usual share of counts, in the naive Bayes
Scores = np.ndarray


@dataclass(frozen=True)
class Given:
    """Counts and their logs [n, genes], the genes of each type, clusters and parts."""

    counts: sp.csr_matrix
    logs: sp.csc_matrix
    sets: Sequence[GeneSet]
    clusters: np.ndarray
    parts: np.ndarray


def ours(given: Given) -> Scores:
    """Return ScType's score, the parts of the data counting alike."""
    return by_cluster(given.logs, given.sets, given.clusters, given.parts)[given.clusters]


def all_cells_alike(given: Given) -> Scores:
    """Return ScType's score as published: mean and deviation of all cells."""
    one_part = np.zeros_like(given.parts)
    return by_cluster(given.logs, given.sets, given.clusters, one_part)[given.clusters]


def without_negatives(given: Given) -> Scores:
    """Return our score of the positive genes alone."""
    sets = [GeneSet(own.positive) for own in given.sets]
    return by_cluster(given.logs, sets, given.clusters, given.parts)[given.clusters]


def by_cluster(
    logs: sp.csc_matrix, sets: Sequence[GeneSet], clusters: np.ndarray, parts: np.ndarray
) -> Scores:
    """Return the product's scores of clusters."""
    return cluster_scores(lambda place: logs[:, place].toarray().ravel(), sets, clusters, parts)


def ucell(given: Given) -> Scores:
    """Return UCell's U statistic of the ranks in each cell (10.1016/j.csbj.2021.06.043)."""
    genes = sorted({place for own in given.sets for place in own.positive})
    levels = given.counts[:, genes].toarray()
    ranks = np.full(levels.shape, float(MOST_RANK))
    for row in range(len(levels)):
        own = np.sort(given.counts[[row]].data)
        above = own.size - np.searchsorted(own, levels[row], "right")
        equal = own.size - np.searchsorted(own, levels[row], "left")
        rank = np.minimum((above + equal + 1) / 2, MOST_RANK)
        ranks[row] = np.where(levels[row] > 0, rank, MOST_RANK)
    at = {place: column for column, place in enumerate(genes)}

    def score(own: GeneSet) -> np.ndarray:
        n = len(own.positive)
        least = n * (n + 1) / 2
        u = ranks[:, [at[place] for place in own.positive]].sum(axis=1) - least
        return 1 - u / (n * MOST_RANK - least)

    return averaged(np.stack([score(own) for own in given.sets], axis=1), given.clusters)


def module_score(given: Given) -> Scores:
    """Return the mean of the genes less that of others as high (Tirosh et al. 2016)."""
    import anndata
    import scanpy

    cells = anndata.AnnData(given.logs.tocsr())
    scores = []
    for own in given.sets:
        scanpy.tl.score_genes(cells, cells.var_names[list(own.positive)].tolist())
        scores.append(cells.obs["score"].to_numpy(copy=True))
    return averaged(np.stack(scores, axis=1), given.clusters)


def naive_bayes(given: Given) -> Scores:
    """Return log likelihoods of Poisson counts whose markers are 8 times as high as usual."""
    totals = np.asarray(given.counts.sum(axis=1)).ravel()
    genes = sorted({place for own in given.sets for place in (*own.positive, *own.negative)})
    levels = given.counts[:, genes].toarray()
    usual = levels.sum(axis=0) / totals.sum()
    times = np.ones((len(given.sets), len(genes)))
    at = {place: column for column, place in enumerate(genes)}
    for code, own in enumerate(given.sets):
        times[code, [at[place] for place in own.positive]] = HIGHER
        times[code, [at[place] for place in own.negative]] = LOWER
    scores = levels @ np.log(times).T - totals[:, None] * ((times - 1) @ usual)
    return averaged(scores, given.clusters)


def averaged(scores: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Return for each cell the mean of its cluster."""
    place = clusters, np.arange(len(clusters))
    members = sp.csr_matrix((np.ones(len(clusters)), place))
    return np.asarray((members @ scores) / members.sum(axis=1))[clusters]


METHODS: dict[str, Callable[[Given], Scores]] = {
    "ScType, parts alike (ours)": ours,
    "ScType, cells alike": all_cells_alike,
    "ours, positive genes alone": without_negatives,
    "AddModuleScore (scanpy)": module_score,
    "UCell": ucell,
    "naive Bayes": naive_bayes,
}
