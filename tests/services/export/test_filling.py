"""How many cells without a label take their prediction, and how right these are."""

from types import SimpleNamespace

import numpy as np
import pytest

from scanvi_core.metrics.confidence import SurestCells
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.export import columns, filling, methods
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.filling import NO_PREDICTION, WANTED
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(trained):
    return workspace(trained)


def confidence(opened):
    predictions = results.current(opened)
    return predictions.confidence[(opened.labels().codes < 0) & (predictions.prediction >= 0)]


def test_the_level_is_the_least_at_which_enough_are_right_by_their_confidence(opened):
    sure = filling.mostly_right(opened)
    own = confidence(opened).astype(float)
    assert own[own >= sure.threshold].mean() >= WANTED
    assert own[own >= sure.threshold - 0.02].mean() < WANTED
    assert sure.n_cells == (own >= sure.threshold).sum() > 0
    assert sure.threshold == round(sure.threshold, 2)


def test_every_prediction_and_none(opened):
    every, none = (filling.filling(opened, at) for at in (0.0, NO_PREDICTION))
    assert every.n_cells == len(confidence(opened)) and none.n_cells == 0
    labels, _ = columns.final_labels(opened, ExportChoice(threshold=NO_PREDICTION))
    assert ((labels != "") == (opened.labels().codes >= 0)).all()
    assert "confidence" not in methods.paragraph(opened, ExportChoice(threshold=NO_PREDICTION))


def test_without_calibration_no_level_is_promised(opened, monkeypatch):
    summary = results.current(opened).summary
    monkeypatch.setitem(summary, "temperature", 1.0)
    assert filling.mostly_right(opened) is None


def test_where_no_prediction_is_sure_none_is_filled_in(opened, monkeypatch):
    monkeypatch.setattr(filling, "open_confidence", lambda _: np.full(9, 0.9))
    assert filling.mostly_right(opened).n_cells == 0


def test_held_out_cells_that_were_right_less_often_raise_the_level(opened, monkeypatch):
    calibrated = filling.mostly_right(opened).threshold

    def measured(_, level):
        right = WANTED if level > calibrated + 0.05 else WANTED - 0.01  # well within its interval
        return SurestCells(1.0, level, 100, right, (0.8, 0.99))

    monkeypatch.setattr(filling, "measured", measured)
    assert filling.mostly_right(opened).threshold == pytest.approx(calibrated + 0.06)
    monkeypatch.setattr(filling, "measured", lambda *_: SurestCells(1.0, 0, 99, 0.5, (0.4, 0.6)))
    assert filling.mostly_right(opened).n_cells == 0


def test_no_level_is_offered_where_held_out_cells_end_before_enough_of_them_are_right(
    opened, monkeypatch
):
    calibrated = filling.mostly_right(opened).threshold

    def measured(_, level):
        few = level > calibrated + 0.05
        return None if few else SurestCells(1.0, level, 40, 0.9, (0.8, 0.99))

    monkeypatch.setattr(filling, "measured", measured)
    assert filling.mostly_right(opened).n_cells == 0


def test_what_is_promised_is_what_was_measured_else_what_the_model_expects(opened, monkeypatch):
    monkeypatch.setattr(filling, "measured", lambda *_: None)
    assert filling.promise(opened) == "the model expects 95 % or more to be right"
    known = SurestCells(1.0, 0.5, 99, 0.96, (0.9, 0.99))
    monkeypatch.setattr(filling, "measured", lambda *_: known)
    assert filling.promise(opened) == "95 % or more of held-out cells as sure were right"


def test_one_level_is_told_everywhere(opened, monkeypatch):
    assert filling.level_told(opened) == filling.mostly_right(opened).threshold
    monkeypatch.setattr(filling, "mostly_right", lambda _: None)
    assert filling.level_told(opened) == filling.SURE


def test_it_is_said_which_predictions_count_as_labels(opened):
    own = confidence(opened)
    n = (own >= 0.9).sum()
    assert filling.which(opened, 0.0) == f"Every prediction counts as a label: {own.size}."
    assert filling.which(opened, NO_PREDICTION).startswith(f"None of the {own.size} predictions")
    assert filling.which(opened, 0.9) == (
        f"Predictions of a confidence of 0.90 or more count as labels: {n} of {own.size}. "
        f"The other {own.size - n} are left out."
    )


def test_novel_cells_are_counted_among_those_that_are_filled_in(opened, monkeypatch):
    assert filling.n_novel(opened, 0.0) == 0  # nobody has looked yet
    predictions, state = results.current(opened), opened.labels()
    reason = np.zeros(opened.dataset.n_obs, np.int8)
    open_ = np.flatnonzero(results.filled(state, predictions, 0.0))
    reason[open_[:7]] = uncertainty.Reason.NOVEL
    reason[np.flatnonzero(state.codes >= 0)[:5]] = uncertainty.Reason.NOVEL  # these have a label
    monkeypatch.setattr(uncertainty, "reasons", lambda _: SimpleNamespace(reason=reason))
    assert filling.n_novel(opened, 0.0) == 7
    assert filling.n_novel(opened, filling.NO_PREDICTION) == 0
    n = open_.size
    assert filling.novel_sentence(opened, filling.NO_PREDICTION).startswith(
        f"7 of the {n} cells without a label look unlike every labeled cell, 0 of the 0 named"
    )
    reason[:] = 0
    assert filling.novel_sentence(opened, 0.0) == (
        f"None of the {n} cells without a label looks unlike every labeled cell."
    )
    monkeypatch.setattr(uncertainty, "reasons", lambda _: None)
    assert filling.novel_sentence(opened, 0.0) == ""
