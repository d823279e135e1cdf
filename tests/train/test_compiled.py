import threading
from types import SimpleNamespace

import pytest
import torch

from scanvi_core.train import compiled


def module_on(device, *, parity=False):
    return SimpleNamespace(parity=parity, device=torch.device(device))


def finish():
    for thread in compiled._beside:
        thread.join(10)


def test_a_compiler_that_fails_is_told_of(monkeypatch):
    monkeypatch.setattr(compiled, "compile_step", lambda _: "no Triton")
    notes = []
    compiled.compile_beside(module_on("cuda"), compiled.WORTH_STEPS, notes.append)
    finish()
    assert notes == ["no Triton"]


def test_the_compiler_is_known_to_work_until_it_is_done(monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(compiled, "compile_step", lambda _: go.wait(10) and None)
    compiled.compile_beside(module_on("cuda"), compiled.WORTH_STEPS, print)
    assert compiled.compiling()
    go.set()
    finish()
    assert not compiled.compiling()


@pytest.mark.parametrize(
    ("device", "n_steps", "parity"),
    [
        ("cuda", compiled.WORTH_STEPS - 1, False),
        ("cuda", 10**4, True),
        ("cpu", 10**4, False),  # where a run taken up again must end with the very same weights
    ],
)
def test_other_runs_are_not_compiled(monkeypatch, device, n_steps, parity):
    asked = []
    monkeypatch.setattr(compiled, "compile_step", asked.append)
    compiled.compile_beside(module_on(device, parity=parity), n_steps, print)
    finish()
    assert not asked


def test_a_device_without_compiler_says_so():
    assert "no compiler" in compiled.compile_step(module_on("mps"))
