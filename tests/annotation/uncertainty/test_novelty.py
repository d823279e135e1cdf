import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score

from scanvi_core.annotation.uncertainty import novelty
from scanvi_core.annotation.uncertainty.novelty import find_novel, neighbor_walk, reach, whitened

D = 10


def blobs(sizes=(150, 150, 150, 100), seed=0, spread=6.0):
    """Return points in blobs and which; the last blob is the new type."""
    random = np.random.default_rng(seed)
    which = np.repeat(np.arange(len(sizes)), sizes)
    return random.normal(0, spread, (len(sizes), D))[which] + random.normal(
        size=(len(which), D)
    ), which


def some_labels(which, known, per_type=15, seed=0):
    random = np.random.default_rng(seed)
    y = np.full(len(which), -1)
    for label in range(known):
        y[random.permutation(np.flatnonzero(which == label))[:per_type]] = label
    return y


def test_a_type_without_labels_is_found_and_others_are_not():
    points, which = blobs()
    y = some_labels(which, 3)
    found = find_novel(points, y, 3, np.random.default_rng(0))
    new = which == 3
    assert found.known and found.flagged[new].mean() > 0.9
    assert found.flagged[~new & (y < 0)].mean() < 0.1
    assert roc_auc_score(new[y < 0], found.score[y < 0]) > 0.98


def test_a_new_type_amid_the_parts_of_a_known_one_is_found_by_the_walk():
    points, which = blobs((120,) * 7, spread=8.0)
    around = np.random.default_rng(4).normal(0, 8, (4, D))
    points[which == 0] = np.random.default_rng(3).normal(size=(120, D))
    points[which == 0] += np.repeat(np.concatenate([around[:2], -around[:2]]), 30, axis=0)
    points[which == 6] = np.random.default_rng(5).normal(size=(120, D))  # the middle of type 0
    found = find_novel(points, some_labels(which, 6, 20), 6, np.random.default_rng(0))
    assert found.score[which == 6].mean() > found.score[which == 0].mean() + 0.2


def overlapping(seed=0):
    """Return six types that overlap two by two, in ten dimensions, and which; the last is new."""
    random = np.random.default_rng(seed)
    which = np.repeat(np.arange(6), 200)
    middles = random.normal(0, 6, (3, D))[np.arange(6) // 2]
    middles[1::2] += 2.5 * np.eye(3, D)
    return middles[which] + random.normal(size=(len(which), D)), which


def test_a_new_type_that_overlaps_with_a_known_one_is_found_where_labels_are_rare(monkeypatch):
    def area(seed):
        points, which = overlapping(seed)
        y = some_labels(which, 5, 20, seed)
        found = find_novel(points, y, 5, np.random.default_rng(0))
        return roc_auc_score(which[y < 0] == 5, found.score[y < 0])

    areas = np.mean([area(seed) for seed in range(3)])
    monkeypatch.setattr(novelty, "_unlabeled", lambda points, *_: np.zeros(len(points)))
    without = np.mean([area(seed) for seed in range(3)])
    assert areas > without + 0.01 and areas > 0.95, (areas, without)


def test_where_every_cell_has_a_label_each_is_judged():
    points, which = blobs()
    found = find_novel(points, which, 4, np.random.default_rng(0))
    assert found.known and np.isfinite(found.score).all()


def test_scores_are_shares_and_a_half_or_more_is_flagged():
    points, which = blobs(spread=1.5)
    found = find_novel(points, some_labels(which, 3), 3, np.random.default_rng(0))
    assert ((found.score > 0.5) & (found.score < 0.8)).sum() > 5
    assert found.score.min() >= 0 and found.score.max() <= 1
    assert np.array_equal(found.flagged, found.score >= 0.5)


def test_where_every_type_is_labeled_hardly_any_cell_is_novel():
    points, which = blobs()
    found = find_novel(points, some_labels(which, 4), 4, np.random.default_rng(0))
    assert found.flagged.mean() < 0.1


def test_labels_out_of_range_are_not_looked_at():
    points, which = blobs()
    y = some_labels(which, 3)
    clean = find_novel(points, y, 3, np.random.default_rng(0)).score
    y[np.flatnonzero(which == 3)[:20]] = 3  # known only as a group
    assert np.array_equal(find_novel(points, y, 3, np.random.default_rng(0)).score, clean)


@pytest.mark.parametrize(("types", "per_type"), [(1, 50), (3, 2), (2, 4), (6, 2)])
def test_with_too_few_labels_nothing_is_said(types, per_type):
    points, which = blobs((60,) * 7)
    found = find_novel(points, some_labels(which, types, per_type), 7, np.random.default_rng(0))
    assert not found.known and not found.flagged.any() and np.isnan(found.score).all()


def test_cells_without_counts_are_left_out():
    points, which = blobs()
    points = np.concatenate([points, np.full((2, D), np.nan)])
    y = np.append(some_labels(which, 3), [-1, -1])
    found = find_novel(points, y, 3, np.random.default_rng(0))
    assert np.isnan(found.score[-2:]).all() and not found.flagged[-2:].any()
    assert np.isfinite(found.score[:-2]).all()


def test_cells_beyond_the_graph_ask_their_neighbors(monkeypatch):
    points, which = blobs()
    y = some_labels(which, 3)
    full = find_novel(points, y, 3, np.random.default_rng(0))
    monkeypatch.setattr(novelty, "MAX_GRAPH_CELLS", 300)
    found = find_novel(points, y, 3, np.random.default_rng(0))
    assert np.isfinite(found.score).all()
    assert (found.flagged == full.flagged).mean() > 0.9


def test_cells_that_ask_within_their_region_hear_what_all_would_say(monkeypatch):
    """Whoever lies between two regions misses some of its nearest, and hears the next ones."""
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(1)
    points, _ = blobs((400,) * 6)
    order = random.permutation(len(points))
    chosen, rest = np.sort(order[:1000]), np.sort(order[1000:])
    score = 1 / (1 + np.exp(-points[:, 0]))  # changes from place to place
    near = NearestNeighbors(n_neighbors=novelty.N_ASKED).fit(points[chosen])
    exact = score[chosen][near.kneighbors(points[rest], return_distance=False)].mean(axis=1)
    monkeypatch.setattr(novelty, "N_REGIONS", 40)
    monkeypatch.setattr(novelty, "N_AROUND", 200)
    found = novelty._ask_neighbors(points, chosen, rest, score)
    assert np.corrcoef(found, exact)[0, 1] > 0.98
    assert np.abs(found - exact).mean() < 0.03


def test_the_walk_meets_the_goal_as_often_as_the_linear_equations_say():
    points, _ = blobs((40, 40))
    walk = neighbor_walk(points)
    goal = np.zeros((80, 2), dtype=bool)
    goal[:5, 0] = goal[40:44, 1] = True
    found = reach(walk, goal)
    dense = walk.toarray()
    assert np.allclose(dense.sum(1), 1)
    for j in range(2):
        out = ~goal[:, j]
        exact = np.ones(80)
        rest = np.eye(out.sum()) - 0.95 * dense[np.ix_(out, out)]
        exact[out] = np.linalg.solve(rest, 0.95 * dense[np.ix_(out, ~out)].sum(1))
        assert np.abs(found[:, j] - exact).max() < 0.2  # the walk is cut after 40 steps
        assert (found[:, j] <= exact + 1e-9).all()


def test_a_walk_between_separate_graphs_never_arrives():
    two = sparse.csr_array(sparse.block_diag([np.full((3, 3), 1 / 3)] * 2))
    goal = np.zeros((6, 1), dtype=bool)
    goal[0] = True
    found = reach(two, goal)[:, 0]
    assert found[0] == 1 and (found[1:3] > 0.8).all() and (found[3:] == 0).all()


def test_labeled_types_have_unit_spread_once_whitened():
    random = np.random.default_rng(0)
    y = np.arange(3000) % 3
    points = random.normal(0, 9, (3, 5))[y] + random.normal(size=(3000, 5)) * [0.5, 1, 2, 3, 1]
    white = whitened(points, y)
    around = np.concatenate([white[y == k] - white[y == k].mean(0) for k in range(3)])
    assert np.allclose(np.cov(around.T), np.eye(5), atol=0.1)
