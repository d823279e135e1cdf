"""The review queue: who is grouped with whom, in which order, and how fast."""

import time

import numpy as np
import pytest
from scipy.stats import chisquare

from scanvi_core.annotation.review.doubt_groups import (
    CHECK_CELLS,
    FEW_LABELS,
    random_checks,
    review_queue,
)
from scanvi_core.annotation.review.grouping import (
    MAX_CELLS,
    MIN_CELLS,
    PART_CELLS,
    is_splittable,
    split_group,
)


def blobs(n, n_labels=6, *, sharpness=2.0, seed=0):
    """Cells around one center per label, with probabilities from their distances."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(scale=2.5, size=(n_labels, 8))
    truth = rng.integers(0, n_labels, n)
    z1 = (centers[truth] + rng.normal(size=(n, 8))).astype(np.float32)
    logits = -((z1[:, None] - centers) ** 2).sum(axis=2) / 2 / sharpness
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return z1, p / p.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("n", [5, 40, 700, 5_000])
def test_every_low_cell_is_in_exactly_one_group_and_no_other(n):
    z1, p, _ = blobs(n, sharpness=8.0)
    reviewable = np.arange(n) % 3 > 0 if n > 5 else np.ones(n, bool)
    rows = [row for group in review_queue(z1, p, reviewable) for row in group.rows]
    assert sorted(rows) == np.flatnonzero(reviewable & (p.max(axis=1) < 0.8)).tolist()
    assert rows


def test_groups_keep_to_their_sizes():
    z1, p, _ = blobs(20_000, sharpness=8.0)
    sizes = [len(g.rows) for g in review_queue(z1, p, np.ones(20_000, bool))]
    assert min(sizes) >= MIN_CELLS
    assert max(sizes) <= MAX_CELLS


def test_a_group_hesitates_between_the_same_labels():
    z1, p, _ = blobs(5_000, sharpness=8.0)
    for group in review_queue(z1, p, np.ones(5_000, bool)):
        first = p[group.rows].argmax(axis=1)
        assert (first == first[0]).all()
        assert first[0] in {code for code, _ in group.candidates}


def test_cells_of_a_group_are_alike():
    z1, p, _ = blobs(5_000, sharpness=8.0)
    low = np.flatnonzero(p.max(axis=1) < 0.8)
    within = sum(
        ((z1[g.rows] - z1[g.rows].mean(0)) ** 2).sum() for g in review_queue(z1, p, p[:, 0] > -1)
    )
    first = p[low].argmax(axis=1)
    by_guess = sum(
        ((z1[low][first == k] - z1[low][first == k].mean(0)) ** 2).sum() for k in np.unique(first)
    )
    assert within < 0.75 * by_guess


def test_the_order_is_by_expected_wrong_cells():
    z1, p, _ = blobs(3_000, sharpness=8.0)
    groups = review_queue(z1, p, np.ones(3_000, bool))
    gains = [float((1 - p[g.rows].max(axis=1)).sum()) for g in groups]
    np.testing.assert_allclose([g.gain for g in groups], gains)
    assert gains == sorted(gains, reverse=True)


def test_a_type_with_few_labels_counts_twice():
    z1, p, truth = blobs(3_000, sharpness=8.0)
    open_ = np.arange(3_000) % 10 > 0
    known = np.where(open_, -1, truth)
    known[np.flatnonzero(known == 2)[FEW_LABELS - 1 :]] = -1
    known[np.flatnonzero(known == 3)[FEW_LABELS:]] = -1  # just enough
    groups = review_queue(z1, p, open_, known=known)
    worth = [g.gain * (2 if g.candidates[0][0] == 2 else 1) for g in groups]
    assert worth == sorted(worth, reverse=True)
    assert [g.key for g in groups] != [g.key for g in review_queue(z1, p, open_)]


def test_candidates_are_the_mean_probabilities():
    z1, p, _ = blobs(500, sharpness=8.0)
    group = review_queue(z1, p, np.ones(500, bool))[0]
    mean = p[group.rows].mean(axis=0)
    assert [code for code, _ in group.candidates] == np.argsort(-mean)[:4].tolist()
    np.testing.assert_allclose([v for _, v in group.candidates], np.sort(mean)[::-1][:4])


def test_equal_inputs_give_equal_queues():
    z1, p, _ = blobs(3_000, sharpness=8.0)
    one, two = (review_queue(z1.copy(), p.copy(), np.ones(3_000, bool)) for _ in range(2))
    assert [g.key for g in one] == [g.key for g in two]
    assert len({g.key for g in one}) == len(one)


def test_confident_cells_follow_when_more_items_are_wanted():
    z1, p, _ = blobs(2_000)
    low = review_queue(z1, p, np.ones(2_000, bool))
    more = review_queue(z1, p, np.ones(2_000, bool), max_items=len(low) + 3)
    assert [g.key for g in more[:-3]] == [g.key for g in low]
    assert all(p[g.rows].max(axis=1).min() >= 0.8 for g in more[-3:])
    assert [g.key for g in review_queue(z1, p, np.ones(2_000, bool), max_items=2)] == [
        g.key for g in low[:2]
    ]


def test_cells_without_counts_and_empty_input():
    z1, p, _ = blobs(30, sharpness=8.0)
    p[:4] = np.nan
    rows = {r for g in review_queue(z1, p, np.ones(30, bool), threshold=1.1) for r in g.rows}
    assert rows == set(range(4, 30))
    assert review_queue(z1, p, np.zeros(30, bool), max_items=9) == []


def test_two_labels_are_enough():
    z1, p, _ = blobs(60, 2, sharpness=50.0)
    groups = review_queue(z1, p, np.ones(60, bool))
    assert {len(g.candidates) for g in groups} == {2}


def test_a_hundred_thousand_cells_take_seconds():
    z1, p, _ = blobs(100_000, 20, sharpness=30.0)
    start = time.process_time()
    groups = review_queue(z1, p, np.ones(100_000, bool))
    assert time.process_time() - start < 15  # about 0.2 s; wide, for busy machines
    assert sum(len(g.rows) for g in groups) == (p.max(axis=1) < 0.8).sum() > 30_000


def test_random_checks_draw_every_sure_cell_equally_often_and_show_its_like():
    random = np.random.default_rng(0)
    z1 = random.normal(size=(60, 2)).astype(np.float32)
    p = np.full((60, 2), 0.05)
    p[np.arange(60), np.arange(60) % 2] = 0.95
    sure = np.arange(60) < 50
    drawn = [
        group.drawn for seed in range(500) for group in random_checks(z1, p, sure, n=4, seed=seed)
    ]
    often = np.bincount(drawn, minlength=60)
    assert often[50:].sum() == 0
    assert chisquare(often[:50]).pvalue > 1e-3
    for group in random_checks(z1, p, sure, n=4):
        like = np.flatnonzero(sure & (np.arange(60) % 2 == group.drawn % 2))
        near = like[np.argsort(((z1[like] - z1[group.drawn]) ** 2).sum(1))[:CHECK_CELLS]]
        assert np.array_equal(group.rows, np.sort(near))


def test_a_mixed_group_is_split_where_it_is_mixed():
    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(200)[:60])
    z1 = random.normal(size=(200, 4)).astype(np.float32)
    far = rows[random.permutation(60)[:24]]
    z1[far] += 20
    parts = split_group(rows, z1)
    assert 2 <= len(parts) <= 4
    assert np.array_equal(np.sort(np.concatenate(parts)), rows)
    assert all(np.isin(part, far).all() or not np.isin(part, far).any() for part in parts)
    assert [len(part) for part in parts] == sorted(map(len, parts), reverse=True)


def test_cells_in_one_place_are_split_too_and_few_cells_are_not():
    z1 = np.zeros((40, 3), dtype=np.float32)
    assert [len(part) for part in split_group(np.arange(40), z1)] == [20, 20]
    few = np.arange(2 * PART_CELLS - 1)
    assert not is_splittable(few)
    assert [part.tolist() for part in split_group(few, z1)] == [few.tolist()]
