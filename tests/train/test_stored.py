"""Training on counts that stay in a store gives what the same rows in memory give."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.config import TrainConfig, replace
from scanvi_core.data.collection import counts as collection_counts
from scanvi_core.data.collection.counts import StoredCounts
from scanvi_core.nn.sparse import SparseRows
from scanvi_core.train import loader, loop, sampler, stored
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import blocks, rows_of
from scanvi_core.train.sampler import BlockSampler
from scanvi_core.train.stored import StoredRows, few_enough
from scanvi_core.train.training import Training
from tests import ROOT

CPU = torch.device("cpu")
N_OBS = 5_003


class InMemory:
    """Rows in memory, read as a store is; remembers which were read."""

    def __init__(self, counts):
        self.counts, self.shape, self.read_rows = counts, counts.shape, []

    def read(self, runs):
        self.read_rows.append(np.concatenate([np.arange(run.start, run.stop) for run in runs]))
        return sparse.csr_array(sparse.vstack([self.counts[run] for run in runs], format="csr"))


@pytest.fixture
def small(monkeypatch):
    """Blocks of 32 rows, pools of 256: the counts of 129 or 5,003 cells make several."""
    monkeypatch.setattr(sampler, "BLOCK_ROWS", 32)
    monkeypatch.setattr(stored, "BLOCK_ROWS", 32)
    monkeypatch.setattr(sampler, "POOL_ROWS", 256)
    monkeypatch.setattr(collection_counts, "GAP", 4)


@pytest.fixture
def counts():
    dense = np.random.default_rng(0).poisson(0.5, (N_OBS, 12)).astype(np.float32)
    dense[:, 0] += np.arange(N_OBS)  # every row is another
    return sparse.csr_array(dense)


def dense(x):
    return x.dense().numpy() if isinstance(x, SparseRows) else x.numpy()


def follow(counts, batch_size=32, part=(0, 1), seed=0):
    rows = StoredRows(StoredCounts(InMemory(counts)), CPU)
    cells = BlockSampler(counts.shape[0], batch_size, seed)
    rows.follow(cells.blocks, part)
    return cells, rows


@pytest.mark.parametrize("rows", [[5_002, 5, 5, 0, 700], [9], list(range(1_000, 1_100))])
@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_any_rows_can_be_fetched_in_any_order(counts, small, rows, kind):
    source = rows_of(StoredCounts(InMemory(counts)), CPU)
    assert isinstance(source, StoredRows)
    for _ in range(2):
        assert np.array_equal(dense(source.fetch(kind(rows))), counts[rows].toarray())


@pytest.mark.parametrize("batch_size", [32, 24, 100])
def test_every_minibatch_holds_the_counts_of_its_rows(counts, small, batch_size):
    cells, rows = follow(counts, batch_size)
    for _ in range(2 * N_OBS // batch_size):
        taken = cells.take()
        assert np.array_equal(dense(rows.fetch(taken)), counts[taken].toarray())


def test_a_pass_reads_every_block_once(counts, small):
    cells, rows = follow(counts)
    n_steps = TrainConfig(batch_size=32).steps_per_epoch(N_OBS)
    for _ in range(n_steps):
        rows.fetch(cells.take())
    rows._ahead[1].result()  # the first pool of the next pass
    ahead = np.concatenate([np.arange(*block) for block in cells.blocks(1)])
    read = np.sort(np.concatenate(rows.counts.reader.read_rows))
    assert np.array_equal(read, np.sort(np.append(np.arange(N_OBS), ahead)))


@pytest.mark.parametrize("size", [2, 3])
def test_processes_read_their_part_of_the_blocks_and_together_the_same_minibatches(
    counts, small, size
):
    team = [follow(counts, part=(rank, size)) for rank in range(size)]
    alone, _ = follow(counts)
    n_steps = TrainConfig(batch_size=32).steps_per_epoch(N_OBS)
    for _ in range(n_steps):
        expected, parts = alone.take(), []
        for rank, (cells, rows) in enumerate(team):
            taken = cells.take()
            assert np.array_equal(taken, expected)
            n = len(taken)
            own = taken[n * rank // size : n * (rank + 1) // size]
            parts.append(dense(rows.fetch(own)))
        assert np.array_equal(np.concatenate(parts), counts[expected].toarray())
    for _, rows in team:
        rows._ahead[1].result()
        n_read = sum(len(part) for part in rows.counts.reader.read_rows)
        # Its share, the pool that is read ahead, and the blocks that two processes share.
        assert n_read <= N_OBS / size + 256 + 2 * 32 * cells.n_pools


def test_at_most_one_pool_is_held(counts, small):
    cells, rows = follow(counts)
    for _ in range(100):
        rows.fetch(cells.take())
        assert sum(len(held.rows) for held in rows.held) <= 256


def test_the_next_pool_is_read_before_it_is_asked_for(counts, small):
    cells, rows = follow(counts)
    rows.fetch(cells.take())
    rows._ahead[1].result()
    n_reads = len(rows.counts.reader.read_rows)
    while np.array_equal(cells.blocks(), rows._pool):
        taken = cells.take()
    assert (rows.counts[taken] != counts[taken]).nnz == 0
    assert np.array_equal(cells.blocks(), rows._ahead[0])
    assert rows._ahead[1].result().find(taken).min() >= 0
    assert len(rows.counts.reader.read_rows) == n_reads + 1  # the line before last


def test_a_fault_of_the_disk_is_raised_where_the_rows_are_needed(counts, small):
    cells, rows = follow(counts)
    rows.fetch(cells.take())
    rows._ahead[1].result()

    def broken(_):
        raise OSError("gone")

    rows.counts.reader.read = broken
    with pytest.raises(OSError, match="gone"):
        for _ in range(20):
            rows.fetch(cells.take())


def test_rows_in_order_come_in_order_and_are_read_once(counts, small):
    source = rows_of(StoredCounts(InMemory(counts)), CPU)
    parts = [dense(source.fetch(rows)) for rows in blocks(np.arange(N_OBS), 64)]
    assert np.array_equal(np.concatenate(parts), counts.toarray())
    read = np.concatenate(source.counts.reader.read_rows)
    assert np.array_equal(read, np.arange(N_OBS))
    assert sum(len(held.rows) for held in source.held) <= 64


def test_kept_rows_are_read_once(counts, small):
    source = rows_of(StoredCounts(InMemory(counts)), CPU)
    source.keep(np.array([4_000, 3, 3, 77]))
    n_reads = len(source.counts.reader.read_rows)
    assert np.array_equal(
        dense(source.fetch(np.array([77, 4_000]))), counts[[77, 4_000]].toarray()
    )
    assert len(source.counts.reader.read_rows) == n_reads


def test_of_too_many_labeled_cells_rare_types_keep_theirs(monkeypatch):
    monkeypatch.setattr(stored, "KEPT_ROWS", 1_000)
    monkeypatch.setattr(stored, "KEPT_OF_TYPE", 50)
    random = np.random.default_rng(0)
    codes = random.permutation(np.repeat([0, 1, 2], [9_000, 3_000, 20]))
    rows = 7 * np.arange(len(codes))
    chosen = few_enough(rows, codes, random)
    assert len(np.unique(chosen)) == len(chosen) == 1_000 and (np.diff(chosen) > 0).all()
    sizes = np.bincount(codes[chosen // 7])
    assert sizes[2] == 20
    assert abs((sizes[0] - 50) / (sizes[1] - 50) - 8_950 / 2_950) < 0.7
    assert np.array_equal(few_enough(rows[:1_000], codes[:1_000], random), rows[:1_000])


def in_store(data):
    return replace(data, counts=StoredCounts(InMemory(data.counts)))


def config_of(**more):
    return TrainConfig(batch_size=16, labeled_batch_size=16, device="cpu", **more)


def states(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_training_from_a_store_equals_training_on_the_same_rows_in_memory(
    data, make_module, small, monkeypatch
):
    watched = (data.y >= 0) & (np.arange(len(data.y)) < 30)
    data = replace(data, validation=watched)
    config = config_of()
    kept = Training(make_module(), in_store(data), config, 40).stepper.rows.kept
    assert np.array_equal(kept.rows, np.flatnonzero(data.y >= 0))
    from_store = make_module()
    loop.fit(from_store, in_store(data), config, n_steps=40, hooks=Hooks())
    in_memory = make_module()
    run = Training(in_memory, data, config, 40)
    # The random numbers of the labeled cells come after the first order of an EpochSampler.
    run.random.bit_generator.state = np.random.default_rng(config.seed).bit_generator.state
    run.cells = BlockSampler(len(data.y), config.batch_size, config.seed)
    monkeypatch.setattr(loop, "Training", lambda *_: run)
    loop.fit(in_memory, data, config, n_steps=40, hooks=Hooks())
    for name, value in states(in_memory).items():
        assert torch.equal(value, states(from_store)[name]), name


def test_a_run_from_a_store_taken_up_again_equals_an_unbroken_one(
    data, make_module, small, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    whole, broken, resumed = make_module(), make_module(), make_module()
    loop.fit(whole, in_store(data), config_of(), n_steps=30, hooks=Hooks())
    path, steps = tmp_path / "run.safetensors", iter(range(1, 100))
    stop = Hooks(should_stop=lambda: next(steps) == 13)
    loop.fit(broken, in_store(data), config_of(), n_steps=30, hooks=stop, checkpoint=path)
    loop.fit(resumed, in_store(data), config_of(), n_steps=30, hooks=Hooks(), checkpoint=path)
    for name, value in states(whole).items():
        assert torch.equal(value, states(resumed)[name]), name


def test_too_many_labeled_cells_are_said(data, make_module, small, monkeypatch):
    monkeypatch.setattr(stored, "KEPT_ROWS", 40)
    run = Training(make_module(), in_store(data), config_of(), 10)
    (note,) = run.history.notes
    assert "40" in note and str(int((data.y >= 0).sum())) in note
    assert len(run.stepper.rows.kept.rows) == 40


def test_a_model_whose_library_size_is_inferred_trains_from_a_store(data, make_module, small):
    module = make_module(use_observed_lib_size=False)
    history = loop.fit(module, in_store(data), config_of(), n_steps=20, hooks=Hooks())
    assert np.isfinite([record.loss for record in history.records]).all()


def test_loader_keeps_counts_of_a_store_there(counts):
    assert isinstance(loader.rows_of(StoredCounts(InMemory(counts)), CPU), StoredRows)


def test_annbatch_gives_the_same_minibatches_and_the_same_model(data, make_module, tmp_path):
    pytest.importorskip("annbatch", reason="needs annbatch (Python 3.12 or newer)")
    import anndata

    from scanvi_core.data.collection.collection import Collection
    from scanvi_core.services.atlas.gather import gather

    ends = [0, 64, 129]
    paths = [tmp_path / f"{i}.h5ad" for i in range(2)]
    for path, start, stop in zip(paths, ends, ends[1:], strict=False):
        anndata.AnnData(sparse.csr_matrix(data.counts[start:stop])).write_h5ad(path)
    gather(tmp_path / "store.zarr", paths)
    counts = Collection.open(tmp_path / "store.zarr").counts
    cells, rows = BlockSampler(129, 16, 0), rows_of(counts, CPU)
    rows.follow(cells.blocks)
    for _ in range(20):
        taken = cells.take()
        assert np.array_equal(dense(rows.fetch(taken)), data.counts[taken].toarray())
    ordered = [dense(rows_of(counts, CPU).fetch(part)) for part in blocks(np.arange(129), 50)]
    assert np.array_equal(np.concatenate(ordered), data.counts.toarray())
    models = make_module(), make_module()
    for module, source in zip(models, (counts, StoredCounts(InMemory(data.counts))), strict=True):
        loop.fit(module, replace(data, counts=source), config_of(), n_steps=20, hooks=Hooks())
    for name, value in states(models[0]).items():
        assert torch.equal(value, states(models[1])[name]), name


@pytest.mark.slow
def test_two_processes_train_the_same_network_from_a_store_as_one(tmp_path):
    member = Path(__file__).with_name("stored_worker.py")
    root = str(ROOT)
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    running = []
    for size in ("1", "2"):
        out = tmp_path / f"{size}.npz"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
                   "--nproc-per-node", size, str(member), str(out)]  # fmt: skip
        running.append(subprocess.Popen(command, env=environment))
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    found = [np.load(tmp_path / f"{size}.npz") for size in (1, 2)]
    np.testing.assert_allclose(found[1]["losses"], found[0]["losses"], rtol=1e-5)
    np.testing.assert_allclose(found[1]["z1"], found[0]["z1"], atol=1e-4)
    n_read = [int(np.load(tmp_path / f"{size}.read.npy")) for size in (1, 2)]
    assert n_read[1] < 0.75 * n_read[0]  # its share, and the labeled cells
