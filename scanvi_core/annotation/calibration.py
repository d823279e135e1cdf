"""Temperature scaling: probabilities that mean what they say."""

from dataclasses import dataclass

import numpy as np

MIN_CELLS = 15  # with fewer, a fitted temperature makes things worse
SPREAD = 0.4  # prior standard deviation of log T
BOUND = 2.0  # log T is looked for between -2 and 2
FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, the number of cells it was fitted on, and a sentence about it."""

    temperature: float = 1.0
    n_cells: int = 0
    note: str = "Not calibrated."

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return p^(1/T), renormalised [n, K]; rows of NaN stay NaN."""
        if self.temperature == 1.0:
            return probabilities
        logs = np.log(np.maximum(probabilities, FLOOR)) / self.temperature
        return _softmax(logs).astype(probabilities.dtype)


def fit_temperature(probabilities: np.ndarray, y: np.ndarray) -> Calibration:
    """Fit one temperature on cells the model was not trained on.

    Minimises the summed negative log-likelihood (Guo et al. 2017, "On calibration of modern
    neural networks") plus ``0.5 (log T / 0.4)^2``, which pulls T towards 1 where cells are few.
    Below 15 cells T stays 1: with so few a fitted temperature runs away.

    Parameters
    ----------
    probabilities
        Probabilities [n, K] of the cells.
    y
        Their true codes [n].
    """
    usable = (y >= 0) & (y < probabilities.shape[1]) & ~np.isnan(probabilities).any(axis=1)
    n = int(usable.sum())
    if n < MIN_CELLS:
        return Calibration(
            1.0, n, f"Not calibrated: {n} labelled cells to check on, {MIN_CELLS} needed."
        )
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(probabilities[usable].astype(np.float64), FLOOR))
    truth = y[usable]

    def cost(log_t: float) -> float:
        scaled = _softmax(logs / np.exp(log_t))[np.arange(n), truth]
        return float(-np.log(np.maximum(scaled, FLOOR)).sum() + 0.5 * (log_t / SPREAD) ** 2)

    found = minimize_scalar(cost, bounds=(-BOUND, BOUND), method="bounded")
    temperature = float(np.exp(found.x))
    return Calibration(
        temperature, n, f"Calibrated on {n} labelled cells (temperature {temperature:.2f})."
    )


def _softmax(logs: np.ndarray) -> np.ndarray:
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
