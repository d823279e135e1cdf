"""Which of the labels that were brought look wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

RATE = 0.1  # share of the flagged cells that may be right all the same
FLOOR = 1e-12
MAX_SHARE = 0.5  # of wrong labels that is thought possible
STARTS = (1e-3, 0.02, 0.1)  # shares of wrong labels that the search starts from


@dataclass(frozen=True, slots=True, eq=False)
class LabelCheck:
    """What the check found; all arrays are [n].

    Parameters
    ----------
    score
        Probability that the label is wrong; NaN for cells without an out-of-fold judgment.
    flagged
        Cells whose label a reviewer should look at.
    suggestion
        Code of the type the cell looks like instead, -1 where there is no judgment.
    share
        Estimated share of wrong labels.
    temperature
        Of the probabilities, as fitted together with `share`.
    """

    score: np.ndarray
    flagged: np.ndarray
    suggestion: np.ndarray
    share: float
    temperature: float


def check_labels(probabilities: np.ndarray, y: np.ndarray, rate: float = RATE) -> LabelCheck:
    """Score labels against out-of-fold probabilities.

    The label of a cell is thought to be its true type, drawn from p^(1/T), or, with a small
    probability e, any other type. T and e are fitted to all labels together (maximum likelihood),
    so that over-confident models cry wolf no more often than they should, and some wrong labels
    do not make all others look doubtful. The score is the posterior probability of the second
    case. A cell is flagged by the p-value of its label under the first case (the probability of
    all types that are no likelier than it) at a false discovery rate of `rate` (Benjamini and
    Hochberg 1995, 10.1111/j.2517-6161.1995.tb02031.x).

    Parameters
    ----------
    probabilities
        Out-of-fold probabilities [n, K], of models that were not shown the label of the cell.
    y
        The labels' codes [n]; below 0 or from K on: none.
    rate
        Share of the flagged labels that may be right.
    """
    from scipy.stats import false_discovery_control

    n, n_labels = probabilities.shape
    usable = (y >= 0) & (y < n_labels) & np.isfinite(probabilities).all(axis=1)
    score, flagged = np.full(n, np.nan, dtype=np.float32), np.zeros(n, dtype=bool)
    suggestion = np.full(n, -1, dtype=np.int32)
    if usable.sum() < 2 or n_labels < 2:
        return LabelCheck(score, flagged, suggestion, 0.0, 1.0)
    truth = y[usable]
    logs = np.log(np.maximum(probabilities[usable].astype(np.float64), FLOOR))
    temperature, share = _fit(logs, truth)
    p = softmax(logs / temperature, axis=1)
    own = p[np.arange(len(truth)), truth]
    wrong = share * (1.0 - own) / (n_labels - 1)
    score[usable] = wrong / (wrong + (1.0 - share) * own + FLOOR)
    as_unlikely = np.where(p <= own[:, None] * (1 + 1e-9), p, 0.0).sum(axis=1)
    # a sum of probabilities may be above 1 by rounding
    flagged[usable] = false_discovery_control(np.minimum(as_unlikely, 1.0)) <= rate
    others = np.where(np.arange(n_labels) == truth[:, None], -1.0, p)
    suggestion[usable] = others.argmax(axis=1)
    return LabelCheck(score, flagged, suggestion, share, temperature)


def _fit(logs: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Return the temperature and the share of wrong labels that explain the labels best."""
    from scipy.optimize import minimize

    rows, n_labels = np.arange(len(truth)), logs.shape[1]

    def cost(parameters: np.ndarray[Any, Any]) -> float:
        share = MAX_SHARE / (1.0 + np.exp(-parameters[1]))
        own = softmax(logs / np.exp(parameters[0]), axis=1)[rows, truth]
        likelihood = (1.0 - share) * own + share * (1.0 - own) / (n_labels - 1)
        return float(-np.log(np.maximum(likelihood, FLOOR)).sum())

    starts = [[0.0, np.log(s / (MAX_SHARE - s))] for s in STARTS]
    bounds = [(-2.0, 2.0), (-12.0, 12.0)]
    fits = [minimize(cost, start, method="Nelder-Mead", bounds=bounds) for start in starts]
    log_t, odds = min(fits, key=lambda fit: fit.fun).x
    return float(np.exp(log_t)), float(MAX_SHARE / (1.0 + np.exp(-odds)))
