"""What the network is taught halfway through its training: the answer of all models together.

With few labels a network that learns from counts and labels alone is less often right than a
regression on principal components, while the three together are right more often than each. So
once it has found its states, the network learns the answer of the three for every cell, beside the
labels (self-training by distillation: Hinton et al. 2015, arXiv:1503.02531; Xie et al. 2020,
"Self-training with Noisy Student", arXiv:1911.04252). It smooths that answer along the states it
finds where counts do not speak against it, and is right about as often as the three are.
"""

from dataclasses import dataclass

import numpy as np

from scanvi_core.annotation.model.linear_models import (
    FLOOR,
    Components,
    components_of,
    ensemble,
    fit_linear_models,
)
from scanvi_core.annotation.model.prediction import BLOCK
from scanvi_core.data.blocks.rows import take_rows
from scanvi_core.train.loader import TrainingData


@dataclass(slots=True)
class Teacher:
    """Makes of the network's word on all cells what it is to learn; see `fit` of `train.loop`.

    Attributes
    ----------
    data
        The cells of a training, whose counts are in memory; the labels of validation cells are
        not shown to the linear models.
    allowed
        The types each code of a label leaves open, bool [codes, K]: no other is taught for a cell
        that has the label.
    seed
        Of what the linear models draw.
    space
        Components in which one of them is fitted; None until they are needed.
    """

    data: TrainingData
    allowed: np.ndarray
    seed: int
    space: Components | None

    def __call__(self, alone: np.ndarray) -> np.ndarray:
        """Return what the network, whose word is `alone` [n, K], is to say of each cell."""
        shown, random = self.data.hide_validation(), np.random.default_rng(self.seed)
        self.space = self.space or components_of(shown.counts, random)
        fitted = fit_linear_models(
            shown.counts, shown.y, shown.n_labels, random, self.space, allowed=self.allowed
        )
        taught = np.empty_like(alone)
        for at in range(0, len(alone), BLOCK):
            rows = np.arange(at, min(at + BLOCK, len(alone)))
            taught[rows] = ensemble(alone[rows], *fitted.predict(take_rows(shown.counts, rows)))
        known = np.flatnonzero(shown.y >= 0)
        left = np.maximum(taught[known], FLOOR) * self.allowed[shown.y[known]]
        taught[known] = left / left.sum(axis=1, keepdims=True)
        return taught
