"""Novelty in a batch that has no labels and stands apart from those that have some."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scanvi_core.annotation.uncertainty.batch_shifts import without_batch_shifts
from scanvi_core.annotation.uncertainty.novelty import find_novel

N_TYPES, N_NEW, N_CELLS, N_DIMENSIONS = 6, 5, 60, 20


@pytest.fixture
def query():
    """A labeled batch, and one without labels moved by type, with a type of its own.

    Returns points, batch, y, prediction (the new type is taken for the one nearest to it) and
    which cells are new.
    """
    random = np.random.default_rng(0)
    middles = random.normal(scale=6, size=(N_TYPES, N_DIMENSIONS))
    shift = 10 * np.eye(N_DIMENSIONS)[0] + random.normal(scale=2, size=(N_TYPES, N_DIMENSIONS))
    truth = np.repeat(np.arange(N_TYPES), N_CELLS)
    reference = middles[truth] + random.normal(size=(len(truth), N_DIMENSIONS))
    other = middles[truth] + shift[truth] + random.normal(size=(len(truth), N_DIMENSIONS))
    points = np.concatenate([reference, other])
    keep = np.concatenate([truth != N_NEW, np.ones(len(truth), bool)])
    batch = np.repeat([0, 1], len(truth))[keep]
    y = np.where(batch == 0, np.tile(truth, 2)[keep], -1)
    is_new = (batch == 1) & (np.tile(truth, 2)[keep] == N_NEW)
    nearest = int(((middles[:N_NEW] - middles[N_NEW]) ** 2).sum(axis=1).argmin())
    prediction = np.where(is_new, nearest, np.tile(truth, 2)[keep])
    return points[keep], batch, y, prediction, is_new


def scores(points, y):
    return find_novel(points, y, N_NEW, np.random.default_rng(0)).score


def test_known_types_of_the_batch_are_not_new_and_the_new_one_is(query):
    points, batch, y, prediction, is_new = query
    before, after = (
        scores(points, y),
        scores(without_batch_shifts(points, batch, y, prediction), y),
    )
    known = (batch == 1) & ~is_new
    assert (before[known] >= 0.5).mean() > 0.9  # all of the batch looked new
    assert (after[known] >= 0.5).mean() < 0.05
    assert roc_auc_score(is_new[batch == 1], after[batch == 1]) > 0.98


@pytest.mark.parametrize("n_named", [1, 5, 40])
def test_naming_a_few_cells_of_the_batch_does_not_make_the_others_look_new(query, n_named):
    points, batch, y, prediction, is_new = query
    known = np.flatnonzero((batch == 1) & ~is_new)
    named = np.random.default_rng(0).choice(known, n_named, replace=False)
    y[named] = prediction[named]
    after = scores(without_batch_shifts(points, batch, y, prediction), y)
    assert (after[np.setdiff1d(known, named)] >= 0.5).mean() < 0.05
    assert (after[is_new] >= 0.5).mean() > 0.8


def test_a_type_that_was_named_in_the_batch_is_moved_with_it(query):
    points, batch, y, prediction, is_new = query
    y[np.flatnonzero(is_new)[:20]] = N_NEW
    check = find_novel(
        without_batch_shifts(points, batch, y, prediction), y, N_NEW + 1, np.random.default_rng(0)
    )
    assert (check.score[batch == 1] >= 0.5).mean() < 0.05


def test_batches_that_are_labeled_as_often_as_others_stay_where_they_are(query):
    points, batch, y, prediction, _ = query
    half = (batch == 1) & (np.arange(len(y)) % 2 == 0)
    y = np.where(half, prediction, y)
    assert without_batch_shifts(points, batch, y, prediction) is points


def test_a_batch_that_lies_among_the_labeled_cells_is_not_moved(query):
    points, batch, y, prediction, _ = query
    there = np.flatnonzero(batch == 0)
    more = there[np.random.default_rng(0).permutation(there.size)[:200]]
    points, batch = np.concatenate([points, points[more]]), np.r_[batch, np.full(200, 2)]
    y, prediction = np.r_[y, np.full(200, -1)], np.r_[prediction, prediction[more]]
    moved = without_batch_shifts(points, batch, y, prediction)
    np.testing.assert_array_equal(moved[-200:], moved[more])


def test_cells_without_counts_and_batches_without_predictions_are_left(query):
    points, batch, y, prediction, _ = query
    points[-3:] = np.nan
    moved = without_batch_shifts(points, batch, y, np.full_like(prediction, -1))
    assert np.isnan(moved[-3:]).all() and np.isfinite(moved[:-3]).all()
