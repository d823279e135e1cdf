import numpy as np
import pytest
import torch

from scanvi_core.config import TrainConfig, replace
from scanvi_core.errors import TrainingError
from scanvi_core.train import loop
from scanvi_core.train.history import Hooks

CONFIG = TrainConfig(batch_size=32, labeled_batch_size=16, device="cpu")


def fit(module, data, path=None, config=CONFIG, stop_at=None, teach=None):
    steps = iter(range(1, 1000))
    hooks = Hooks(should_stop=lambda: next(steps) == stop_at)
    return loop.fit(module, data, config, n_steps=20, hooks=hooks, checkpoint=path, teach=teach)


@pytest.fixture(autouse=True)
def save_at_every_record(monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)


def test_a_run_taken_up_again_equals_an_unbroken_one(data, make_module, tmp_path):
    watched = (data.y >= 0) & (np.arange(len(data.y)) < 40)
    held = replace(data, validation=watched)
    whole, broken = make_module(input_dropout_rate=0.3), make_module(input_dropout_rate=0.3)
    expected = fit(whole, held)
    path = tmp_path / "run.safetensors"
    fit(broken, held, path, stop_at=9)
    resumed = make_module(input_dropout_rate=0.3)
    history = fit(resumed, held, path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert history.kept_step == expected.kept_step
    last, whole_last = history.records[-1], expected.records[-1]
    assert replace(last, seconds=0.0) == replace(whole_last, seconds=0.0)


@pytest.mark.parametrize("stop_at", [9, 15])
def test_what_was_taught_is_in_the_checkpoint(data, make_module, tmp_path, stop_at):
    def teach(alone):
        asked.append(alone.shape)
        return np.roll(alone, 1, axis=1)

    asked, path = [], tmp_path / "run.safetensors"
    whole, plain, resumed = make_module(), make_module(), make_module()
    fit(whole, data, teach=teach)
    fit(plain, data)
    assert asked == [(len(data.y), data.n_labels)]
    fit(make_module(), data, path, stop_at=stop_at, teach=teach)
    fit(resumed, data, path, teach=teach)
    assert len(asked) == 2  # once in each run, also where it was broken
    states = [module.state_dict() for module in (whole, resumed, plain)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not all(torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_a_checkpoint_of_other_settings_is_refused(data, make_module, tmp_path):
    path = tmp_path / "run.safetensors"
    fit(make_module(), data, path, stop_at=5)
    with pytest.raises(TrainingError, match="other settings"):
        fit(make_module(), data, path, config=replace(CONFIG, seed=1))


def test_a_damaged_checkpoint_is_refused(data, make_module, tmp_path):
    path = tmp_path / "run.safetensors"
    fit(make_module(), data, path, stop_at=5)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot be read"):
        fit(make_module(), data, path)


def test_no_temporary_file_is_left(data, make_module, tmp_path):
    fit(make_module(), data, tmp_path / "run.safetensors", stop_at=5)
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_memory_that_runs_out_is_not_called_damage(data, make_module, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    fit(make_module(), data, path, stop_at=5)

    def short(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    module = make_module()
    monkeypatch.setattr(module, "load_state_dict", short)
    with pytest.raises(torch.OutOfMemoryError):
        fit(module, data, path)
