import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.uncertainty import doublets
from scanvi_core.annotation.uncertainty.doublets import find_doublets, low_counts
from scanvi_core.datasets import simulate

ONE = np.zeros(1000, dtype=int)


def totals(sd=0.4, n=1000, seed=0):
    return 2000 * np.exp(np.random.default_rng(seed).normal(0, sd, n))


@pytest.mark.parametrize("sd", [0.2, 0.4, 0.6])
def test_cells_with_a_tenth_of_their_counts_are_found_and_ordinary_ones_left(sd):
    ordinary = totals(sd)
    ordinary[:50] *= 0.07
    found = low_counts(ordinary, ONE)
    assert found[:50].mean() >= 0.9 and found[50:].mean() <= 0.01


def test_each_batch_is_its_own_measure():
    shallow_and_deep = np.concatenate([totals(0.2), 20 * totals(0.2)])
    shallow_and_deep[1000:1020] *= 0.05  # as many counts as the cells of the shallow batch
    found = low_counts(shallow_and_deep, np.repeat([0, 1], 1000))
    assert found[1000:1020].all() and not found[:1000].any()


def test_a_tiny_batch_is_measured_by_all_cells():
    values = np.append(totals(), [20.0] * 5)
    assert low_counts(values, np.append(ONE, [1] * 5))[-5:].all()


def test_a_third_is_never_low_and_less_than_a_fifth_always():
    tight, wide = totals(0.05), totals(1.2)
    tight[0], wide[0] = np.median(tight) * 0.35, np.median(wide) * 0.19
    assert not low_counts(tight, ONE)[0] and low_counts(wide, ONE)[0]
    tight[0] = np.median(tight) * 0.32
    assert low_counts(tight, ONE)[0]


def spiked(n=500, n_doublets=40, seed=0):
    """Simulated cells of four types with sums of two cells of different types at the end."""
    cells = simulate(n, 200, 1, 4, random=np.random.default_rng(seed))
    x, y = cells.X, cells.labels[:, 0]
    random = np.random.default_rng(seed + 1)
    first = random.integers(0, n, n_doublets)
    second = np.array([random.choice(np.flatnonzero(y != y[i])) for i in first])
    counts = sparse.csr_array(np.concatenate([x, x[first] + x[second]]))
    return counts, np.append(y, y[first])


def test_most_doublets_of_two_types_are_found_and_few_others():
    counts, codes = spiked()
    found = find_doublets(counts, codes, np.random.default_rng(2))
    assert found.flagged[500:].mean() >= 0.75 and found.flagged[:500].mean() <= 0.15
    assert found.score[500:].mean() > found.score[:500].mean() + 0.3


def test_scores_are_shares_and_decide_who_is_flagged():
    counts, codes = spiked()
    found = find_doublets(counts, codes, np.random.default_rng(2))
    assert found.score.min() >= 0 and found.score.max() <= 1
    assert np.array_equal(found.flagged, found.score >= np.float32(found.threshold))


def test_the_number_of_simulated_doublets_does_not_move_the_scores(monkeypatch):
    counts, codes = spiked()
    means = []
    for per_cell in (1.0, 3.0):
        monkeypatch.setattr(doublets, "PER_CELL", per_cell)
        means.append(find_doublets(counts, codes, np.random.default_rng(2)).score[:500].mean())
    assert means[0] == pytest.approx(means[1], abs=0.08)


def test_the_same_draw_gives_the_same_scores():
    counts, codes = spiked()
    a, b = (find_doublets(counts, codes, np.random.default_rng(2)).score for _ in range(2))
    assert np.array_equal(a, b)


def test_cells_without_counts_and_data_of_one_type_have_no_doublets():
    counts, codes = spiked()
    counts = sparse.csr_array(
        sparse.vstack([counts, sparse.csr_array((3, 200), dtype=counts.dtype)])
    )
    codes = np.append(codes, [0, 0, -1])
    found = find_doublets(counts, codes, np.random.default_rng(2))
    assert not found.flagged[-3:].any() and (found.score[-3:] == 0).all()
    assert not find_doublets(counts, np.zeros_like(codes), np.random.default_rng(2)).flagged.any()


def test_a_handful_of_cells_is_not_judged():
    found = find_doublets(
        sparse.csr_array(np.ones((5, 9))), np.arange(5), np.random.default_rng(0)
    )
    assert not found.flagged.any()
