"""Intervals, against scipy, brute force and repeated draws."""

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from sklearn.metrics import f1_score

from scanvi_core.metrics.classification import score
from scanvi_core.metrics.intervals import (
    exact_interval,
    f1_interval,
    paired_difference,
    wilson_interval,
)


@pytest.mark.parametrize(("right", "n"), [(0, 4), (4, 4), (3, 7), (950, 1000)])
def test_wilson_interval_matches_scipy(right, n):
    expected = binomtest(right, n).proportion_ci(method="wilson")
    assert wilson_interval(right, n) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("right", "n"), [(0, 4), (4, 4), (3, 7), (950, 1000)])
def test_exact_interval_matches_scipy(right, n):
    expected = binomtest(right, n).proportion_ci(method="exact")
    assert exact_interval(right, n) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9])
def test_of_few_draws_the_exact_interval_keeps_its_promise_whatever_the_share(n):
    intervals = np.array([exact_interval(right, n) for right in range(n + 1)])
    for share in np.linspace(0.5, 0.99, 50):
        holds = (intervals[:, 0] <= share) & (share <= intervals[:, 1])
        assert binom.pmf(np.arange(n + 1), n, share)[holds].sum() >= 0.95


def test_no_cells_leave_everything_possible():
    assert wilson_interval(0, 0) == exact_interval(0, 0) == (0.0, 1.0) == f1_interval(0, 0, 0)
    assert math.isnan(paired_difference(np.array([], bool), np.array([], bool))[0])


def draw(rng, n):
    """Return n cells of two types; 30 % of the second are called the first."""
    true = (rng.random(n) < 0.3).astype(int)
    return true, np.where(rng.random(n) < 0.3, 0, true)


def test_intervals_of_f1_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    exact = [f1_score(*draw(rng, 400_000), pos_label=k) for k in (0, 1)]
    f1, macro = [], []
    for _ in range(300):
        found = score(*draw(rng, 150), ["a", "b"])
        low, high = found.types[1].f1_interval
        assert low <= found.types[1].f1 <= high
        f1.append(low <= exact[1] <= high)
        low, high = found.macro_f1_interval
        macro.append(low <= np.mean(exact) <= high)
    assert 0.91 <= np.mean(f1) <= 0.99
    assert 0.90 <= np.mean(macro) <= 0.99


def test_the_same_cells_give_the_same_interval_of_the_mean():
    true, told = draw(np.random.default_rng(1), 100)
    first, second = (score(true, told, ["a", "b"]) for _ in range(2))
    assert first.macro_f1_interval == second.macro_f1_interval
    assert first.macro_f1_interval[0] < first.macro_f1 < first.macro_f1_interval[1]


def test_the_paired_difference_counts_only_cells_judged_differently():
    first = np.array([1, 1, 1, 0, 0], bool)
    second = np.array([1, 0, 0, 1, 0], bool)
    difference, (low, high) = paired_difference(first, second)
    assert difference == pytest.approx(first.mean() - second.mean())
    assert low < difference < high
    back, mirrored = paired_difference(second, first)
    assert back == -difference and mirrored == (-high, -low)


def test_the_paired_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(600):
        common = rng.random(200) < 0.7
        first, second = (common & (rng.random(200) < q) for q in (0.95, 0.85))
        low, high = paired_difference(first, second)[1]
        held.append(low <= 0.7 * 0.10 <= high)
    assert 0.92 <= np.mean(held) <= 0.985
