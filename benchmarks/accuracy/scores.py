"""How good probabilities are on hidden cells, by scikit-learn and NumPy alone."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score

N_BINS = 15


@dataclass(frozen=True, slots=True)
class Scores:
    """Accuracy, macro-F1 over the types that are there, and expected calibration error."""

    accuracy: float
    macro_f1: float
    ece: float


def scores(types: np.ndarray, probabilities: np.ndarray) -> Scores:
    """Judge what a method says about hidden cells.

    Parameters
    ----------
    types
        True codes [n] of hidden cells.
    probabilities
        What a method says about them [n, K]; NaN rows are answers it does not give, and wrong.
    """
    answered = ~np.isnan(probabilities).any(axis=1)
    filled = np.where(answered[:, None], probabilities, 0.0)
    predicted = np.where(answered, filled.argmax(axis=1), -1)
    f1 = f1_score(types, predicted, labels=np.unique(types), average="macro", zero_division=0)
    return Scores(
        float(accuracy_score(types, predicted)),
        float(f1),
        calibration_error(predicted == types, filled.max(axis=1)),
    )


def calibration_error(right: np.ndarray, confidence: np.ndarray, n_bins: int = N_BINS) -> float:
    """Return the mean gap between confidence and accuracy over bins of equally many cells.

    The adaptive form of Guo et al. 2017, arXiv:1706.04599, equation 3 (Nixon et al. 2019,
    arXiv:1904.01685): cells are sorted by `confidence` [n] and cut into `n_bins` parts, which
    differ by at most one cell; each part counts by its cells.
    """
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, n_bins) if len(part)]
    gaps = [abs(float(right[part].mean() - confidence[part].mean())) for part in parts]
    return float(np.average(gaps, weights=[len(part) for part in parts]))
