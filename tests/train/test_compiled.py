import threading
from types import SimpleNamespace

import pytest
import torch

from scanvi_core.train import compiled


def module_on(device, *, parity=False):
    weights = SimpleNamespace(device=torch.device(device))
    return SimpleNamespace(parity=parity, parameters=lambda: iter([weights]))


def finish():
    for thread in compiled._beside:
        thread.join(10)


@pytest.mark.parametrize(("device", "told"), [("cuda", ["no Triton"]), ("cpu", [])])
def test_a_compiler_that_fails_is_told_of_on_a_graphics_card_only(monkeypatch, device, told):
    monkeypatch.setattr(compiled, "compile_step", lambda _: "no Triton")
    notes = []
    compiled.compile_beside(module_on(device), compiled.WORTH_STEPS, notes.append)
    finish()
    assert notes == told


def test_the_compiler_is_known_to_work_until_it_is_done(monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(compiled, "compile_step", lambda _: go.wait(10) and None)
    compiled.compile_beside(module_on("cpu"), compiled.WORTH_STEPS, print)
    assert compiled.compiling()
    go.set()
    finish()
    assert not compiled.compiling()


@pytest.mark.parametrize(("n_steps", "parity"), [(compiled.WORTH_STEPS - 1, False), (10**4, True)])
def test_short_runs_and_published_numerics_are_not_compiled(monkeypatch, n_steps, parity):
    asked = []
    monkeypatch.setattr(compiled, "compile_step", asked.append)
    compiled.compile_beside(module_on("cpu", parity=parity), n_steps, print)
    finish()
    assert not asked


def test_a_device_without_compiler_says_so():
    assert "no compiler" in compiled.compile_step(module_on("mps"))
