"""Numbers of other implementations: stored ones, and fresh ones where scvi-tools is installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from scanvi_core.module import SCANVI

FOLDER = Path(__file__).parent
SCRIPT = FOLDER.parents[1] / "benchmarks" / "reference" / "make_reference.py"


class Reference:
    """Stored arrays, named like paths."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __getitem__(self, name):
        """Return one array, floating ones in double precision."""
        array = torch.as_tensor(self.arrays[name])
        return array.double() if array.is_floating_point() else array.long()

    def part(self, name):
        """Return all arrays below a path."""
        start = name + "/"
        return {n.removeprefix(start): self[n] for n in self.arrays if n.startswith(start)}

    def load(self, module, n_layers, **state):
        """Give the weights of the toy model with `n_layers` to `module`; return it, in double."""
        state = self.part(f"weights/{n_layers}") | state
        if module.dispersion in self.part("px_r"):
            state["px_r"] = self[f"px_r/{module.dispersion}"]
        own = module.double().state_dict()
        wrong = module.load_state_dict(
            {name: value for name, value in state.items() if name in own}, strict=False
        )
        # Only what was never drawn keeps its own value.
        kept = ("num_batches", "y_prior", "groups")
        assert not [n for n in wrong.missing_keys if not any(part in n for part in kept)]
        return module


@pytest.fixture(scope="module", params=["stored", "live"])
def reference(request):
    """Give the numbers of scvi-tools 1.4.2, stored and (from other weights) made anew."""
    if request.param == "stored":
        return Reference(load_file(FOLDER / "scvi_tools_142.safetensors"))
    if importlib.util.find_spec("scvi") is None:
        pytest.skip("scvi-tools is not installed; see benchmarks/reference/make_reference.py")
    spec = importlib.util.spec_from_file_location("make_reference", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return Reference(script.arrays(seed=1))


@pytest.fixture(scope="module")
def shared():
    """Give the stored inputs and weights, which both releases were run on."""
    return Reference(load_file(FOLDER / "scvi_tools_142.safetensors"))


@pytest.fixture(scope="module")
def old():
    """Give the numbers of scVI 0.6.8."""
    return Reference(load_file(FOLDER / "scvi_068.safetensors"))


@pytest.fixture
def share_noise(monkeypatch):
    """Return a function that makes the next draws of every model use the noise given to it."""

    def share(*noise):
        queue = [torch.as_tensor(n) for n in noise]

        def draw(_, q):
            return q.mean + q.var.sqrt() * queue.pop(0).reshape(q.mean.shape).to(q.mean)

        monkeypatch.setattr(SCANVI, "draw", draw)

    return share


@pytest.fixture
def close():
    """Return a comparison of arrays by absolute and relative difference."""

    def compare(got, expected, tolerance):
        got, expected = (
            v.detach().numpy() if isinstance(v, torch.Tensor) else np.asarray(v)
            for v in (got, expected)
        )
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)

    return compare
