import numpy as np
import pytest

from scanvi_core.config import TrainConfig
from scanvi_core.train.sampler import EpochSampler, LabelledSampler, choose_validation


def one_pass(n, batch_size, seed=0):
    sampler = EpochSampler(n, batch_size, np.random.default_rng(seed))
    steps = TrainConfig(batch_size=batch_size).steps_per_epoch(n)
    return sampler, [sampler.take() for _ in range(steps)]


@pytest.mark.parametrize("n", [2, 7, 8, 9, 16, 17, 18, 100])
def test_every_cell_comes_once_in_the_planned_number_of_minibatches(n):
    _, batches = one_pass(n, 8)
    assert sorted(np.concatenate(batches)) == list(range(n))


@pytest.mark.parametrize("n", [9, 17, 25])
def test_a_lone_last_cell_joins_the_minibatch_before(n):
    _, batches = one_pass(n, 8)
    assert [len(b) for b in batches][-1] == 9


def test_the_next_pass_has_another_order():
    sampler, batches = one_pass(24, 8)
    again = [sampler.take() for _ in range(3)]
    assert sorted(np.concatenate(again)) == list(range(24))
    assert not np.array_equal(np.concatenate(again), np.concatenate(batches))


def test_labelled_cells_come_equally_often():
    rows = np.array([3, 5, 8, 13, 21])
    sampler = LabelledSampler(rows, 4, np.random.default_rng(0))
    taken = np.concatenate([sampler.take() for _ in range(5)])
    assert sorted(taken) == sorted(np.tile(rows, 4))


def test_two_labelled_cells_fill_a_minibatch():
    sampler = LabelledSampler(np.array([4, 9]), 64, np.random.default_rng(0))
    assert np.bincount(sampler.take()).tolist() == [0] * 4 + [32] + [0] * 4 + [32]


def test_validation_cells_come_from_well_filled_types_in_proportion():
    y = np.repeat([0, 1, 2, 3, -1], [100, 60, 9, 10, 500])
    chosen = choose_validation(y, 4, 0.1, np.random.default_rng(0))
    assert [int(chosen[y == k].sum()) for k in (0, 1, 2, 3, -1)] == [10, 6, 0, 1, 0]


def test_cells_known_only_by_group_are_never_validation_cells():
    y = np.repeat([0, 1, 2], [100, 100, 100])  # two types, group 0 has the code 2
    assert not choose_validation(y, 2, 0.1, np.random.default_rng(0))[y == 2].any()


def test_too_few_validation_cells_are_none():
    y = np.repeat([0, 1], [70, 70])
    assert not choose_validation(y, 2, 0.1, np.random.default_rng(0)).any()


def test_new_labels_hardly_change_which_cells_are_validation_cells():
    truth = np.random.default_rng(0).integers(0, 4, 2000)
    before, after = np.full(2000, -1), truth.copy()
    before[:1000], after[1200:] = truth[:1000], -1
    chosen, again = (
        choose_validation(y, 4, 0.1, np.random.default_rng(3)) for y in (before, after)
    )
    learnt = (before >= 0) & ~chosen
    assert (learnt & again).sum() <= 0.05 * again.sum()
