"""Decisions as evidence: what each cell of a named group is taken to be."""

import numpy as np
import pytest

from scanvi_core.annotation.decisions.refit import Known
from scanvi_core.annotation.decisions.soft_labels import (
    NEW_PURITY,
    PURITY,
    doubt,
    soft_labels,
    soften,
)


@pytest.fixture
def q():
    """Guesses about 40 cells of three types: most of the first, some clearly of the second."""
    random = np.random.default_rng(0)
    wide = random.dirichlet([6, 2, 1], 40)
    wide[30:] = random.dirichlet([1, 30, 1], 10)
    return wide


def test_a_named_group_gets_the_share_that_groups_deserve(q):
    soft = soften(q, 0)
    np.testing.assert_allclose(soft.sum(axis=1), 1.0)
    assert soft[:, 0].mean() == pytest.approx(PURITY, abs=1e-6)


def test_cells_of_another_type_stay_in_doubt_and_the_order_of_cells_stays(q):
    soft = soften(q, 0, purity=0.8)
    assert soft[30:, 0].mean() < 0.5 < soft[:30, 0].min()
    assert (np.argsort(soft[:, 0]) == np.argsort(q[:, 0])).all()


def test_the_odds_of_the_name_are_shifted_by_one_number(q):
    soft = soften(q, 0)
    shift = np.log(soft[:, 0] / (1 - soft[:, 0])) - np.log(q[:, 0] / (1 - q[:, 0]))
    assert np.ptp(shift) < 1e-4
    np.testing.assert_allclose(soft[:, 1] / soft[:, 2], q[:, 1] / q[:, 2], rtol=1e-6)


def test_a_group_that_was_sure_before_is_left_as_it_was():
    sure = np.tile([0.95, 0.04, 0.01], (5, 1))
    np.testing.assert_allclose(soften(sure, 0), sure, atol=1e-6)


def test_labels_that_are_certain_stay_and_open_cells_get_what_the_refit_says():
    random = np.random.default_rng(1)
    kind = np.repeat([0, 1], 50)
    z1 = random.normal(size=(100, 4)) + 3 * kind[:, None]
    p = np.where(kind[:, None] == np.arange(2), 0.9, 0.1)
    before = np.full(100, -1)
    before[[0, 1, 50, 51]] = [0, 0, 1, 1]
    now, decision = before.copy(), np.full(100, -1)
    now[60:70], decision[60:70] = 2, 7  # a new type
    now[20:30], decision[20:30] = 1, 8  # against what the model says
    now[99] = 1  # by hand
    soft = soft_labels(z1, p, Known(before, ("a", "b")), Known(now, ("a", "b", "c")), decision)
    assert soft.dtype == np.float32 and soft.shape == (100, 3)
    np.testing.assert_allclose(soft.sum(axis=1), 1.0, rtol=1e-5)
    assert soft[[0, 1], 0].tolist() == [1, 1] and soft[99, 1] == 1
    assert soft[60:70, 2].mean() == pytest.approx(NEW_PURITY, abs=1e-3)
    assert soft[20:30, 1].mean() == pytest.approx(PURITY, abs=1e-3)
    assert (soft[30:50].argmax(axis=1) == 0).all()


def test_cells_without_counts_have_no_soft_label():
    z1, p = np.random.default_rng(2).normal(size=(20, 3)), np.full((20, 2), 0.5)
    z1[4], p[4] = np.nan, np.nan
    y = np.arange(20) % 2
    y[10:] = -1
    now, decision = y.copy(), np.full(20, -1)
    now[10:15], decision[10:15] = 1, 3
    known = Known(y, ("a", "b")), Known(now, ("a", "b"))
    soft = soft_labels(z1, p, *known, decision)
    assert np.isnan(soft[4]).all() and np.isfinite(np.delete(soft, 4, axis=0)).all()


def test_a_label_that_may_be_wrong_shares_as_much_among_the_others_as_the_model_says():
    q = np.array([[0.2, 0.6, 0.2], [1.0, 0.0, 0.0]])
    soft = doubt(q, np.array([0, 0]), np.array([0.4, 0.1]))
    np.testing.assert_allclose(soft[0], [0.6, 0.3, 0.1])
    np.testing.assert_allclose(soft[1], [0.9, 0.05, 0.05])
