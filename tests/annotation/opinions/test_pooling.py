"""Witnesses beside a model: a good one helps, and a bad one changes nothing."""

import numpy as np
import pytest

from scanvi_core.annotation.opinions.pooling import Labels, learn, pool

K, N, SHOWN = 5, 4_000, 200


@pytest.fixture(params=range(3))
def random(request):
    return np.random.default_rng(request.param)


SHARES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
APART = 1.5  # how far the means of a type's signal and of the others' lie apart


@pytest.fixture
def truth(random):
    return random.choice(K, N, p=SHARES)


@pytest.fixture
def p(random, truth):
    """A calibrated model that is right of two cells in three."""
    signal = random.normal(size=(N, K))
    signal[np.arange(N), truth] += APART
    logs = APART * signal + np.log(SHARES)
    return np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)


def labels(truth, p, n=SHOWN, weight=1.0):
    known = np.where(np.arange(N) < n, truth, -1)
    return Labels(known, p, np.full(N, weight))


def accuracy(p, truth):
    return np.mean(p[SHOWN:].argmax(axis=1) == truth[SHOWN:])


def likelihood(p, truth):
    return np.log(p[np.arange(SHOWN, N), truth[SHOWN:]]).mean()


def bad_ones(truth, random):
    return {
        "random": random.permutation(truth),
        "any": random.integers(0, 40, N),
        "always": np.zeros(N, dtype=int),
        "quiet": np.full(N, -1),
    }


def test_a_good_witness_in_words_of_its_own_makes_the_model_right_more_often(random, truth, p):
    said = np.where(random.random(N) < 0.9, truth, random.integers(0, K, N))
    said = np.array([3, 0, 4, 1, 2])[said]
    (say,) = learn([said], [K], labels(truth, p))
    pooled = pool(p, [said], [say])
    assert say.weight > 0.5
    assert accuracy(pooled, truth) > accuracy(p, truth) + 0.1
    assert np.allclose(pooled.sum(axis=1), 1)


def test_a_bad_witness_does_no_harm(random, truth, p):
    for name, said in bad_ones(truth, random).items():
        says = learn([said], [40], labels(truth, p))
        pooled = pool(p, [said], says)
        assert says[0].weight == 0, name
        assert np.allclose(pooled, p), name


def test_one_that_says_what_the_model_says_loses_weight_and_hardly_harms(truth, p):
    said = p.argmax(axis=1)
    (say,) = learn([said], [K], labels(truth, p))
    assert say.weight < 0.4
    assert likelihood(pool(p, [said], [say]), truth) > likelihood(p, truth) - 0.03


def test_bad_witnesses_beside_a_good_one_take_nothing_from_it(random, truth, p):
    good = np.where(random.random(N) < 0.9, truth, random.integers(0, K, N))
    party = [good, *bad_ones(truth, random).values()]
    sizes = [K, *[40] * 4]
    alone = pool(p, [good], learn([good], [K], labels(truth, p)))
    together = pool(p, party, learn(party, sizes, labels(truth, p)))
    assert accuracy(together, truth) > accuracy(alone, truth) - 0.005


def test_few_labels_are_no_evidence(truth, p):
    (few,) = learn([truth], [K], labels(truth, p, n=9))
    (alike,) = learn([truth], [K], labels(truth, p, weight=0.04))  # eight decisions of 25 cells
    assert few.weight == alike.weight == 0
    assert np.allclose(pool(p, [truth], [few]), p)


def test_cells_of_which_nobody_was_asked_and_cells_without_probabilities_stay(truth, p):
    judged, lost = p.copy(), p.copy()
    judged[:50], lost[-1] = np.nan, np.nan
    (say,) = learn([truth], [K], labels(truth, judged))
    pooled = pool(lost, [truth], [say])
    assert say.weight > 0 and np.isnan(pooled[-1]).all() and np.isfinite(pooled[:-1]).all()
