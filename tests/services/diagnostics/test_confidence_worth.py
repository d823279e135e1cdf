"""What a confidence is worth: by held-out cells, else by the calibration, else unknown."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from scanvi_core.services.diagnostics import confidence_worth
from scanvi_core.services.diagnostics import held_out as diagnostics_held_out
from scanvi_core.services.runs import results
from scanvi_core.services.runs.results import Results
from scanvi_core.services.workspace import workspace


@pytest.fixture
def opened(trained):
    return workspace(trained)


@pytest.fixture
def held_out(opened):
    return diagnostics_held_out.held_out(opened, opened.current_run().id)


def test_the_share_of_held_out_cells_equals_an_independent_computation(opened, held_out):
    level = float(np.round(np.quantile(held_out.confidence, 0.1), 2))
    sure = held_out.confidence >= level
    n, right = int(sure.sum()), int((held_out.prediction == held_out.truth)[sure].sum())
    low, high = binomtest(right, n).proportion_ci(method="wilson")
    assert confidence_worth.sentence(opened, level) == (
        f"Of held-out cells with a confidence of {level:.2f} or more, {100 * right / n:.0f} % "
        f"were right (n = {n}, 95 % interval {100 * low:.0f} to {100 * high:.0f} %)."
    )


@pytest.mark.parametrize(("n", "few"), [(0, "0 held-out cells"), (29, "only 29 held-out cells")])
def test_too_few_held_out_cells_leave_the_calibration_and_without_it_nothing(
    opened, held_out, monkeypatch, n, few
):
    confidence = np.where(np.arange(held_out.rows.size) < n, 0.99, 0.0)
    other = replace(held_out, confidence=confidence)
    monkeypatch.setattr(confidence_worth, "held_out", lambda *_: other)
    predictions = results.current(opened)
    own = predictions.confidence[(opened.labels().codes < 0) & (predictions.prediction >= 0)]
    level = round(float(np.median(own)), 2)
    told = own[own >= level].mean()
    assert confidence_worth.sentence(opened, level) == (
        f"The model expects about {100 * told:.0f} % of the predictions with a confidence of "
        f"{level:.2f} or more to be right, if the labels it learned are. Not checked: {few} of 30 "
        "needed; the random check on Review can tell."
    )
    monkeypatch.setattr(Results, "is_calibrated", False)
    assert confidence_worth.sentence(opened, level) == (
        f"How often predictions with a confidence of {level:.2f} or more are right is not known: "
        f"{few} of 30 needed."
    )
