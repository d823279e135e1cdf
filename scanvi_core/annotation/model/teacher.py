"""What the network is taught halfway through its training: the answer of all models together.

With few labels a network that learns from counts and labels alone is less often right than a
regression on principal components, while the three together are right more often than each. So
once it has found its states, the network learns the answer of the three for every cell, beside the
labels (self-training by distillation: Hinton et al. 2015, arXiv:1503.02531; Xie et al. 2020,
"Self-training with Noisy Student", arXiv:1911.04252). It smooths that answer along the states it
finds where counts do not speak against it, and is right about as often as the three are.
"""

import numpy as np

from scanvi_core.annotation.model.linear_models import (
    FLOOR,
    Components,
    ensemble,
    fit_linear_models,
)
from scanvi_core.annotation.model.prediction import BLOCK
from scanvi_core.data.blocks.rows import take_rows
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.training import Teach


def teacher_of(
    data: TrainingData, allowed: np.ndarray, components: Components, random: np.random.Generator
) -> Teach:
    """Return what makes of the network's word on all cells what it is to learn.

    The linear models are not shown the labels of validation cells.

    Parameters
    ----------
    data
        The cells of a training, whose counts are in memory.
    allowed
        The types each code of a label leaves open, bool [codes, K]: no other is taught for a cell
        that has the label.
    components, random
        As `linear_models.fit_linear_models`.
    """

    def teach(alone: np.ndarray) -> np.ndarray:
        shown = data.hide_validation()
        fitted = fit_linear_models(shown.counts, shown.y, shown.n_labels, random, components)
        taught = np.empty_like(alone)
        for at in range(0, len(alone), BLOCK):
            rows = np.arange(at, min(at + BLOCK, len(alone)))
            linear = fitted.predict(take_rows(shown.counts, rows))
            taught[rows] = ensemble(alone[rows], *linear)
        known = np.flatnonzero(shown.y >= 0)
        left = np.maximum(taught[known], FLOOR) * allowed[shown.y[known]]
        taught[known] = left / left.sum(axis=1, keepdims=True)
        return taught

    return teach
