"""Which cells are unlike every labeled cell: perhaps a type nobody has named.

A model that was shown only the known types lays unknown cells among them, so novelty is judged in
principal components, which know no labels, by three signs: how hard it is to walk from a cell to a
labeled one along nearest neighbors, how far the cell is from the middle of every type, and how
rare labels are in its direction. What these signs look like for a new type is learned from the
labeled types, by forgetting each in turn.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scanvi_core.annotation.model.out_of_fold import N_FOLDS, stratified_folds

N_NEIGHBORS = 15
GO_ON = 0.95  # a walk ends at each step with probability 1 - GO_ON
N_STEPS = 40
LABELED_C = 0.01  # inverse strength of the penalty where labeled cells are told from others
SMOOTHING = 2  # steps to neighbors that its word is averaged over
MAX_GRAPH_CELLS = 20_000  # cells that are walked over; others ask their neighbors among them
N_ASKED = 5
N_REGIONS = 150  # in which others ask, each
N_AROUND = 2_000  # of the cells that are walked over
MIN_TYPE_CELLS = 3  # labeled cells of a type that can be forgotten
MIN_CELLS = 10  # labeled cells, of two such types at least; with fewer nothing is known
NOVEL_FROM = 0.5  # score of a cell that is called novel
FLOOR = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class NoveltyCheck:
    """How new each cell looks.

    Parameters
    ----------
    score
        From 0 to 1 [n]: the probability that the cell is of a new type if half of all were. NaN
        without counts, and everywhere when `known` is False.
    flagged
        Whether the score is 0.5 or more [n].
    known
        False where there are too few labeled cells to know what a new type would look like.
    """

    score: np.ndarray
    flagged: np.ndarray
    known: bool


def find_novel(
    points: np.ndarray, y: np.ndarray, n_labels: int, random: np.random.Generator
) -> NoveltyCheck:
    """Score how unlike every labeled cell each cell is.

    Parameters
    ----------
    points
        Principal components of all cells [n, d], found without labels; rows of NaN (cells without
        counts) are left out.
    y
        Label codes [n] that may be looked at; cells below 0 or from `n_labels` on have none.
    n_labels
        Number of types.
    random
        Deals the labeled cells into folds, and chooses the cells walked over where there are
        more than 20,000.

    Notes
    -----
    The components are scaled so that the labeled types have unit spread (pooled within types,
    covariance by Ledoit and Wolf 2004, 10.1016/S0047-259X(03)00096-4), and joined to a graph of 15
    nearest neighbors. The first sign is -log of the probability that a random walk, which ends at
    each step with probability 0.05, meets a labeled cell; the second the log distance to the
    nearest type, averaged over the neighbors; the third the log odds, by a logistic regression,
    that a cell is not labeled (Elkan and Noto 2008, 10.1145/1401890.1401920: of every known type
    some cells are labeled, of a new one none), averaged over two steps to neighbors. A logistic
    regression weighs them: labeled cells whose whole type was forgotten against labeled cells
    whose fold was forgotten.

    The third sign finds types that overlap with known ones. It takes the labeled cells of a type
    for a draw from it; where a type has many times the share of labels of another, it misleads.
    """
    score = np.full(len(points), np.nan, dtype=np.float32)
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    y = np.where((y >= 0) & (y < n_labels), y, -1)
    chosen = _landmarks(rows, y, random)
    shown = y[chosen]
    sizes = np.bincount(shown[shown >= 0], minlength=n_labels)
    types = np.flatnonzero(sizes >= MIN_TYPE_CELLS)
    if len(types) < 2 or sizes.sum() < MIN_CELLS:
        return NoveltyCheck(score, np.zeros(len(points), dtype=bool), False)
    near = whitened(np.asarray(points[chosen], dtype=np.float64), shown)
    walk = neighbor_walk(near)
    signs, new = _signs_by_forgetting(near, walk, shown, types, random)
    score[chosen] = _weigh(signs, new, _signs(near, walk, [shown])[0])
    rest = np.setdiff1d(rows, chosen)
    if len(rest):
        score[rest] = _ask_neighbors(points, chosen, rest, score)
    return NoveltyCheck(score, np.nan_to_num(score) >= NOVEL_FROM, True)


def whitened(points: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return points [n, d] scaled so that cells spread by 1 around the middle of their type."""
    from sklearn.covariance import ledoit_wolf

    types = np.unique(y[y >= 0])
    around = [points[y == label] - points[y == label].mean(axis=0) for label in types]
    within, _ = ledoit_wolf(np.concatenate(around), assume_centered=True)
    values, axes = np.linalg.eigh(within)
    return (points @ axes) / np.sqrt(np.maximum(values, FLOOR * values.max() + FLOOR))


def neighbor_walk(points: np.ndarray) -> sparse.csr_array:
    """Return the steps of a random walk [n, n]: evenly to each neighbor, either way round."""
    from sklearn.neighbors import NearestNeighbors

    k = min(N_NEIGHBORS, len(points) - 1)
    graph = NearestNeighbors(n_neighbors=k).fit(points).kneighbors_graph()
    both = sparse.csr_array(graph.maximum(graph.T))
    return sparse.csr_array(sparse.diags_array(1.0 / both.sum(axis=1)) @ both)


def reach(walk: sparse.csr_array, goal: np.ndarray) -> np.ndarray:
    """Return the probability [n, m] that a dying walk meets a cell of each of m goals [n, m]."""
    there = goal.astype(np.float64)
    reached = there.copy()
    for _ in range(N_STEPS):
        reached = np.maximum(there, GO_ON * (walk @ reached))
    return reached


def _landmarks(rows: np.ndarray, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the cells to walk over: all if not too many, else a draw, half of it labeled."""
    if len(rows) <= MAX_GRAPH_CELLS:
        return rows
    order = random.permutation(rows)
    labeled = order[y[order] >= 0][: MAX_GRAPH_CELLS // 2]
    others = order[y[order] < 0][: MAX_GRAPH_CELLS - len(labeled)]
    return np.sort(np.concatenate([labeled, others]))


def _signs(
    points: np.ndarray, walk: sparse.csr_array, shown: list[np.ndarray]
) -> list[np.ndarray]:
    """Return the signs [n, 3] of every cell for each list of the labels that are shown."""
    chances = reach(walk, np.stack([y >= 0 for y in shown], axis=1))
    signs = []
    for y, chance in zip(shown, chances.T, strict=True):
        types = np.unique(y[y >= 0])
        middles = np.stack([points[y == label].mean(axis=0) for label in types])
        squares = (points**2).sum(axis=1)[:, None] - 2 * points @ middles.T
        nearest = np.maximum((squares + (middles**2).sum(axis=1)).min(axis=1), FLOOR)
        far, away = -np.log(np.maximum(chance, FLOOR)), walk @ (0.5 * np.log(nearest))
        signs.append(np.column_stack([far, away, _unlabeled(points, walk, y >= 0)]))
    return signs


def _unlabeled(points: np.ndarray, walk: sparse.csr_array, labeled: np.ndarray) -> np.ndarray:
    """Return the log odds [n] that a cell like this has no label; 0 where all have one."""
    from sklearn.linear_model import LogisticRegression

    if labeled.all():
        return np.zeros(len(points))
    # many cells, few components: Newton's steps are few, and each costs as much as one of L-BFGS
    model = LogisticRegression(C=LABELED_C, solver="newton-cholesky").fit(points, ~labeled)
    odds = model.decision_function(points)
    for _ in range(SMOOTHING):
        odds = walk @ odds
    return np.asarray(odds)


def _signs_by_forgetting(
    points: np.ndarray,
    walk: sparse.csr_array,
    y: np.ndarray,
    types: np.ndarray,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the signs [m, 3] of forgotten labeled cells, and which stand for a new type [m]."""
    fold = stratified_folds(y, int(y.max()) + 1, random)
    hidden = [y == label for label in types] + [fold == k for k in range(N_FOLDS)]
    is_type = [True] * len(types) + [False] * N_FOLDS
    signs = _signs(points, walk, [np.where(own, -1, y) for own in hidden])
    forgotten = [sign[own] for sign, own in zip(signs, hidden, strict=True)]
    new = [np.full(int(own.sum()), kind) for own, kind in zip(hidden, is_type, strict=True)]
    return np.concatenate(forgotten), np.concatenate(new)


def _weigh(signs: np.ndarray, new: np.ndarray, asked: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    middle, spread = signs.mean(axis=0), signs.std(axis=0) + FLOOR
    model = LogisticRegression().fit((signs - middle) / spread, new)
    return model.predict_proba((asked - middle) / spread)[:, 1]


def _ask_neighbors(
    points: np.ndarray, chosen: np.ndarray, rest: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Return the mean score [m] of the nearest cells that were walked over, for the other cells.

    They are looked for among the 2,000 around the middle of the region, the nearest of 150 cells:
    a tenth of the work, for nearly the same neighbors.
    """
    from sklearn.neighbors import NearestNeighbors

    near = points[chosen]
    middles = near[:: max(1, len(near) // N_REGIONS)]
    around = NearestNeighbors(n_neighbors=min(N_AROUND, len(near))).fit(near)
    candidates = around.kneighbors(middles, return_distance=False)
    regions = NearestNeighbors(n_neighbors=1).fit(middles)
    region = regions.kneighbors(points[rest], return_distance=False)[:, 0]
    asked = np.empty(len(rest))
    for k in np.unique(region):
        own, cells = np.flatnonzero(region == k), chosen[candidates[k]]
        search = NearestNeighbors(n_neighbors=N_ASKED).fit(points[cells])
        found = search.kneighbors(points[rest[own]], return_distance=False)
        asked[own] = score[cells][found].mean(axis=1)
    return asked
