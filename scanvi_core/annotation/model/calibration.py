"""Temperature scaling: probabilities that mean what they say."""

from dataclasses import dataclass

import numpy as np

MIN_CELLS = 30  # with fewer, even a share of 90 % is only known to about ten points
PRIOR = 1.2  # the temperature that suits data sets on average
SPREAD = 0.2  # prior standard deviation of log T
BOUND = 2.0  # log T is looked for between -2 and 2
FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, the number of cells it was fitted on, and a sentence about it."""

    temperature: float = 1.0
    n_cells: int = 0
    note: str = "Uncalibrated."

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return p^(1/T), renormalized [n, K]; rows of NaN stay NaN."""
        if self.temperature == 1.0:
            return probabilities
        from scipy.special import softmax

        logs = np.log(np.maximum(probabilities, FLOOR)) / self.temperature
        return softmax(logs, axis=1).astype(probabilities.dtype)


def fit_temperature(probabilities: np.ndarray, y: np.ndarray, prior: float = PRIOR) -> Calibration:
    """Fit one temperature on cells whose label the model was not shown.

    Minimizes the summed negative log-likelihood (Guo et al. 2017, "On calibration of modern
    neural networks", arXiv:1706.04599) plus ``0.5 (log(T / prior) / 0.2)^2``, which keeps T near
    `prior` where cells are few. Below 30 cells T stays 1 and the note says "Uncalibrated".

    The out-of-fold probabilities of the linear models (`linear_models_out_of_fold`) serve for the
    whole ensemble of them and SCANVI, too: on published data the temperature fitted on them was
    better than that of a second SCANVI trained without a fifth of the labels
    (``python -m benchmarks.quality.doubt``).

    Parameters
    ----------
    probabilities
        Probabilities [n, K] of the cells; rows with NaN are left out.
    y
        Their true codes [n]; cells below 0 or from K on are left out.
    prior
        The temperature expected before looking.
    """
    usable = (y >= 0) & (y < probabilities.shape[1]) & ~np.isnan(probabilities).any(axis=1)
    n = int(usable.sum())
    if n < MIN_CELLS:
        return Calibration(
            1.0, n, f"Uncalibrated: {n} labeled cells to check on, {MIN_CELLS} needed."
        )
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    logs = np.log(np.maximum(probabilities[usable].astype(np.float64), FLOOR))
    truth = y[usable]

    def cost(log_t: float) -> float:
        scaled = softmax(logs / np.exp(log_t), axis=1)[np.arange(n), truth]
        penalty = 0.5 * ((log_t - np.log(prior)) / SPREAD) ** 2
        return float(penalty - np.log(np.maximum(scaled, FLOOR)).sum())

    best = minimize_scalar(cost, bounds=(-BOUND, BOUND), method="bounded")
    temperature = float(np.exp(best.x))
    return Calibration(
        temperature, n, f"Calibrated on {n:,} labeled cells the judging models were not shown."
    )
