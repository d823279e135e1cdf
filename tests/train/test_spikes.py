"""One minibatch with an exploding gradient does not end up in the model that is kept."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.config import TrainConfig, replace
from scanvi_core.datasets import simulate
from scanvi_core.module import SCANVI
from scanvi_core.nn.sparse import SparseRows
from scanvi_core.train import loop, spikes
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.spikes import LIMIT, SpikeGuard
from tests.train.spike import spike_at

N_STEPS, AT = 160, 80


def gradients(*norms):
    """Return what a guard leaves of gradients of these norms, one step after the other."""
    guard, left = SpikeGuard(torch.device("cpu")), []
    for norm in norms:
        parts = [torch.zeros(3, requires_grad=True), torch.zeros(2, 2, requires_grad=True)]
        parts[0].grad = torch.tensor([0.6, 0.0, 0.0]) * norm
        parts[1].grad = torch.tensor([[0.0, 0.8], [0.0, 0.0]]) * norm
        guard.shrink(parts)
        left.append((parts[0].grad, parts[1].grad))
    return left, guard


def size(parts):
    return math.hypot(*(float(part.norm()) for part in parts))


def test_usual_gradients_stay_as_they_are_to_the_last_bit():
    norms = [7.3 * 1.05**k for k in range(40)] + [20.0, 0.01, 30.0]
    left, _ = gradients(*norms)
    for norm, (first, _) in zip(norms, left, strict=True):
        assert torch.equal(first, torch.tensor([0.6, 0.0, 0.0]) * norm)


def test_a_gradient_far_above_the_usual_is_scaled_down_and_keeps_its_direction():
    left, _ = gradients(*[2.0] * 60, 1e6)
    assert size(left[-1]) == pytest.approx(2.0 * LIMIT, rel=1e-3)
    assert float(left[-1][0][0] / left[-1][1][0, 1]) == pytest.approx(0.75)


def test_one_spike_hardly_raises_the_limit_and_a_lasting_change_does():
    left, _ = gradients(*[2.0] * 60, 1e6, 1e6)
    assert size(left[-1]) < 2.0 * LIMIT * 1.2
    left, _ = gradients(*[2.0] * 60, *[200.0] * 60)
    assert size(left[-1]) == pytest.approx(200.0)


@pytest.mark.parametrize("before", [0, 50])
def test_nothing_is_learned_of_a_step_without_gradients(before):
    left, _ = gradients(*[2.0] * before, 0.0, *[2.0] * 5)
    assert [size(parts) for parts in left[-5:]] == pytest.approx([2.0] * 5)


def test_a_norm_that_is_no_number_is_left_to_the_loss_to_tell():
    left, guard = gradients(1.0, math.nan)
    assert math.isnan(size(left[-1])) and guard.usual.isnan().any()


@pytest.fixture(scope="module")
def cells():
    """301 simulated cells of four types, a third of them labeled, 20 of these watched."""
    torch.set_num_threads(1)
    drawn = simulate(301, 60, 2, 4, marker_fold=8.0, random=np.random.default_rng(0))
    truth = drawn.labels[:, 0].astype(np.int64)
    shown = np.where(np.arange(301) % 3 == 0, truth, -1)
    watched = (shown >= 0) & (np.arange(301) < 60)
    batch = drawn.batch_indices[:, 0].astype(np.int64)
    counts = sparse.csr_array(drawn.X, dtype=np.float32)
    return TrainingData(counts, batch, 2, shown, 4, watched), truth


def kept_accuracy(cells, layer_norm, watched):
    data, truth = cells
    if not watched:
        data = replace(data, validation=np.zeros(301, dtype=bool))
    module = SCANVI(
        60, 2, 4, n_hidden=32, n_latent=5, reconstruction_loss="nb", input_dropout_rate=0.1,
        use_observed_lib_size=True, encoder_input="log_normalized", use_layer_norm=layer_norm,
    )  # fmt: skip
    module.draw_parameters(torch.Generator().manual_seed(0))
    config = TrainConfig(batch_size=50, labeled_batch_size=20, learning_rate=0.01, device="cpu")
    loop.fit(module, data, config, n_steps=N_STEPS, hooks=Hooks())
    with torch.no_grad():
        found = module.predict(SparseRows.of_csr(data.counts))[0].argmax(1).numpy()
    return float((found == truth)[data.y < 0].mean())


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_a_spike_does_not_hurt_the_model_that_is_kept(cells, monkeypatch, layer_norm, watched):
    undisturbed = kept_accuracy(cells, layer_norm, watched)
    with spike_at(AT):
        assert kept_accuracy(cells, layer_norm, watched) > undisturbed - 0.04
        monkeypatch.setattr(spikes, "LIMIT", math.inf)
        assert kept_accuracy(cells, layer_norm, watched) < undisturbed - 0.15


@pytest.mark.parametrize("spiked", [True, False])
def test_a_run_taken_up_again_knows_what_is_usual(
    data, make_module, tmp_path, monkeypatch, spiked
):
    """Also where the spike comes after the break."""
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    config = TrainConfig(batch_size=32, labeled_batch_size=16, device="cpu")

    def fit(module, path=None, stop_at=None):
        steps = iter(range(1, 1000))
        hooks = Hooks(should_stop=lambda: next(steps) == stop_at)
        loop.fit(module, data, config, n_steps=20, hooks=hooks, checkpoint=path)
        return module.state_dict()

    path = tmp_path / "run.safetensors"
    with spike_at(10) if spiked else nullcontext():
        whole = fit(make_module())
        fit(make_module(), path, stop_at=9)
        resumed = fit(make_module(), path)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
