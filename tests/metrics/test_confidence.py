"""Reliability, calibration error and coverage, against plain loops."""

import math

import numpy as np
import pytest

from scanvi_core.metrics.confidence import (
    calibration_error,
    chance_error,
    coverage_curve,
    keep_above,
    keep_surest,
    reliability,
)


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    confidence = rng.beta(5, 2, 400)
    return rng.random(400) < confidence**2, confidence


def test_bins_hold_equally_many_cells_and_the_error_matches_a_plain_loop(cells):
    right, confidence = cells
    order = np.argsort(confidence)
    parts = [order[np.arange(400) * 15 // 400 == i] for i in range(15)]
    bins = reliability(right, confidence)
    assert [b.n for b in bins] == [len(part) for part in parts]
    assert [b.accuracy for b in bins] == pytest.approx([right[p].mean() for p in parts])
    assert [b.confidence for b in bins] == pytest.approx([confidence[p].mean() for p in parts])
    expected = sum(len(p) * abs(right[p].mean() - confidence[p].mean()) for p in parts) / 400
    assert calibration_error(bins) == pytest.approx(expected)


def test_cells_of_equal_confidence_share_a_bin_so_their_order_does_not_matter():
    right, confidence = np.array([1, 1, 1, 0], bool), np.full(4, 0.75)
    (only,) = reliability(right, confidence)
    assert (only.n, only.low, only.high) == (4, 0.75, 0.75)
    assert calibration_error([only]) == pytest.approx(0.0)
    ties = np.repeat([0.2, 0.6, 0.9], 20)
    mixed = np.random.default_rng(0).permutation(60)
    outcome = np.arange(60) % 3 == 0
    assert reliability(outcome, ties) == reliability(outcome[mixed], ties[mixed])


def test_cells_without_counts_are_left_out(cells):
    right, confidence = cells
    gaps = np.append(confidence, [np.nan] * 3)
    padded = np.append(right, [True] * 3)
    assert reliability(padded, gaps) == reliability(right, confidence)
    assert (
        coverage_curve(padded, gaps).accuracy == coverage_curve(right, confidence).accuracy
    ).all()
    assert keep_surest(padded, gaps, 1.0).n == 400


def test_an_honest_confidence_shows_the_error_of_chance(cells):
    _, confidence = cells
    rng = np.random.default_rng(1)
    errors = [
        calibration_error(reliability(rng.random(400) < confidence, confidence))
        for _ in range(300)
    ]
    assert chance_error(confidence) == pytest.approx(np.mean(errors), rel=0.05)
    assert chance_error(np.repeat(confidence, 100)) < 0.15 * chance_error(confidence)


def test_the_coverage_curve_matches_a_plain_loop(cells):
    right, confidence = cells[0], np.round(cells[1], 2)  # with ties
    curve = coverage_curve(right, confidence)
    assert (curve.confidence == np.unique(confidence)[::-1]).all()
    for coverage, threshold, accuracy in zip(
        curve.coverage, curve.confidence, curve.accuracy, strict=True
    ):
        kept = confidence >= threshold
        assert coverage == pytest.approx(kept.mean())
        assert accuracy == pytest.approx(right[kept].mean())
    assert curve.accuracy[-1] == pytest.approx(right.mean())


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8, 1.0])
def test_the_surest_share_is_kept_with_its_equals(cells, share):
    right, confidence = cells
    kept = keep_surest(right, confidence, share)
    best = np.argsort(-confidence)[: round(400 * share)]
    assert (kept.n, kept.coverage) == (len(best), pytest.approx(share))
    assert kept.accuracy == pytest.approx(right[best].mean())
    assert kept.confidence == confidence[best].min()
    low, high = kept.interval
    assert low < kept.accuracy <= high
    tied = keep_surest(np.ones(10, bool), np.repeat([0.9, 0.5], 5), share)
    assert tied.n == (5 if share <= 0.5 else 10)


def test_a_threshold_includes_cells_that_just_reach_it():
    kept = keep_above(np.array([1, 0, 1, 1], bool), np.array([0.9, 0.95, 0.89, np.nan]), 0.9)
    assert (kept.n, kept.accuracy, kept.coverage) == (2, 0.5, pytest.approx(2 / 3))


def test_no_cells_give_no_numbers():
    none, nothing = np.array([], bool), np.array([])
    assert reliability(none, nothing) == ()
    assert math.isnan(calibration_error(())) and math.isnan(chance_error(nothing))
    assert coverage_curve(none, nothing).coverage.size == 0
    assert math.isnan(keep_surest(none, nothing, 0.8).coverage)
    assert math.isnan(keep_above(none, nothing, 0.8).coverage)
    assert keep_surest(none, nothing, 0.8).n == keep_above(none, nothing, 0.9).n == 0
