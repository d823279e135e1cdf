import numpy as np
import pytest

from scanvi_core.annotation.uncertainty.prediction_sets import MIN_TYPE_CELLS, fewest, fit_sets
from scanvi_core.errors import LabelsUnusable, SettingInvalid


def draw(n, random, *, hard=False):
    """Labels of four types with probabilities that are off: the promise must not need good ones.

    With `hard`, type 3 is far harder than the others.
    """
    y = random.integers(0, 4, n)
    logits = random.normal(size=(n, 4))
    logits[np.arange(n), y] += np.where(y == 3, 0.0, 4.0) if hard else 1.5
    p = np.exp(2.0 * logits)
    return p / p.sum(1, keepdims=True), y


def hits(rule, p, y):
    return rule.apply(p)[np.arange(len(y)), y]


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("n", [19, 60, 400])
def test_the_sets_hold_the_truth_as_often_as_promised(n, coverage):
    random = np.random.default_rng(n)
    shares = []
    for _ in range(300):
        rule = fit_sets(*draw(n, random), coverage)
        shares.append(hits(rule, *draw(200, random)).mean())
    error = 4 * np.std(shares) / np.sqrt(len(shares))
    assert coverage - error <= np.mean(shares) <= coverage + 1 / (n + 1) + error


def test_each_type_with_enough_cells_keeps_the_promise():
    random = np.random.default_rng(0)
    found = {by_type: [] for by_type in (False, True)}
    for _ in range(100):
        calibration, new = draw(400, random, hard=True), draw(400, random, hard=True)
        for by_type, shares in found.items():
            rule = fit_sets(*calibration, by_type=by_type)
            shares.append(hits(rule, *new)[new[1] == 3].mean())
    assert np.mean(found[False]) < 0.75  # the hard type pays for the easy ones
    assert 0.88 < np.mean(found[True]) < 0.94


def test_a_rare_type_shares_the_threshold_of_all():
    p, y = draw(300, np.random.default_rng(1))
    rare = np.flatnonzero(y == 2)
    y[rare[MIN_TYPE_CELLS - 1 :]] = -1
    rule = fit_sets(p, y, by_type=True)
    assert rule.own == (True, True, False, True)
    assert rule.thresholds[2] == fit_sets(p, y).thresholds[2]


def test_the_threshold_is_the_conformal_quantile():
    p_true = np.random.default_rng(2).permutation(np.linspace(0.01, 0.99, 39))
    rule = fit_sets(np.column_stack([p_true, 1 - p_true]), np.zeros(39, dtype=int))
    assert rule.thresholds[0] == pytest.approx(np.sort(p_true)[3])  # floor(40 * 0.1) = 4th
    assert rule.n_cells == 39


def test_no_set_is_empty_and_the_likeliest_type_is_in():
    random = np.random.default_rng(3)
    p, y = draw(2000, random)
    rule = fit_sets(p, y, 0.05)
    sets = rule.apply(p)
    assert (sets.sum(1) == 1).any() and (sets.sum(1) >= 1).all()
    assert sets[np.arange(len(p)), p.argmax(1)].all()


def test_a_cell_without_counts_may_be_anything():
    rule = fit_sets(*draw(100, np.random.default_rng(4)))
    assert rule.apply(np.full((1, 4), np.nan)).all()


def test_cells_without_probabilities_or_labels_are_left_out():
    p, y = draw(100, np.random.default_rng(5))
    clean = fit_sets(p[20:], y[20:])
    p[:10], y[10:20] = np.nan, -1
    assert fit_sets(p, y) == clean


@pytest.mark.parametrize(("coverage", "needed"), [(0.9, 9), (0.8, 4), (0.95, 19), (0.5, 1)])
def test_too_few_cells_are_refused_with_the_number_needed(coverage, needed):
    p, y = draw(needed, np.random.default_rng(6))
    assert fewest(coverage) == needed
    assert fit_sets(p, y, coverage).n_cells == needed
    with pytest.raises(LabelsUnusable, match=str(needed - 1)) as refused:
        fit_sets(p[:-1], y[:-1], coverage)
    assert str(needed) in refused.value.hint


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90])
def test_a_coverage_out_of_range_is_refused(coverage):
    with pytest.raises(SettingInvalid):
        fit_sets(*draw(50, np.random.default_rng(7)), coverage)
