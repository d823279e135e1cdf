"""Several processes train one network: the same as one process, whatever becomes of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from scanvi_core.errors import SettingInvalid, TeamBroken
from scanvi_core.nn.keyed import KeyedNoise, hashed, key_of
from scanvi_core.train.team import Team, check_norm, joined
from tests import ROOT

MEMBER = Path(__file__).with_name("team_worker.py")
END_WITHIN_S = 15
REPEATS = int(os.environ.get("SCANVI_TEAMS", "1"))  # python -m tests.teams: 100


def run_team(n, *arguments):
    """Train with `n` processes; return what torchrun did."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n),
        str(MEMBER), *map(str, arguments),
    ]  # fmt: skip
    settings = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    environment = os.environ | settings
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def trained(n, folder, *arguments):
    out = folder / f"{n}.npz"
    done = run_team(n, out, *arguments)
    assert done.returncode == 0, done.stderr  # who fell first is said at the beginning
    return np.load(out)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return trained(1, tmp_path_factory.mktemp("alone"))


def assert_same(found, expected):
    # sums in another order drift apart in the last bits, the more the longer the training
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-4)
    np.testing.assert_allclose(found["z1"], expected["z1"], atol=1e-3)
    assert (found["labels"] == expected["labels"]).mean() >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("repeat", range(REPEATS))
def test_several_processes_train_the_same_network_as_one(repeat, alone, tmp_path):
    """301 cells in minibatches of 50: shares are uneven, and the last minibatch has one cell."""
    found = trained(2, tmp_path)
    assert_same(found, alone)
    assert (found["labels"] == found["truth"]).mean() > 0.7  # and it did learn


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_any_number_of_others_takes_it_up(alone, tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    start = time.monotonic()
    done = run_team(2, tmp_path / "out.npz", checkpoint, "die")
    assert done.returncode != 0 and "rank      : 1" in done.stderr
    assert "SIGKILL" in done.stderr or "exitcode  : -9" in done.stderr
    assert time.monotonic() - start < 60 + END_WITHIN_S  # the start counts, too, on a busy machine
    assert checkpoint.exists() and not (tmp_path / "out.npz").exists()
    assert_same(trained(3, tmp_path, checkpoint), alone)


@pytest.mark.slow
def test_the_first_process_stops_all(tmp_path):
    found = trained(2, tmp_path, tmp_path / "run.safetensors", "stop")
    assert found["last"] in (25, 26)


@pytest.mark.slow
def test_a_spike_is_scaled_down_by_all_processes_alike(alone, tmp_path):
    one = trained(1, tmp_path, "", "spike")
    assert_same(trained(2, tmp_path, "", "spike"), one)
    right, undisturbed = ((run["labels"] == run["truth"]).mean() for run in (one, alone))
    assert right > undisturbed - 0.04, (right, undisturbed)


def test_every_cell_of_a_minibatch_is_in_one_share():
    for n_rows, n_chosen, size in ((128, 64, 3), (50, 20, 7), (2, 20, 3), (5, 3, 4)):
        shares = [Team(rank, size).share(n_rows, n_chosen) for rank in range(size)]
        for kind, n in enumerate((n_rows, n_chosen)):
            covered = np.concatenate([np.arange(n)[share[kind]] for share in shares])
            assert np.array_equal(covered, np.arange(n))
        both = [
            [
                len(np.arange(n)[part]) > 0
                for part, n in zip(share, (n_rows, n_chosen), strict=True)
            ]
            for share in shares
        ]
        assert all(rows == chosen for rows, chosen in both)


def test_batch_norm_is_refused_for_several_processes():
    check_norm(use_layer_norm=False, size=1)
    check_norm(use_layer_norm=True, size=8)
    with pytest.raises(SettingInvalid, match="batch norm"):
        check_norm(use_layer_norm=False, size=2)


# Noise by place -----------------------------------------------------------------------------


def noise(first=0, entries=None, key=5):
    return KeyedNoise(key, first, 10, entries)


def test_cells_get_the_same_noise_wherever_they_are_computed():
    whole, part = noise(), noise(first=4)
    for _ in range(2):  # and draw by draw
        together, alone = whole.normal(torch.empty(10, 3)), part.normal(torch.empty(6, 3))
        assert torch.equal(together[4:], alone)
        layers, own = whole.words(torch.empty(2, 10, 3)), part.words(torch.empty(2, 6, 3))
        assert torch.equal(layers[:, 4:], own)


def test_draws_keys_and_layers_differ():
    source = noise()
    first, second = source.normal(torch.empty(10, 3)), source.normal(torch.empty(10, 3))
    other = noise(key=6).normal(torch.empty(10, 3))
    layers = noise().normal(torch.empty(2, 10, 3))
    for a, b in ((first, second), (first, other), (layers[0], layers[1])):
        assert not torch.isclose(a, b).any()


def test_entries_get_the_noise_of_their_place():
    places = torch.tensor([3, 17, 40])
    some = noise(entries=places).words(torch.empty(3))
    assert torch.equal(some, noise(entries=torch.arange(50)).words(torch.empty(50))[places])


def test_keyed_noise_is_normal_uniform_and_uncorrelated():
    from scipy import stats

    drawn = KeyedNoise(1, 0, 2_000).normal(torch.empty(2_000, 50, dtype=torch.float64)).numpy()
    assert stats.kstest(drawn.ravel()[::7], "norm").pvalue > 1e-3
    words = KeyedNoise(2, 0, 2_000).words(torch.empty(2_000, 50, dtype=torch.float64)).numpy()
    uniform = (words + 2**15 + 0.5) / 2**16
    assert stats.kstest(uniform.ravel()[::7], "uniform").pvalue > 1e-3
    for values in (drawn, uniform):
        assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 0.08
        assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.08


def test_the_hash_is_splitmix64():
    """The first numbers of SplitMix64 from state 0, as its authors publish them."""
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    found = hashed(torch.arange(1, 4), 0).tolist()
    assert [value % 2**64 for value in found] == published
    assert key_of(1, 2) != key_of(2, 1)


def test_a_network_with_batch_norm_is_not_trained_by_several(data, make_module, monkeypatch):
    from scanvi_core.config import TrainConfig
    from scanvi_core.train import step

    monkeypatch.setattr(step, "team", lambda: Team(0, 2))
    config = TrainConfig(device="cpu")
    step.Stepper(make_module(use_layer_norm=True), data, config, print)
    with pytest.raises(SettingInvalid, match="batch norm"):
        step.Stepper(make_module(), data, config, print)


@pytest.mark.parametrize("at", ["init_process_group", "barrier"])
def test_a_process_that_is_gone_is_no_fault_of_the_program(monkeypatch, at):
    """Whatever the others are doing: meeting at the start, or waiting for it at the end."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    for name in ("init_process_group", "barrier", "destroy_process_group"):
        monkeypatch.setattr(torch.distributed, name, lambda *_, **__: None)

    def closed(*_, **__):
        raise torch.distributed.DistNetworkError("Connection closed by peer")

    monkeypatch.setattr(torch.distributed, at, closed)
    with pytest.raises(TeamBroken, match="of the 2 processes"), joined(torch.device("cpu")):
        pass


def test_a_fault_of_the_work_itself_stays_one(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(RuntimeError, match="our own"), joined(torch.device("cpu")):
        raise RuntimeError("our own")
