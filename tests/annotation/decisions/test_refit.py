"""Provisional probabilities: what a decision changes, what it leaves alone, and the fit itself."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from scanvi_core.annotation.decisions import refit as tested
from scanvi_core.annotation.decisions.refit import Known, fit_head, refit

NAMES = ("a", "b", "c")
CENTERS = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 0], [0, 0, 12]], dtype=float)


def cells(n=400, seed=0):
    """Four blobs; the model knows three types and doubts whether the fourth is of the first."""
    random = np.random.default_rng(seed)
    truth = np.arange(n) % 4
    z1 = (CENTERS[truth] + random.normal(size=(n, 3))).astype(np.float32)
    p = np.full((n, 3), 0.05, dtype=np.float32)
    p[np.arange(n), truth % 3] = 0.9
    p[truth == 3] = (0.5, 0.4, 0.1)
    y = np.where((np.arange(n) < 60) & (truth < 3), truth, -1)
    return z1, p, y, truth


def decided(y, rows, code):
    now = y.copy()
    now[rows] = code
    return now


def test_without_a_change_the_model_keeps_its_word():
    z1, p, y, _ = cells()
    found = refit(z1, p, Known(y, NAMES), Known(y, NAMES))
    np.testing.assert_allclose(found[y < 0], p[y < 0], rtol=1e-6)


def test_labeled_cells_keep_what_the_person_said():
    z1, p, y, _ = cells()
    now = decided(y, [200, 201], 2)
    found = refit(z1, p, Known(y, NAMES), Known(now, NAMES))
    known = now >= 0
    np.testing.assert_array_equal(found[known], np.eye(3)[now[known]])
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)


def test_a_decision_moves_cells_alike_and_no_others():
    z1, p, y, truth = cells()
    group = np.flatnonzero((truth == 3) & (y < 0))
    found = refit(z1, p, Known(y, NAMES), Known(decided(y, group[:30], 1), NAMES))
    assert (found[group[30:]].argmax(axis=1) == 1).mean() > 0.9
    others = (truth < 3) & (y < 0)
    assert (found[others].argmax(axis=1) == truth[others]).all()
    assert np.abs(found - p)[others].max() < 0.2


def test_a_type_that_is_new_appears_in_cells_alike():
    z1, p, y, truth = cells()
    group = np.flatnonzero((truth == 3) & (y < 0))
    now = Known(decided(y, group[:10], 3), (*NAMES, "new"))
    found = refit(z1, p, Known(y, NAMES), now)
    open_ = now.y < 0
    assert ((found[open_].argmax(axis=1) == 3) == (truth[open_] == 3)).all()


def test_a_few_decided_cells_count_beside_thousands_of_labels():
    z1, p, _, truth = cells(20_000)
    y = np.where((np.arange(20_000) < 15_000) & (truth < 3), truth, -1)
    group = np.flatnonzero((truth == 3) & (y < 0))
    found = refit(z1, p, Known(y, NAMES), Known(decided(y, group[:40], 1), NAMES))
    assert (found[group[40:]].argmax(axis=1) == 1).mean() > 0.9


def test_a_renamed_type_keeps_its_probabilities():
    z1, p, y, _ = cells()
    found = refit(z1, p, Known(y, NAMES), Known(y, ("a", "bee", "c")))
    np.testing.assert_allclose(found[y < 0], p[y < 0], rtol=1e-6)


def test_a_type_merged_into_another_gives_it_its_probabilities():
    z1, p, y, _ = cells()
    now = Known(np.where(y == 2, 1, y), ("a", "b"))
    found = refit(z1, p, Known(y, NAMES), now)
    together = np.stack([p[:, 0], p[:, 1] + p[:, 2]], axis=1)
    np.testing.assert_allclose(found[y < 0], together[y < 0], rtol=1e-6)


def test_codes_follow_the_names_when_their_order_changes():
    z1, p, y, _ = cells()
    order = np.array([2, 0, 1])
    now = Known(np.append(order, -1)[y], ("b", "c", "a"))
    found = refit(z1, p, Known(y, NAMES), now)
    np.testing.assert_allclose(found[y < 0][:, order], p[y < 0], rtol=1e-6)


def test_a_cell_known_by_its_group_gets_a_type_of_that_group():
    z1, p, y, truth = cells()
    groups = {"b": "G", "c": "G"}
    row = np.flatnonzero((truth == 0) & (y < 0))[0]
    now = Known(decided(y, [row], 4), NAMES, groups)  # groups in order: a, G
    found = refit(z1, p, Known(y, NAMES, groups), now)
    assert now.code_names == ("a", "b", "c", "a", "G")
    assert found[row, 0] == 0
    assert found[row].sum() == pytest.approx(1)


def test_cells_without_counts_stay_unknown_and_disturb_nobody():
    z1, p, y, truth = cells()
    z1[350], p[350] = np.nan, np.nan
    group = np.flatnonzero((truth == 3) & (y < 0))
    found = refit(z1, p, Known(y, NAMES), Known(decided(y, group[:30], 1), NAMES))
    assert np.isnan(found[350]).all()
    assert np.isfinite(np.delete(found, 350, axis=0)).all()


def test_equal_inputs_give_equal_bytes():
    z1, p, y, _ = cells(4_000)
    now = Known(decided(y, [300, 304], 1), NAMES)
    one, two = (refit(z1, p, Known(y, NAMES), now, seed=3) for _ in range(2))
    assert one.tobytes() == two.tobytes()


def test_the_head_is_the_weighted_penalized_regression():
    z1, _, _, truth = cells(200)
    keep = (truth != 2) | (np.arange(200) < 40)
    points, codes = z1[keep].astype(float), truth[keep]
    weights, seen = fit_head(points, np.eye(4, dtype=bool)[codes], codes, 4)
    say = 1 / np.sqrt(np.bincount(codes)[codes])
    model = LogisticRegression(C=1 / tested.RIDGE, tol=1e-8, max_iter=1_000)
    model.fit(points, codes, sample_weight=say * len(codes) / say.sum())
    scores = points @ weights[:-1] + weights[-1]
    expected = model.predict_proba(points)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), expected, atol=0.01)
    assert seen.all()


def test_a_group_label_counts_by_the_mass_of_its_types():
    random = np.random.default_rng(0)
    points = random.normal(size=(40, 2)) + 2 * (np.arange(40) % 2)[:, None]
    codes = np.where(np.arange(40) < 20, np.arange(40) % 3, 3)
    allowed = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)[codes]
    weights, _ = fit_head(points, allowed, codes, 3)
    say = 1 / np.sqrt(np.bincount(codes)[codes])
    say *= 40 / say.sum()

    def cost(flat):
        w = flat.reshape(3, 3)
        scores = points @ w[:2] + w[2]
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        mass = (np.exp(log_p) * allowed).sum(axis=1)
        return -(say * np.log(mass)).sum() + tested.RIDGE / 2 * (w[:2] ** 2).sum()

    best = minimize(cost, np.zeros(9)).fun
    assert cost(weights.ravel()) == pytest.approx(best, rel=1e-3)
