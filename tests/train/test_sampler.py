import numpy as np
import pytest
import torch

from scanvi_core.config import TrainConfig, replace
from scanvi_core.train import loop, sampler
from scanvi_core.train.history import Hooks
from scanvi_core.train.sampler import (
    BlockSampler,
    EpochSampler,
    LabeledSampler,
    choose_validation,
)
from scanvi_core.train.training import Training

# Three types of 40, 7 and 1 cells, and 2 cells of a group (code 3), shuffled among each other.
CODES = np.random.default_rng(5).permutation(np.repeat([0, 1, 2, 3], [40, 7, 1, 2]))


def balanced(batch_size, seed=0):
    rows = 100 + np.arange(len(CODES))
    return LabeledSampler(rows, batch_size, np.random.default_rng(seed), CODES)


def types_of(rows):
    return np.bincount(CODES[rows - 100], minlength=4)


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


def test_labeled_cells_come_equally_often():
    rows = np.array([3, 5, 8, 13, 21])
    sampler = LabeledSampler(rows, 4, np.random.default_rng(0))
    taken = np.concatenate([sampler.take() for _ in range(5)])
    assert sorted(taken) == sorted(np.tile(rows, 4))


def test_two_labeled_cells_fill_a_minibatch():
    sampler = LabeledSampler(np.array([4, 9]), 64, np.random.default_rng(0))
    assert np.bincount(sampler.take()).tolist() == [0] * 4 + [32] + [0] * 4 + [32]


@pytest.mark.parametrize("batch_size", [3, 4, 10, 64])
def test_balanced_types_differ_by_one_cell_at_most_in_every_minibatch_and_in_all(batch_size):
    sampler, total = balanced(batch_size), np.zeros(4, dtype=int)
    for _ in range(25):
        counts = types_of(sampler.take())
        total += counts
        assert counts.sum() == batch_size
        assert np.ptp(counts) <= 1
        assert np.ptp(total) <= 1


def test_balanced_cells_of_a_type_come_equally_often_and_are_reshuffled():
    sampler = balanced(4)
    taken = np.concatenate([sampler.take() for _ in range(21)])
    seven = taken[CODES[taken - 100] == 1].reshape(3, 7)
    assert (np.sort(seven) == 100 + np.flatnonzero(CODES == 1)).all()
    assert len(np.unique(seven, axis=0)) == 3


def test_a_type_of_one_cell_takes_its_full_turn():
    (only,) = 100 + np.flatnonzero(CODES == 2)
    assert (balanced(64).take() == only).sum() == 16


def test_a_balanced_sampler_goes_on_from_its_state():
    before = balanced(11)
    for _ in range(3):
        before.take()
    state = before.state()
    after = balanced(11, seed=9)
    after.restore(state)
    after.random.bit_generator.state = before.random.bit_generator.state
    for _ in range(10):
        assert np.array_equal(after.take(), before.take())


@pytest.mark.parametrize("balance", [True, False])
def test_training_balances_the_types_when_asked(balance, data, make_module):
    rare = replace(data, y=np.where((data.y == 2) & (np.arange(129) > 9), -1, data.y))
    config = TrainConfig(labeled_batch_size=12, balance_labels=balance, device="cpu")
    labeled = Training(make_module(), rare, config, 20).labeled
    taken = rare.y[np.concatenate([labeled.take() for _ in range(10)])]
    assert (np.bincount(taken).tolist() == [40, 40, 40]) is balance


def test_a_balanced_run_taken_up_again_equals_an_unbroken_one(
    data, make_module, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    config = TrainConfig(batch_size=32, labeled_batch_size=16, balance_labels=True, device="cpu")
    whole, broken, resumed = make_module(), make_module(), make_module()
    loop.fit(whole, data, config, n_steps=20, hooks=Hooks())
    path, steps = tmp_path / "run.safetensors", iter(range(1, 100))
    stop = Hooks(should_stop=lambda: next(steps) == 9)
    loop.fit(broken, data, config, n_steps=20, hooks=stop, checkpoint=path)
    assert path.exists()
    loop.fit(resumed, data, config, n_steps=20, hooks=Hooks(), checkpoint=path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(sampler, "BLOCK_ROWS", 16)
    monkeypatch.setattr(sampler, "POOL_ROWS", 64)


# One cell; less than a block, a pool; whole blocks and pools; a lone last cell after each of them.
SIZES = [
    1,
    2,
    7,
    8,
    9,
    16,
    17,
    34,
    63,
    64,
    65,
    67,
    80,
    81,
    96,
    97,
    100,
    128,
    129,
    137,
    192,
    193,
    1_000,
    1_001,
]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("batch_size", [8, 9, 33])
def test_every_stored_cell_comes_once_per_pass_in_the_planned_minibatches(
    small_blocks, n, batch_size
):
    cells = BlockSampler(n, batch_size, 0)
    for _ in range(3):
        n_steps = TrainConfig(batch_size=batch_size).steps_per_epoch(n)
        batches = [cells.take() for _ in range(n_steps)]
        assert sorted(np.concatenate(batches)) == list(range(n))
        assert all(len(batch) == batch_size for batch in batches[:-1])


@pytest.mark.parametrize("n", SIZES)
def test_the_cells_of_a_minibatch_lie_in_the_blocks_of_one_pool_that_was_foretold(small_blocks, n):
    cells = BlockSampler(n, 8, 0)
    here, after = cells.blocks(), cells.blocks(1)
    for _ in range(3 * TrainConfig(batch_size=8).steps_per_epoch(n)):
        rows, blocks = cells.take(), cells.blocks()
        inside = (rows[:, None] >= blocks[:, 0]) & (rows[:, None] < blocks[:, 1])
        assert (inside.sum(axis=1) == 1).all()
        assert len(blocks) <= 4
        assert (np.diff(rows) > 0).all()
        assert np.array_equal(blocks, here) or np.array_equal(blocks, after)
        here, after = blocks, cells.blocks(1)


def test_a_minibatch_takes_equally_many_cells_of_every_block_of_its_pool(small_blocks):
    cells = BlockSampler(16 * 40, 8, 0)
    for _ in range(80):
        rows = cells.take()
        blocks = np.searchsorted(cells.blocks()[:, 0], rows, side="right")
        assert np.bincount(blocks)[1:].tolist() == [2] * 4


def test_passes_differ_and_a_pass_depends_on_the_seed_and_its_number_alone(small_blocks):
    def passes(seed):
        cells = BlockSampler(200, 8, seed)
        return [[cells.take() for _ in range(25)] for _ in range(2)]

    (first, second), (again, _), (other, _) = passes(3), passes(3), passes(4)
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, second))
    assert not any(map(np.array_equal, first, other))


def test_blocks_are_dealt_anew_for_every_pass(small_blocks):
    cells = BlockSampler(16 * 40, 8, 0)
    pools = {tuple(cells.blocks(ahead)[:, 0]) for ahead in range(30)}
    assert cells.n_pools == 10 and len(pools) == 30


def test_pairs_of_neighboring_stored_cells_meet_no_more_often_than_others(small_blocks):
    """Within a block, which cells share a minibatch is by chance."""
    met = np.zeros((16, 16))
    cells = BlockSampler(16 * 8, 8, 0)
    for _ in range(16 * 400):
        rows = cells.take()
        own = rows[rows < 16]
        met[np.ix_(own, own)] += 1
    pairs = met[np.triu_indices(16, 1)]
    assert pairs.min() > 0.3 * pairs.mean() and pairs.max() < 2 * pairs.mean()


@pytest.mark.parametrize("n_taken", [0, 1, 8, 24, 25, 26, 60])
def test_a_block_sampler_goes_on_from_its_state(small_blocks, n_taken):
    before, after = BlockSampler(200, 8, 5), BlockSampler(200, 8, 5)
    for _ in range(n_taken):
        before.take()
    after.restore(before.state())
    for _ in range(40):
        assert np.array_equal(after.take(), before.take())
        assert np.array_equal(after.blocks(1), before.blocks(1))


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
    learned = (before >= 0) & ~chosen
    assert (learned & again).sum() <= 0.05 * again.sum()
