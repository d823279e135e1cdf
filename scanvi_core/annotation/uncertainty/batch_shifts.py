"""Batches with few labels are moved onto the others, before new types are looked for.

A whole batch that stands apart from nearly all labeled cells, as a query does from its reference,
would look new from end to end, however few of its cells were named meanwhile. How far it stands
apart is found type by type, where the cells predicted as a type lie densest near the labeled ones;
cells of a new type among them lie elsewhere, and are moved along.
"""

import numpy as np

from scanvi_core.annotation.uncertainty.novelty import whitened

FEW = 0.5  # of the share of labels among all cells: a batch with less has few
APART = 0.2  # mean square of a batch's mean shift, in spreads within types, from which it is moved
DENSEST = 0.2  # share of the cells predicted as a type that its place is found from
MIN_CELLS = 5  # predicted as a type, to find its place
MIN_LABELED = 3  # of a type, to know where it is
ROUNDS = 5  # of moving to the middle of the nearest cells
PASSES = 2  # the second begins where most types were found to be


def without_batch_shifts(
    points: np.ndarray, batch_index: np.ndarray, y: np.ndarray, prediction: np.ndarray
) -> np.ndarray:
    """Return the cells with batches of few labels that stand apart moved onto the others [n, d].

    A batch has few labels where their share is less than half of that among all cells. It stands
    apart where its cells are on average shifted by more than chance shows: halves of one batch
    differ by up to 0.08 in the mean square that is held against 0.2, and batches of one study
    that are told apart at sight by 0.4 to 3.

    Parameters
    ----------
    points
        Principal components [n, d], found without labels; rows of NaN are left as they are.
    batch_index
        Batch codes [n].
    y
        Label codes [n], below 0 where there is none.
    prediction
        Predicted label codes [n], below 0 where there is none.

    Returns
    -------
    numpy.ndarray
        `points` itself where no batch has few labels; else a copy, scaled so that types have
        unit spread where they are labeled well.
    """
    usable = np.isfinite(points).all(axis=1)
    few = _batches_of_few_labels(batch_index[usable], y[usable] >= 0)
    there = np.where(np.isin(batch_index, few) | ~usable, -1, y)
    types = np.flatnonzero(np.bincount(there[there >= 0], minlength=1) >= MIN_LABELED)
    if not len(few) or not len(types):
        return points
    moved = np.array(points, dtype=np.float64)
    moved[usable] = whitened(moved[usable], there[usable])
    middles = {int(k): moved[there == k].mean(axis=0) for k in types}
    said = np.where(y >= 0, y, prediction)
    for batch in few:
        rows = np.flatnonzero(usable & (batch_index == batch))
        shifts = _shifts(moved[rows], said[rows], middles)
        if (shifts.mean(axis=0) ** 2).mean() > APART:
            moved[rows] -= shifts
    return moved


def _batches_of_few_labels(batch_index: np.ndarray, labeled: np.ndarray) -> np.ndarray:
    """Return the codes of batches in which a cell is labeled less than half as often as in all."""
    present, index = np.unique(batch_index, return_inverse=True)
    share = np.bincount(index, labeled) / np.bincount(index)
    return present[share < FEW * labeled.mean()] if labeled.size else present


def _shifts(
    points: np.ndarray, prediction: np.ndarray, middles: dict[int, np.ndarray]
) -> np.ndarray:
    """Return how far each cell of a batch stands from its place in a labeled one [n, d]."""
    cells = {k: points[prediction == k] for k in middles}
    cells = {k: own for k, own in cells.items() if len(own) >= MIN_CELLS}
    if not cells:
        return np.zeros_like(points)
    shifts = {k: own.mean(axis=0) - middles[k] for k, own in cells.items()}
    for _ in range(PASSES):
        usual = np.median(list(shifts.values()), axis=0)
        shifts = {k: _densest(own, middles[k] + usual) - middles[k] for k, own in cells.items()}
    usual = np.median(list(shifts.values()), axis=0)
    return np.stack([shifts.get(int(k), usual) for k in prediction])


def _densest(points: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the middle of the cells that lie together nearest to a place (mean shift).

    Each round moves to the middle of the nearest fifth of the cells.
    """
    n = max(MIN_CELLS, int(DENSEST * len(points)))
    middle = start
    for _ in range(ROUNDS):
        nearest = np.argpartition(((points - middle) ** 2).sum(axis=1), n - 1)[:n]
        middle = points[nearest].mean(axis=0)
    return middle
