"""What a space keeps and mixes, against scikit-learn and spaces whose answer is known."""

import math

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances, silhouette_samples, silhouette_score

from scanvi_core.metrics.integration import conservation, mixing


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    types, batches = rng.integers(0, 3, 240), rng.integers(0, 2, 240)
    latent = rng.normal(size=(240, 5)) + 6 * np.eye(5)[types]
    return latent, types, batches


def neighbors(latent, k=15):
    distances = pairwise_distances(latent)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :k]


def test_the_distance_of_types_is_sklearns_silhouette_and_a_plain_count(cells):
    latent, types, _ = cells
    latent = latent + np.random.default_rng(1).normal(size=latent.shape) * 2
    found = conservation(latent, types)
    assert found.width == pytest.approx((silhouette_score(latent, types) + 1) / 2)
    same = (types[neighbors(latent)] == types[:, None]).mean(axis=1)
    assert found.neighbors == pytest.approx(np.mean([same[types == k].mean() for k in range(3)]))
    assert 0.4 < found.neighbors < 0.99


def test_a_small_type_is_asked_for_as_many_neighbors_as_it_has(cells):
    latent, types, _ = cells
    few = np.flatnonzero(types == 0)[:4]
    chosen = np.concatenate([few, np.flatnonzero(types > 0)])
    assert conservation(latent[chosen], types[chosen]).neighbors > 0.99
    lone = chosen[3:]  # one cell of the type: nothing to ask
    assert conservation(latent[lone], types[lone]).neighbors > 0.99


def test_mixing_matches_a_plain_count_within_each_type(cells):
    latent, types, batches = cells
    latent = latent + 0.8 * batches[:, None]
    widths, shares = [], []
    for k in range(3):
        x, b = latent[types == k], batches[types == k]
        widths.append((1 - np.abs(silhouette_samples(x, b))).mean())
        other = (b[neighbors(x)] != b[:, None]).mean()
        chance = np.mean([(b != one).sum() / (len(b) - 1) for one in b])
        shares.append(other / chance)
    found = mixing(latent, types, batches)
    assert found.width == pytest.approx(np.mean(widths))
    assert found.neighbors == pytest.approx(np.mean(shares))
    assert found.neighbors < 0.95


def test_mixed_batches_score_high_and_separate_ones_low(cells):
    latent, types, batches = cells
    well, apart = (
        mixing(latent, types, batches),
        mixing(latent + 20 * batches[:, None], types, batches),
    )
    assert well.neighbors > 0.9 and well.width > 0.9
    assert apart.neighbors == 0 and apart.width < 0.2


def test_separate_types_do_not_count_as_unmixed_batches(cells):
    latent, types, _ = cells
    confounded = np.where(types == 0, 0, np.arange(240) % 2)  # one type in one batch only
    assert mixing(latent, types, confounded).neighbors > 0.9


def test_cells_without_a_prediction_are_left_out_of_mixing(cells):
    latent, types, batches = cells
    gaps = np.where(np.arange(240) < 40, -1, types)
    assert mixing(latent, gaps, batches) == mixing(latent[40:], types[40:], batches[40:])


def test_nothing_to_measure_gives_no_number(cells):
    latent, types, batches = cells
    assert all(map(math.isnan, conservation(latent, np.zeros(240, int))))
    assert all(map(math.isnan, conservation(latent[:3], types[:3] * 0 + np.arange(3))))
    assert all(map(math.isnan, mixing(latent, types, np.zeros(240, int))))
    assert all(map(math.isnan, mixing(latent[:9], types[:9] * 0, batches[:9])))
