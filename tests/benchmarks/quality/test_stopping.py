"""The table of the advice to stop: what it cost, and whether its promises held."""

from benchmarks.quality import stopping


def at(decision, accuracy, *, can_stop=False, truth=0.9, checks=0, low=0.0, high=1.0):
    return {"decision": decision, "can_stop": can_stop, "truth": truth, "checks": checks,
            "low": low, "high": high, "accuracy": accuracy, "f1": accuracy}  # fmt: skip


def test_what_stopping_cost_is_counted_from_the_first_advice():
    early = [at(0, 0.5, can_stop=True), at(1, 0.8), at(2, 0.9)]
    late = [at(0, 0.5), at(1, 0.9, can_stop=True, checks=2, high=0.8), at(2, 0.9, can_stop=True)]
    never = [at(0, 0.5), at(1, 0.6, checks=1)]
    told = stopping.row("all", [early, late, never])
    assert told == ["all", 3, 2, 0.5, 0.2, 0.4, 0.2, "1 of 2", "1 of 2", "50%"]


def test_runs_without_advice_to_stop_cost_nothing_that_is_known():
    assert stopping.row("a", [[at(0, 0.5)]])[1:5] == [1, 0, None, None]
