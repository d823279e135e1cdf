"""Limits that are suggested on the numbers per cell, and what limits flag."""

import numpy as np
import pytest

from scanvi_core.data.qc import limits as qc_limits
from scanvi_core.data.qc.limits import Spread


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def cells(random):
    """Two batches, the second twice as deep, as values and batch codes."""
    batch = np.repeat([0, 1], [300, 200])
    return np.rint(random.lognormal(np.log(1000.0), 0.2, 500) * (1 + batch)), batch


def spread_of(values, batch, *, upper=False):
    return Spread.of(values, batch, int(batch.max()) + 1, upper=upper)


# What a limit flags ----------------------------------------------------------------------------


@pytest.mark.parametrize("upper", [False, True])
def test_limits_flag_as_many_cells_as_a_comparison_of_each(cells, upper):
    values, batch = cells
    limits = np.array([values[5], values[400]])  # values that occur: the limit itself is kept
    each = values > limits[batch] if upper else values < limits[batch]
    found = spread_of(values, batch, upper=upper).flagged(limits)
    assert found.tolist() == np.bincount(batch[each], minlength=2).tolist()


@pytest.mark.parametrize("upper", [False, True])
def test_the_bins_hold_every_cell_once_and_the_flagged_apart(cells, upper):
    values, batch = cells
    spread, limits = spread_of(values, batch, upper=upper), np.array([900.0, 2100.0])
    kept, flagged = spread.histogram(limits, [0, 1])
    low = np.digitize(values, spread.edges[1:-1])
    each = values > limits[batch] if upper else values < limits[batch]
    np.testing.assert_array_equal(kept, np.bincount(low[~each], minlength=qc_limits.BINS))
    np.testing.assert_array_equal(flagged, np.bincount(low[each], minlength=qc_limits.BINS))
    alone, _ = spread.histogram(limits, [1])
    np.testing.assert_array_equal(
        alone, np.bincount(low[~each & (batch == 1)], minlength=qc_limits.BINS)
    )


def test_cells_without_a_value_are_neither_counted_nor_flagged(cells):
    values, batch = cells
    values[:10] = np.nan
    spread = spread_of(values, batch, upper=True)
    assert spread.flagged(np.zeros(2)).tolist() == [290, 200]


# Suggested limits ------------------------------------------------------------------------------


def test_a_cell_far_below_its_batch_is_poor_and_no_other(cells):
    values, batch = cells
    values[0], values[300] = 100, 350  # of some 1,000 and 2,000
    limits = qc_limits.low_limits(spread_of(values, batch))
    assert np.flatnonzero(values < limits[batch]).tolist() == [0, 300]


def test_low_limits_lie_three_to_five_times_below_the_batch(random):
    batch = np.repeat([0, 1], 2000)
    for width, fold in ((0.05, 3.0), (0.45, np.exp(3 * 0.45)), (2.0, 5.0)):
        values = random.lognormal(np.log(5000.0), width, 4000) * (1 + 9 * batch)
        limits = qc_limits.low_limits(spread_of(values, batch))
        middles = [np.median(values[batch == code]) for code in (0, 1)]
        np.testing.assert_allclose(limits, np.array(middles) / fold, rtol=0.06)


def test_high_limits_lie_five_deviations_above_the_batch_but_not_below_the_least(random):
    batch = np.repeat([0, 1], 2000)
    values = np.abs(random.normal(0, 1, 4000) + 12 * batch + 6)
    limits = qc_limits.high_limits(spread_of(values, batch, upper=True), least=15.0, step=0.5)
    assert limits[0] == 15.0
    assert limits[1] == pytest.approx(18 + 5, abs=0.6)
    assert (limits * 2 == np.rint(limits * 2)).all()


def test_a_small_batch_is_measured_by_all_cells(random):
    values = np.concatenate([random.lognormal(7, 0.1, 300), [20.0, 21.0, 22.0]])
    limits = qc_limits.low_limits(spread_of(values, np.repeat([0, 1], [300, 3])))
    assert limits[1] == limits[0] > 22


@pytest.mark.parametrize(
    ("middle", "step"), [(0, 1), (90, 1), (1234, 10), (2100, 20), (99_000, 500)]
)
def test_sliders_have_round_steps(middle, step):
    assert qc_limits.step_of(middle) == step
