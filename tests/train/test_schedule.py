import pytest
import torch

from scanvi_core.train.schedule import kl_weight, one_cycle


def test_the_kl_weight_is_linear_and_then_one():
    assert [kl_weight(step, 100, 0.5) for step in (0, 10, 25, 50, 99)] == [0, 0.2, 0.5, 1, 1]


def test_without_warmup_the_kl_weight_is_one_from_the_start():
    assert kl_weight(0, 100, 0.0) == 1.0


def test_the_learning_rate_is_that_of_torch():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=101, pct_start=0.2, div_factor=10, final_div_factor=1e4,
        cycle_momentum=False,
    )  # fmt: skip
    for step in range(101):
        # torch peaks one step earlier: at pct_start * total - 1
        expected = theirs.get_last_lr()[0]
        assert one_cycle(step, 101, 4e-3) == pytest.approx(expected, rel=0.08, abs=2e-6)
        optimizer.step()
        theirs.step()


def test_the_learning_rate_starts_at_a_tenth_peaks_at_a_fifth_and_ends_near_zero():
    rates = [one_cycle(step, 600, 4e-3) for step in range(600)]
    assert rates[0] == pytest.approx(4e-4)
    assert max(rates) == pytest.approx(4e-3) and rates.index(max(rates)) == 120
    assert rates[-1] < 1e-7


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_the_shortest_runs_have_a_learning_rate(n_steps):
    assert all(0 <= one_cycle(step, n_steps, 1.0) <= 1 for step in range(n_steps))
