"""What models say about labeled cells whose label they were not shown."""

import numpy as np
from scipy import sparse

from scanvi_core.annotation.model.linear_models import (
    Components,
    components_of,
    ensemble,
    fit_linear_models,
)
from scanvi_core.annotation.model.prediction import BLOCK
from scanvi_core.data.blocks.rows import take_rows

N_FOLDS = 5


def stratified_folds(
    y: np.ndarray, n_labels: int, random: np.random.Generator, n_folds: int = N_FOLDS
) -> np.ndarray:
    """Deal the labeled cells of each type into folds as evenly as they go.

    Parameters
    ----------
    y
        Label codes [n]; cells below 0 or from `n_labels` on get no fold.
    n_labels
        Number of types.
    random
        Decides who goes where.
    n_folds
        How many folds.

    Returns
    -------
    Fold of each cell [n], -1 for none. A type's lone cell has no fold either: without it no model
    would know the type.
    """
    fold = np.full(len(y), -1)
    dealt = 0
    for label in range(n_labels):
        rows = random.permutation(np.flatnonzero(y == label))
        if len(rows) > 1:
            fold[rows] = (dealt + np.arange(len(rows))) % n_folds
            dealt += len(rows)
    return fold


def linear_models_out_of_fold(
    counts: sparse.csr_array,
    y: np.ndarray,
    n_labels: int,
    random: np.random.Generator,
    n_folds: int = N_FOLDS,
    components: Components | None = None,
    allowed: np.ndarray | None = None,
) -> np.ndarray:
    """Let the linear models judge each labeled cell, fitted on the other folds.

    Parameters
    ----------
    counts, y, n_labels, random, components, allowed
        As `linear_models.fit_linear_models`.
    n_folds
        How many folds.

    Returns
    -------
    Geometric mean of the two models' probabilities [n, K], float32; NaN where the others are of
    one type, and for cells without a fold (see `stratified_folds`). The components are
    taken from all cells: they know no labels.
    """
    fold = stratified_folds(y, n_labels, random, n_folds)
    judged = np.full((len(y), n_labels), np.nan, dtype=np.float32)
    components = components or components_of(counts, random)
    for k in range(n_folds):
        own = np.flatnonzero(fold == k)
        if not own.size:
            continue
        others = np.where(fold == k, -1, y)
        if np.unique(others[(others >= 0) & (others < n_labels)]).size < 2:
            continue  # no model can be fitted to one type
        fitted = fit_linear_models(counts, others, n_labels, random, components, allowed=allowed)
        for at in range(0, own.size, BLOCK):
            rows = own[at : at + BLOCK]
            judged[rows] = ensemble(*fitted.predict(take_rows(counts, rows)))
    return judged
