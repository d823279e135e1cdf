"""Scores of predictions, against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from scanvi_core import config
from scanvi_core.metrics.classification import confusion_matrix, score, score_groups
from scanvi_core.metrics.confidence import calibration_error, reliability
from scanvi_core.metrics.intervals import wilson_interval

NAMES = ["B", "T", "NK", "DC", "pDC"]


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    true = rng.choice(5, 400, p=[0.4, 0.3, 0.2, 0.09, 0.01])
    predicted = np.where(rng.random(400) < 0.7, true, rng.integers(0, 5, 400))
    return true, predicted, rng.beta(5, 2, 400)


def test_confusion_has_true_labels_in_rows(cells):
    true, predicted, _ = cells
    expected = reference.confusion_matrix(true, predicted, labels=range(5))
    np.testing.assert_array_equal(confusion_matrix(true, predicted, 5), expected)


def test_scores_per_type_match_sklearn(cells):
    true, predicted, _ = cells
    found = score(true, predicted, NAMES).types
    columns = zip(
        *reference.precision_recall_fscore_support(true, predicted, labels=range(5)), strict=True
    )
    for kind, row in zip(found, columns, strict=True):
        assert (kind.precision, kind.recall, kind.f1, kind.support) == pytest.approx(row)
        right = confusion_matrix(true, predicted, 5)[NAMES.index(kind.name)].max()
        assert kind.recall_interval == wilson_interval(right, kind.support)
        assert kind.precision_interval == wilson_interval(right, kind.predicted)


def test_accuracy_and_macro_f1_match_sklearn(cells):
    true, predicted, _ = cells
    found = score(true, predicted, NAMES)
    assert found.accuracy == pytest.approx(reference.accuracy_score(true, predicted))
    common = np.flatnonzero(np.bincount(true, minlength=5) >= config.RARE_CELLS)
    expected = reference.f1_score(true, predicted, labels=common, average="macro")
    assert found.macro_f1 == pytest.approx(expected)


def test_rare_types_are_left_out_of_macro_f1_and_named():
    true = np.array([0] * 5 + [1] * 5 + [2] * (config.RARE_CELLS - 1))
    found = score(true, np.where(true == 2, 0, true), ["a", "b", "rare", "absent"])
    assert found.left_out == ("rare", "absent")
    assert found.macro_f1 == pytest.approx((10 / (10 + config.RARE_CELLS - 1) + 1) / 2)


def test_a_type_never_predicted_has_no_precision_but_an_f1_of_zero():
    kind = score(np.array([0, 0, 1, 1]), np.zeros(4, int), ["a", "b"]).types[1]
    assert math.isnan(kind.precision)
    assert (kind.recall, kind.f1) == (0.0, 0.0)


def test_cells_without_truth_are_left_out_and_without_prediction_are_wrong():
    found = score(np.array([-1, 0, 0, 1]), np.array([0, 0, -1, 1]), ["a", "b"])
    assert (found.n, found.accuracy) == (3, pytest.approx(2 / 3))
    assert found.types[0].recall == 0.5


def test_the_calibration_error_of_a_score_is_that_of_its_bins(cells):
    true, predicted, confidence = cells
    found = score(true, predicted, NAMES, confidence)
    assert len(found.bins) == 15
    assert found.ece == calibration_error(reliability(true == predicted, confidence))
    assert math.isnan(score(true, predicted, NAMES).ece)


def test_batches_are_counted_the_worst_first():
    right = np.array([1, 1, 0, 0, 1, 1], bool)
    worst, best = score_groups(right, np.array([0, 0, 2, 2, 2, 0]), ["x", "empty", "y"])
    assert (worst.name, worst.n, worst.accuracy) == ("y", 3, pytest.approx(1 / 3))
    assert (best.name, best.n, best.accuracy) == ("x", 3, 1.0)
    assert best.interval == wilson_interval(3, 3)


def test_no_cells_give_no_numbers():
    found = score(np.array([], int), np.array([], int), ["a", "b"], np.array([]))
    assert found.n == 0
    assert found.interval == (0.0, 1.0)
    assert all(map(math.isnan, (found.accuracy, found.macro_f1, found.ece)))
