"""Groups of similar doubtful cells, those first whose review helps most; and random checks.

The suggestions of the review are :mod:`.card_order`; these groups are for cells that have a
reason in common (novel, technical), and for models of earlier versions. A group holds cells that
look alike to the model (close in z1) and that it hesitates about in the same way (same first and
second guess). First come the groups in which most cells are expected to be wrong, doubt times
size; a type with few labels counts twice.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core import config
from scanvi_core.annotation.review.asked import UNSURE, Asked
from scanvi_core.annotation.review.grouping import groups_of

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]

N_CANDIDATES = 4
FEW_LABELS = 10  # a type with fewer labeled cells comes sooner
N_CHECKS = 40  # of random cells; hardly anybody makes more
CHECK_CELLS = 9


@dataclass(frozen=True, slots=True, eq=False)
class ReviewGroup:
    """Similar cells to be named by one decision.

    Parameters
    ----------
    key
        The same for the same cells; survives a rebuilt queue.
    rows
        Positions of the cells, ascending.
    candidates
        The likeliest label codes with their mean probabilities, best first, four at most.
    confidence
        Mean of the cells' largest probabilities.
    gain
        Number of cells expected to have a wrong first guess: the sum of (1 - confidence).
    drawn
        The cell a random check is about, -1 in other groups.
    n_alike
        Open cells of the cluster that the group is the middle of, its own among them.
    asked
        Why it is asked, where a cluster's doubt is the reason.
    """

    key: str
    rows: Rows
    candidates: tuple[tuple[int, float], ...]
    confidence: float
    gain: float
    drawn: int = -1
    n_alike: int = 0
    asked: Asked | None = None


def review_queue(
    z1: Floats,
    probabilities: Floats,
    reviewable: npt.NDArray[np.bool_],
    *,
    known: npt.NDArray[np.integer[Any]] | None = None,
    max_items: int | None = None,
    threshold: float = config.LOW_CONFIDENCE,
    seed: int = 0,
) -> list[ReviewGroup]:
    """Group the cells to review and order the groups by what their review is worth.

    Parameters
    ----------
    z1
        Latent means [n, d].
    probabilities
        Calibrated probabilities [n, K]; rows with NaN (cells without counts) are left out.
    reviewable
        True for cells without a curated label [n].
    known
        Label codes [n], below 0 where there is none; None: no type has few labels.
    max_items
        None: every low-confidence cell is in exactly one group, and no other cell is in any.
        A number: groups of confident cells follow until there are so many, and the list ends
        there.
    threshold
        Cells whose largest probability is below are of low confidence.
    seed
        Start of the grouping; equal inputs give equal queues.
    """
    usable = np.asarray(reviewable, dtype=bool) & np.isfinite(probabilities).all(axis=1)
    confidence = np.where(usable, probabilities.max(axis=1, initial=0.0), np.inf)
    few = _with_few_labels(known, probabilities.shape[1])
    low = np.flatnonzero(confidence < threshold)
    groups = [
        replace(group, asked=Asked(UNSURE, len(group.rows), len(group.rows)))
        if threshold <= 1.0 else group
        for group in _ordered(low, z1, probabilities, few, seed)
    ]  # fmt: skip
    if max_items is None:
        return groups
    if len(groups) < max_items:
        rest = np.flatnonzero(np.isfinite(confidence) & (confidence >= threshold))
        groups += _ordered(rest, z1, probabilities, few, seed)
    return groups[:max_items]


def random_checks(
    z1: Floats,
    probabilities: Floats,
    sure: npt.NDArray[np.bool_],
    *,
    n: int = N_CHECKS,
    around: int = CHECK_CELLS,
    seed: int = 0,
) -> list[ReviewGroup]:
    """Draw cells evenly, such as those the model is sure of, each with cells like it around it.

    Whether the first guess for the drawn cell is right is an unbiased look at the accuracy of all
    of them: every cell is as likely to be drawn as any other. The others of a group, its nearest
    in z1 with the same first guess, are there to judge it by.

    Parameters
    ----------
    z1, probabilities, seed
        As `review_queue`.
    sure
        True for the cells to draw from [n].
    n
        How many to draw, without putting back.
    around
        Cells of a group; 1: the drawn one alone.

    Returns
    -------
    Groups in the order of the draws; `drawn` is the cell that was drawn.
    """
    rows = np.flatnonzero(np.asarray(sure, dtype=bool) & np.isfinite(probabilities).all(axis=1))
    first = probabilities[rows].argmax(axis=1) if rows.size else rows
    groups = []
    for at in np.random.default_rng(seed).permutation(rows.size)[:n]:
        near = rows[at : at + 1]
        if around > 1:  # distances to all cells of a type take long where there are many
            alike = rows[first == first[at]]
            distance = ((z1[alike] - z1[rows[at]]) ** 2).sum(axis=1)
            distance[alike == rows[at]] = -1.0  # first, whatever cells are the same as it
            near = alike[np.argpartition(distance, min(around, alike.size) - 1)[:around]]
        group = describe(np.sort(near), probabilities)
        groups.append(replace(group, drawn=int(rows[at])))
    return groups


def _with_few_labels(
    known: npt.NDArray[np.integer[Any]] | None, n_types: int
) -> npt.NDArray[np.bool_]:
    if known is None:
        return np.zeros(n_types, dtype=bool)
    return np.bincount(known[known >= 0], minlength=n_types)[:n_types] < FEW_LABELS


def _ordered(
    rows: Rows, z1: Floats, probabilities: Floats, few: npt.NDArray[np.bool_], seed: int
) -> list[ReviewGroup]:
    """Return the groups of some cells in order; those of types with `few` labels count twice."""
    parts = groups_of(rows, z1, probabilities, np.random.default_rng(seed))
    groups = [describe(np.sort(part), probabilities) for part in parts]

    def place(group: ReviewGroup) -> tuple[float, int]:
        return -group.gain * (1 + few[group.candidates[0][0]]), int(group.rows[0])

    return sorted(groups, key=place)


def key_of(rows: Rows) -> str:
    """Return a short name of some cells, the same for the same cells."""
    return hashlib.blake2b(rows.astype("<i8").tobytes(), digest_size=8).hexdigest()


def describe(rows: Rows, probabilities: Floats) -> ReviewGroup:
    """Return what the probabilities [n, K] say about the cells of a group, as a group."""
    own = np.asarray(probabilities[rows], dtype=np.float64)
    mean = own.mean(axis=0)
    best = np.argsort(-mean, kind="stable")[:N_CANDIDATES]
    confidence = own.max(axis=1)
    return ReviewGroup(
        key=key_of(rows),
        rows=rows,
        candidates=tuple((int(code), float(mean[code])) for code in best),
        confidence=float(confidence.mean()),
        gain=float((1.0 - confidence).sum()),
        n_alike=len(rows),
    )
