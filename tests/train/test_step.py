import numpy as np
import pytest
import torch

from scanvi_core.config import TrainConfig
from scanvi_core.errors import TrainingError
from scanvi_core.train.step import Stepper, out_of_memory

CONFIG = TrainConfig(batch_size=32, labeled_batch_size=16, device="cpu")
ON_CPU = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
ON_CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture
def make_stepper(data, make_module, monkeypatch):
    """Steps of a network without noise and batch norm, that counts the cells it is given."""

    def make(limit=10**6, fault=ON_CPU):
        settings = {"dropout_rate": 0.0, "use_layer_norm": True, "labels_groups": [0, 0, 1]}
        module = make_module(**settings)
        monkeypatch.setattr(type(module), "draw", lambda _, q: q.mean)
        notes, loss = [], module.loss
        stepper = Stepper(module.train(), data, CONFIG, notes.append)
        stepper.notes, stepper.given = notes, []

        def limited(x, *args, **kwargs):
            stepper.given.append(x.shape[0])
            if x.shape[0] > limit:
                raise fault
            return loss(x, *args, **kwargs)

        module.loss = limited
        return stepper

    return make


def minibatch(n=30, n_labeled=17):
    rows = np.random.default_rng(1).permutation(129)
    return torch.from_numpy(rows[:n].copy()), torch.arange(n_labeled)


def gradients(stepper):
    return [p.grad.clone() for p in stepper.module.parameters() if p.grad is not None]


def test_sums_follow_the_weights_and_count_cells_of_known_types(make_stepper):
    stepper = make_stepper()
    stepper.y[:] = torch.arange(129) % 3
    stepper.y[:5] = 3  # a group of types
    stepper.take(*minibatch(), 1e-3, 0.3)
    loss, reconstruction, kl, classification, right, typed = stepper.sums.tolist()
    expected = reconstruction + 0.3 * kl + CONFIG.classification_ratio * classification
    assert loss == pytest.approx(expected, rel=1e-5)
    assert typed == 17 - 5 and 0 <= right <= typed


@pytest.mark.parametrize("fault", [ON_CPU, ON_CUDA, MemoryError()])
def test_parts_of_a_minibatch_add_up_to_the_whole(make_stepper, fault):
    whole, parted = make_stepper(), make_stepper(limit=9, fault=fault)
    for stepper in (whole, parted):
        stepper.take(*minibatch(), 1e-3, 0.3)
    assert parted.given == [30, 15, 8, 8, 7, 7]
    for a, b in zip(gradients(whole), gradients(parted), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5)


def test_parts_are_kept_for_later_steps_and_told(make_stepper):
    stepper = make_stepper(limit=15)
    for _ in range(3):
        stepper.take(*minibatch(), 1e-3, 0.3)
    assert stepper.given == [30, *[15, 15] * 3]
    assert len(stepper.notes) == 1 and "2 parts" in stepper.notes[0]


def test_sums_of_a_step_in_parts_are_those_of_the_whole(make_stepper):
    whole, parted = make_stepper(), make_stepper(limit=15)
    for stepper in (whole, parted):
        stepper.take(*minibatch(30, 16), 1e-3, 0.3)
    loss, reconstruction, kl, classification, right, typed = whole.sums.tolist()
    got = parted.sums.tolist()
    assert got[1:4] == pytest.approx([reconstruction, kl, classification], rel=1e-4)
    assert got[0] == pytest.approx(loss, rel=1e-4)
    assert got[4] / got[5] == pytest.approx(right / typed)


def test_small_minibatches_are_cut_into_parts_of_two_cells_at_least(make_stepper):
    stepper = make_stepper()
    stepper.parts = 8
    stepper.take(*minibatch(5, 17), 1e-3, 0.3)
    assert stepper.given == [3, 2]


def test_memory_too_small_for_any_part_says_what_to_do(make_stepper):
    stepper = make_stepper(limit=0)
    with pytest.raises(TrainingError, match="Memory ran out") as error:
        stepper.take(*minibatch(), 1e-3, 0.3)
    assert "variable genes" in error.value.hint


def test_other_faults_are_not_taken_for_a_lack_of_memory(make_stepper):
    with pytest.raises(RuntimeError, match="shapes"):
        make_stepper(limit=0, fault=RuntimeError("shapes differ")).take(*minibatch(), 1e-3, 0.3)


def test_a_real_allocation_that_fails_is_recognized():
    for allocate in (lambda: torch.empty(2**60), lambda: np.empty(2**55)):
        with pytest.raises((RuntimeError, MemoryError)) as fault:
            allocate()
        assert out_of_memory(fault.value)
