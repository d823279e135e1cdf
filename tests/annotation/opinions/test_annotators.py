"""What witnesses say together: simulated ones, of whom some are right and some are not."""

import numpy as np
import pytest

from scanvi_core.annotation.opinions import annotators
from scanvi_core.annotation.opinions.annotators import joint

K, N = 6, 3_000
NONE = np.full(N, -1)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def truth(random):
    return random.choice(K, N, p=[0.4, 0.2, 0.2, 0.1, 0.06, 0.04])


def says(truth, right, random):
    """Return what a witness says that is right so often, and else names any type."""
    return np.where(random.random(N) < right, truth, random.integers(0, K, N))


def right(found, truth):
    return np.mean(found.of(np.arange(N)).argmax(axis=1) == truth)


def one_of_each(truth):
    known = NONE.copy()
    for code in range(K):
        known[np.flatnonzero(truth == code)[0]] = code
    return known


def test_three_together_are_right_more_often_than_the_best_of_them(random, truth):
    said = np.column_stack([says(truth, share, random) for share in (0.8, 0.75, 0.7)])
    assert right(joint(said, K, NONE), truth) > max((said == truth[:, None]).mean(axis=0)) + 0.02


def test_one_label_of_each_type_tells_who_is_to_be_trusted(random, truth):
    bad = [random.permutation(truth), np.zeros(N, dtype=int), (truth + 1) % K]
    said = np.column_stack([says(truth, 0.9, random), *bad])
    found = joint(said, K, one_of_each(truth))
    assert found.knows[0] > max(found.knows[1:]) + 0.3
    assert right(found, truth) > 0.9 * np.mean(said[:, 0] == truth)


def test_a_lone_witness_is_believed_until_labels_contradict_it(truth):
    wrong = (truth + 1) % K
    assert right(joint(wrong[:, None], K, NONE), wrong) == 1.0
    known = np.where(np.arange(N) < 60, truth, -1)
    found = joint(wrong[:, None], K, known)
    assert found.knows[0] < 0.1 and right(found, truth) > 0.9


def test_labels_are_the_truth_of_their_cells_and_silence_is_no_word(truth):
    said = np.where(np.arange(N)[:, None] % 2, -1, truth[:, None])
    known = NONE.copy()
    known[0] = (truth[0] + 1) % K
    found = joint(said, K, known)
    assert found.of(np.array([0]))[0, known[0]] == 1.0
    quiet = found.of(np.array([1, 3]))
    assert np.allclose(quiet[0], quiet[1]) and quiet.max() < 0.8


def test_cells_of_one_decision_count_as_they_are_weighed(random, truth):
    said = says(truth, 0.9, random)[:, None]
    wrong = np.where(np.arange(N) < 100, (said[:, 0] + 1) % K, -1)  # one decision of 100 cells
    as_one = joint(said, K, wrong, np.full(N, 0.01))
    as_all = joint(said, K, wrong)
    assert as_one.knows[0] > 0.4 > 0.2 > as_all.knows[0]


def test_of_many_cells_some_are_learned_from_and_the_others_are_told_as_well(random, monkeypatch):
    truth = random.choice(K, 40 * N)
    said = [np.where(random.random(40 * N) < right, truth, random.integers(0, K, 40 * N))
            for right in (0.8, 0.7, 0.6)]  # fmt: skip
    known = np.full(40 * N, -1)
    known[-60:] = truth[-60:]
    tables = []
    rows = annotators._rows
    monkeypatch.setattr(
        annotators, "_rows", lambda table, *rest: tables.append(table) or rows(table, *rest)
    )
    found = joint(np.column_stack(said), K, known)
    (table,) = tables
    assert len(table) == annotators.MOST_CELLS and (table[:, -1] >= 0).sum() == 60
    told = found.of(np.arange(500)).argmax(axis=1)
    assert np.mean(told == truth[:500]) > 0.87


def test_many_labels_weigh_as_much_when_some_of_them_are_drawn(random):
    truth = random.choice(K, 40 * N)
    known = np.where(np.arange(40 * N) < 20 * N, truth, -1)
    drawn, more = annotators._drawn(known)
    n_labels = (known[drawn] >= 0).sum()
    assert len(drawn) == annotators.MOST_CELLS and 0 < n_labels < len(drawn)
    assert n_labels * more == pytest.approx(20 * N)
