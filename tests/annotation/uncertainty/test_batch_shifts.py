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


def test_cells_of_labeled_batches_stay_where_they_are(query):
    points, batch, y, prediction, _ = query
    y = np.where((batch == 1) & (prediction == 0), 0, y)
    assert without_batch_shifts(points, batch, y, prediction) is points


def test_cells_without_counts_and_batches_without_predictions_are_left(query):
    points, batch, y, prediction, _ = query
    points[-3:] = np.nan
    moved = without_batch_shifts(points, batch, y, np.full_like(prediction, -1))
    assert np.isnan(moved[-3:]).all() and np.isfinite(moved[:-3]).all()
