"""The path of graphics cards, on a CPU: what records a step is replaced, nothing else."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scanvi_core.config import TrainConfig
from scanvi_core.nn import layers
from scanvi_core.train import device as device_module
from scanvi_core.train import loop, step
from scanvi_core.train import training as training_module
from scanvi_core.train.device import WARM_UP, pack, quick_products, unpack
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import DeviceRows
from scanvi_core.train.training import Training

CONFIG = TrainConfig(batch_size=32, labeled_batch_size=16, device="cpu")
N_STEPS = 14
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Recorder:
    """Stands in for a CUDA graph: knows the inputs of the recording only, and does it again."""

    def __init__(self):
        self.replayed = 0

    def __call__(self, step, _noise):
        def program():
            self.replayed += 1
            step()

        return program


@pytest.fixture
def make_module(make_module):
    """Without batch norm, before which biases have no gradient but that of rounding."""
    return lambda **settings: make_module(**{"use_layer_norm": True} | settings)


def train(module, data, capture=None, n_steps=N_STEPS):
    run = Training(module, data, CONFIG, n_steps)
    if run.replay is not None and capture is not None:
        run.replay.capture = capture
    while not run.finished:
        run.train_until_record(lambda: False)
    return run


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(step, "rows_of", DeviceRows)


def assert_same(a, b):
    for name, value in a.state_dict().items():
        torch.testing.assert_close(b.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, {"use_observed_lib_size": False}])
def test_replayed_steps_are_the_steps_of_a_run_on_the_host(
    data, make_module, monkeypatch, settings
):
    data = replace(data, counts=data.counts[:120], **cut(data, 120))  # 32, 32, 32, 24
    expected, module, recorder = make_module(**settings), make_module(**settings), Recorder()
    host = train(expected, data)
    monkeypatch.setattr(step, "rows_of", DeviceRows)
    run = train(module, data, recorder)
    assert_same(expected, module)
    torch.testing.assert_close(run.stepper.sums, host.stepper.sums)
    short = N_STEPS // 4
    assert recorder.replayed == N_STEPS - short - WARM_UP


def cut(data, n):
    return {
        "batch_index": data.batch_index[:n],
        "y": data.y[:n],
        "validation": data.validation[:n],
    }


def test_what_was_recorded_before_the_teacher_came_is_not_replayed_after(
    data, make_module, monkeypatch
):
    def teach(alone):
        return np.roll(alone, 1, axis=1)

    expected, module = make_module(), make_module()
    host = Training(expected, data, CONFIG, N_STEPS, teach)
    while not host.finished:
        host.take_step()
    monkeypatch.setattr(step, "rows_of", DeviceRows)
    replays = []

    class Recorded(device_module.Replay):
        def __init__(self, stepper, sizes):
            replays.append(Recorder())
            super().__init__(stepper, sizes, replays[-1])

    monkeypatch.setattr(training_module, "Replay", Recorded)
    run = Training(module, data, CONFIG, N_STEPS, teach)
    while not run.finished:
        run.take_step()
    assert_same(expected, module)
    assert len(replays) == 2 and all(recorder.replayed for recorder in replays)


def test_a_failed_recording_is_told_and_changes_no_number(data, make_module, on_device):
    asked = []

    def fail(step, noise):
        asked.append(noise.manual_seed(99))
        raise RuntimeError("operation not permitted when stream is capturing")

    expected, module = make_module(), make_module()
    train(expected, data, Recorder())
    run = train(module, data, fail)
    assert_same(expected, module)
    assert len(asked) == 1  # it is not tried again
    assert len(run.history.notes) == 1 and "could not be recorded" in run.history.notes[0]


def test_nothing_is_recorded_while_the_compiler_works(data, make_module, on_device, monkeypatch):
    at_work = iter([True] * 5 + [False] * N_STEPS)
    monkeypatch.setattr(device_module, "compiling", lambda: next(at_work))
    recorder = Recorder()
    train(make_module(), data, recorder)
    # Of 129 cells the last minibatch of a pass has 33 and is never replayed.
    full = N_STEPS - N_STEPS // 4
    assert recorder.replayed == full - 5 - WARM_UP


def test_nothing_is_recorded_once_memory_ran_short(data, make_module, on_device):
    recorder, module = Recorder(), make_module()
    run = Training(module, data, CONFIG, N_STEPS)
    run.replay.capture, run.stepper.parts = recorder, 2
    while not run.finished:
        run.take_step()
    assert recorder.replayed == 0


def test_numbers_packed_with_the_rows_come_back_to_the_bit():
    rows, chosen = np.array([3, 2**40, 0]), np.array([7, 1])
    got = unpack(pack(rows, chosen, 4e-3, 1 / 3), 3)
    assert [t.tolist() for t in got[:2]] == [rows.tolist(), chosen.tolist()]
    assert [t.item() for t in got[2:]] == [np.float32(4e-3), np.float32(1 / 3)]


def test_a_step_never_waits_for_the_device(data, make_module, on_device, monkeypatch):
    """Reading a number back stops a device and breaks a recording."""
    for place in ("vae", "scanvi"):
        monkeypatch.setattr(f"scanvi_core.module.{place}.fastest_form", lambda x: x)
    # As an index, CPUs alone check its range.
    monkeypatch.setattr(layers, "F", SimpleNamespace(linear=functional.linear, one_hot=eye_rows))
    run = Training(make_module(reconstruction_loss="zinb"), data, CONFIG, N_STEPS)
    run.replay.capture = Recorder()
    for _ in range(WARM_UP):
        run.take_step()
    # The fused optimizer reads the learning rate on CPUs alone.
    monkeypatch.setattr(run.stepper.optimizer, "step", lambda: None)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run.take_step()
    assert run.replay.program is None  # a minibatch of 33: taken call by call
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as replayed:
        run.take_step()
    assert run.replay.program is not None
    waits = {"aten::nonzero", "aten::item", "aten::_local_scalar_dense", "aten::is_nonzero"}
    for profiled in (profile, replayed):
        calls = {event.key for event in profiled.key_averages()}
        assert "aten::scatter_" in calls  # it is the device's way of cutting
        assert not waits & calls


def eye_rows(index, n):
    return torch.eye(n, dtype=torch.long, device=index.device)[index]


class OnHost(TorchDispatchMode):
    """Collects the calls that touch a tensor in the memory of the machine."""

    def __init__(self):
        super().__init__()
        self.found, self.n_calls = set(), 0

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        result = call(*args, **(kwargs or {}))
        self.n_calls += 1
        tensors = [t for t in tree_leaves((args, kwargs, result)) if isinstance(t, torch.Tensor)]
        if any(t.device.type == "cpu" for t in tensors):
            self.found.add(str(call))
        return result


@pytest.mark.parametrize(
    "settings",
    [
        {"reconstruction_loss": "zinb", "use_layer_norm": False},
        {"use_observed_lib_size": False},
        {"dispersion": "gene-batch", "input_dropout_rate": 0.2},
        {"dispersion": "gene-label", "encoder_input": "log1p"},
        {"dispersion": "gene-cell", "reconstruction_loss": "zinb"},
        {"labels_groups": [0, 0, 1], "use_labels_groups": True},
        {"parity": True},
    ],
)
def test_a_step_leaves_nothing_to_the_host(data, make_module, on_device, monkeypatch, settings):
    """On the device without memory, where a copy to or from the host cannot hide."""
    monkeypatch.setattr(layers, "F", SimpleNamespace(linear=functional.linear, one_hot=eye_rows))
    module, generator = make_module(**settings).to("meta").train(), torch.Generator()
    monkeypatch.setattr(torch, "Generator", lambda _: generator)
    stepper = step.Stepper(module, data, CONFIG, print)
    # Only the optimizer of CPU and CUDA keeps its counters with the weights.
    monkeypatch.setattr(stepper.optimizer, "step", lambda: None)
    packed = pack(np.arange(32), np.arange(16), 1e-3, 0.5).to("meta")
    with OnHost() as on_host:
        stepper.step_once(*unpack(packed, 32))
    assert not on_host.found
    assert on_host.n_calls > 400


@pytest.mark.parametrize(("parity", "expected"), [(False, "high"), (True, "highest")])
def test_quick_products_are_for_a_cuda_device_and_for_a_while(parity, expected):
    module = SimpleNamespace(parity=parity, device=torch.device("cuda"))
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(KeyError), quick_products(module):
        assert torch.get_float32_matmul_precision() == expected
        raise KeyError
    assert torch.get_float32_matmul_precision() == "highest"


def test_products_on_a_cpu_stay_exact(data, make_module):
    seen = []
    hooks = Hooks(on_epoch=lambda _: seen.append(torch.get_float32_matmul_precision()))
    loop.fit(make_module(), data, CONFIG, n_steps=4, hooks=hooks)
    assert set(seen) == {"highest"}


@cuda
@pytest.mark.gpu
def test_a_cuda_graph_takes_the_steps_of_single_calls(data, make_module):
    def refuse(step, noise):
        raise RuntimeError("not recorded")

    plain, recorded = make_module().cuda(), make_module().cuda()
    train(plain, data, refuse, n_steps=40)
    run = train(recorded, data, n_steps=40)
    assert run.replay.program is not None and not run.history.notes
    assert_same(plain, recorded)
