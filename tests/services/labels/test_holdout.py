"""Labels set aside teach nothing: what every fit is given, chance, and whole donors."""

import numpy as np
import pytest

from scanvi_core.annotation.model import annotator, out_of_fold
from scanvi_core.errors import LabelsUnusable, SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics import held_out as diagnostics_held_out
from scanvi_core.services.diagnostics import holdout_report
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def state(project):
    return workspace(project).labels()


def truth_of(project):
    """Return the true names of the cells set aside now, and their rows, from the store alone."""
    now = state(project)
    rows = np.flatnonzero(now.holdout & (now.codes >= 0))
    return np.array(now.names, dtype=object)[now.codes[rows]], rows


# What labels set aside may touch ----------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch):
    """Record what every fit in the program is given: the network, the linear models, T."""
    found = {"data": [], "fitted": [], "calibrated": []}
    fit, linear_models, calibrate = (
        annotator.fit, annotator.fit_linear_models, annotator.fit_temperature,
    )  # fmt: skip

    def see_fit(module, data, *args, **more):
        found["data"].append(data)
        return fit(module, data, *args, **more)

    def see_linear_models(counts, y, *args, **more):
        found["fitted"].append((counts, np.array(y)))
        return linear_models(counts, y, *args, **more)

    def see_calibration(probabilities, y, *args, **more):
        found["calibrated"].append(np.array(y))
        return calibrate(probabilities, y, *args, **more)

    monkeypatch.setattr(annotator, "fit", see_fit)
    for place in (annotator, out_of_fold):
        monkeypatch.setattr(place, "fit_linear_models", see_linear_models)
    monkeypatch.setattr(annotator, "fit_temperature", see_calibration)
    return found


@pytest.mark.parametrize("how", [holdout.CELLS, holdout.HIDDEN, holdout.GROUP])
def test_training_and_hold_out_never_meet(labeled, train_now, request_brief, seen, how):
    if how != holdout.CELLS:
        request = HoldoutRequest(how, column="batch", values=("batch 3", "batch 5"))
        holdout.set_aside(workspace(labeled), request)
    run = Run.open(workspace(labeled).project, train_now(labeled, request_brief))
    aside = state(labeled).holdout
    inside = np.flatnonzero(~aside) if how == holdout.GROUP else np.arange(700)
    (data,) = seen["data"]
    assert data.counts.shape[0] == inside.size
    assert (data.y[aside[inside]] == -1).all() and (data.y >= 0).any()
    assert not data.validation[aside[inside]].any() and data.validation.any()
    for _, y in seen["fitted"]:
        assert (y[aside[inside]] == -1).all()
    for y in seen["calibrated"]:
        assert (y[aside[inside]] == -1).all() and (y >= 0).any()
    assert (np.array(run.array("y"))[aside] == -1).all()
    assert (
        diagnostics_held_out.held_out(workspace(labeled), run.id).rows.size
        == truth_of(labeled)[0].size
    )


def test_permuted_labels_score_like_chance(project, train_now, request_brief):
    opened = workspace(project)
    codes = np.random.default_rng(0).permutation(np.arange(700) % 4).astype(np.int32)
    opened.store.append(events.import_labels(["a", "b", "c", "d"], codes))
    holdout.set_aside(workspace(project), HoldoutRequest(fraction=0.5))
    train_now(project, request_brief)
    report = holdout_report.report(workspace(project))
    assert report.scores.n > 250
    low, high = report.scores.interval
    assert low - 0.05 < 0.25 < high + 0.05
    assert report.scores.macro_f1 < 0.35


# Donors -----------------------------------------------------------------------------------------


def test_hidden_donors_keep_their_counts_among_the_unlabeled_cells(
    labeled, train_now, request_brief
):
    request = HoldoutRequest(holdout.HIDDEN, column="batch", values=("batch 3",))
    own = (workspace(labeled).dataset.obs["batch"] == "batch 3").to_numpy()
    assert holdout.set_aside(workspace(labeled), request) == own.sum()
    assert (state(labeled).holdout == own).all()
    run = Run.open(workspace(labeled).project, train_now(labeled, request_brief))
    assert run.summary["n_cells"] == 700
    assert results.current(workspace(labeled)).summary["holdout"]["n"] == truth_of(labeled)[0].size
    report = holdout_report.report(workspace(labeled))
    assert report.batches["batch"].tolist() == ["batch 3"]
    assert "shown their counts, but none of their labels" in report.reading


@pytest.mark.parametrize("how", [holdout.HIDDEN, holdout.GROUP])
def test_donors_that_would_give_no_score_are_refused(labeled, how):
    before = state(labeled).seq
    with pytest.raises(SettingInvalid, match="No donor was chosen"):
        holdout.set_aside(workspace(labeled), HoldoutRequest(how, column="batch"))
    own = np.flatnonzero(workspace(labeled).dataset.obs["batch"] == "batch 3")
    edit.clear_cells(workspace(labeled), own, "lasso")
    with pytest.raises(LabelsUnusable, match="No cell of batch 3 has a label"):
        holdout.set_aside(
            workspace(labeled), HoldoutRequest(how, column="batch", values=("batch 3",))
        )
    assert state(labeled).seq == before + 1


def test_the_way_of_an_earlier_hold_out_can_be_asked_for(labeled):
    seq = state(labeled).seq
    holdout.set_aside(
        workspace(labeled), HoldoutRequest(holdout.HIDDEN, column="batch", values=("batch 3",))
    )
    opened = workspace(labeled)
    assert holdout.how_now(opened, seq) == holdout.CELLS
    assert holdout.how_now(opened) == holdout.HIDDEN
