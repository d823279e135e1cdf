"""What a model says about cells, and the numbers a reviewer reads from it."""

from dataclasses import dataclass, fields

import numpy as np

BLOCK = 65_536  # cells read at once: every copy of the table stays small


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model says about n cells; rows of cells without counts are NaN.

    Parameters
    ----------
    probabilities
        Final probabilities [n, K], float32: SCANVI and the linear models together, calibrated.
    scanvi
        Probabilities [n, K] of SCANVI alone, as the network gives them.
    z1
        Cell states [n, L], float32: the map that keeps types apart.
    z2
        States within the type [n, L], float32.
    """

    probabilities: np.ndarray
    scanvi: np.ndarray
    z1: np.ndarray
    z2: np.ndarray

    @classmethod
    def empty(cls, n: int, n_labels: int, n_latent: int) -> "Predictions":
        """Return arrays of n cells that are yet to be filled."""
        widths = n_labels, n_labels, n_latent, n_latent
        return cls(*(np.empty((n, width), np.float32) for width in widths))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """All four, in the order above."""
        return self.probabilities, self.scanvi, self.z1, self.z2

    def check(self, n: int, n_labels: int, n_latent: int) -> None:
        """Raise ValueError if these are not the arrays of n cells."""
        shapes = [(n, width) for width in (n_labels, n_labels, n_latent, n_latent)]
        if [array.shape for array in self.arrays] != shapes:
            raise ValueError(f"predictions of shapes {shapes} are needed")


@dataclass(frozen=True, slots=True)
class Summary:
    """The reading of a probability table, one value per cell; all arrays are [n].

    `label` and `second` are codes (int32, -1 where the cell has no probabilities; `second` is -1
    also where there is only one type). `margin` is confidence minus the second probability,
    `entropy` is divided by log(K), so that it goes from 0 (sure) to 1 (no idea).
    """

    label: np.ndarray
    confidence: np.ndarray
    second: np.ndarray
    margin: np.ndarray
    entropy: np.ndarray


def summarize(probabilities: np.ndarray) -> Summary:
    """Read label, confidence, runner-up, margin and entropy from probabilities [n, K].

    Rows of NaN stay NaN and get the codes -1.
    """
    starts = range(0, max(len(probabilities), 1), BLOCK)
    parts = [_summarize(probabilities[start : start + BLOCK]) for start in starts]
    names = (field.name for field in fields(Summary))
    return Summary(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _summarize(probabilities: np.ndarray) -> Summary:
    n, k = probabilities.shape
    known = ~np.isnan(probabilities).any(axis=1)
    filled = np.where(known[:, None], probabilities, 1.0 / k).astype(np.float64)
    order = np.argsort(-filled, axis=1, kind="stable")
    rows = np.arange(n)
    label, second = order[:, 0], order[:, min(1, k - 1)]
    confidence = filled[rows, label]
    runner_up = filled[rows, second] if k > 1 else np.zeros(n)
    logs = np.log(np.maximum(filled, np.finfo(np.float64).tiny))
    entropy = -(filled * logs).sum(axis=1) / (np.log(k) if k > 1 else 1.0)
    return Summary(
        label=np.where(known, label, -1).astype(np.int32),
        confidence=_masked(confidence, known),
        second=np.where(known & (k > 1), second, -1).astype(np.int32),
        margin=_masked(confidence - runner_up, known),
        entropy=_masked(np.clip(entropy, 0.0, 1.0), known),
    )


def _masked(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known, values, np.nan).astype(np.float32)
