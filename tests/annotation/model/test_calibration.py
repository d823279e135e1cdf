import numpy as np
import pytest
from scipy.optimize import minimize

from scanvi_core.annotation.model.calibration import Calibration, fit_temperature
from scanvi_core.annotation.model.prediction import summarize


def overconfident(n, factor=2.0, seed=0):
    """Draw labels from known probabilities; return those probabilities sharpened, and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, 4)) * 1.5
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = np.array([random.choice(4, p=p) for p in true])
    sharp = true**factor
    return (sharp / sharp.sum(1, keepdims=True)).astype(np.float32), y


def test_the_temperature_undoes_a_known_overconfidence():
    p, y = overconfident(4000)
    assert fit_temperature(p, y).temperature == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("prior", [1.0, 1.2, 3.0])
def test_the_temperature_minimizes_the_penalized_likelihood(prior):
    p, y = overconfident(40)
    logs = np.log(p.astype(float))

    def cost(parameters):
        scaled = logs / np.exp(parameters[0])
        nll = np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(y)), y]
        return nll.sum() + 0.5 * ((parameters[0] - np.log(prior)) / 0.2) ** 2

    expected = float(np.exp(minimize(cost, [0.0]).x[0]))
    assert fit_temperature(p, y, prior).temperature == pytest.approx(expected, rel=1e-3)


def test_without_a_prior_of_ones_own_a_slight_overconfidence_is_expected():
    p, y = overconfident(40)
    assert fit_temperature(p, y).temperature == fit_temperature(p, y, 1.2).temperature


def test_the_prior_counts_for_less_the_more_cells_there_are():
    few, many = overconfident(40), overconfident(4000)
    gaps = [fit_temperature(*c, 4.0).temperature - fit_temperature(*c, 1.0).temperature
            for c in (few, many)]  # fmt: skip
    assert gaps[0] > 10 * gaps[1] > 0


def test_fewer_than_thirty_cells_are_not_calibrated_on():
    p, y = overconfident(60)
    y[29:] = -1
    found = fit_temperature(p, y)
    assert found.temperature == 1.0 and found.n_cells == 29
    assert found.note == "Uncalibrated: 29 labeled cells to check on, 30 needed."


def test_rows_of_nan_are_left_out_and_left_alone():
    p, y = overconfident(60)
    p[:10] = np.nan
    found = fit_temperature(p, y)
    assert found.n_cells == 50
    scaled = found.apply(p)
    assert np.isnan(scaled[:10]).all()
    assert np.allclose(scaled[10:].sum(1), 1, atol=1e-6)


def test_a_temperature_keeps_the_order_of_the_types():
    p, _ = overconfident(100)
    scaled = Calibration(2.0).apply(p)
    assert np.array_equal(scaled.argsort(1), p.argsort(1))
    assert scaled.max(1).mean() < p.max(1).mean()


def test_temperature_two_takes_square_roots():
    p = np.array([[0.64, 0.32, 0.04]], dtype=np.float32)
    assert np.allclose(Calibration(2.0).apply(p), np.sqrt(p) / np.sqrt(p).sum(), atol=1e-6)


def test_a_summary_reads_label_second_margin_and_entropy():
    found = summarize(np.array([[0.1, 0.7, 0.2], [np.nan] * 3, [1 / 3] * 3], dtype=np.float32))
    assert found.label.tolist() == [1, -1, 0]
    assert found.second.tolist() == [2, -1, 1]
    assert found.confidence[0] == pytest.approx(0.7) and found.margin[0] == pytest.approx(0.5)
    assert found.entropy[2] == pytest.approx(1.0)
    assert np.isnan([found.confidence[1], found.margin[1], found.entropy[1]]).all()


def test_a_sure_prediction_has_no_entropy():
    assert summarize(np.array([[0.0, 1.0]])).entropy[0] == 0.0


def test_a_summary_in_blocks_is_that_of_the_whole(monkeypatch):
    table = np.random.default_rng(0).dirichlet(np.ones(4), 23).astype(np.float32)
    table[9] = np.nan
    whole = summarize(table)
    monkeypatch.setattr("scanvi_core.annotation.model.prediction.BLOCK", 7)
    for name in ("label", "confidence", "second", "margin", "entropy"):
        np.testing.assert_array_equal(getattr(summarize(table), name), getattr(whole, name))
    assert len(summarize(table[:0]).label) == 0
