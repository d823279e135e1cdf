"""The review queue: small groups of similar cells, those first whose review helps most.

One decision of the user names a whole group, so a group holds cells that look alike to the model
(close in z1) and that it hesitates about in the same way (same first and second guess).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core import config

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]

MIN_CELLS = 5
MAX_CELLS = 300
N_CANDIDATES = 4
N_CHECKS = 40  # of random cells; hardly anybody makes more
CHECK_CELLS = 30
EXACT_KMEANS_CELLS = 5_000  # beyond, k-means looks at minibatches


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
    """

    key: str
    rows: Rows
    candidates: tuple[tuple[int, float], ...]
    confidence: float
    gain: float
    drawn: int = -1


def review_queue(
    z1: Floats,
    probabilities: Floats,
    reviewable: npt.NDArray[np.bool_],
    *,
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
    max_items
        None: every low-confidence cell is in exactly one group, and no other cell is in any.
        A number: groups of confident cells follow until there are so many, and the list ends
        there.
    threshold
        Cells whose largest probability is below are of low confidence.
    seed
        Start of the k-means; equal inputs give equal queues.
    """
    usable = np.asarray(reviewable, dtype=bool) & np.isfinite(probabilities).all(axis=1)
    confidence = np.where(usable, probabilities.max(axis=1, initial=0.0), np.inf)
    low = np.flatnonzero(confidence < threshold)
    groups = _ordered(low, z1, probabilities, seed)
    if max_items is None:
        return groups
    if len(groups) < max_items:
        rest = np.flatnonzero(np.isfinite(confidence) & (confidence >= threshold))
        groups += _ordered(rest, z1, probabilities, seed)
    return groups[:max_items]


def random_checks(
    z1: Floats,
    probabilities: Floats,
    sure: npt.NDArray[np.bool_],
    *,
    n: int = N_CHECKS,
    seed: int = 0,
) -> list[ReviewGroup]:
    """Draw cells evenly from those the model is sure of, each with cells like it around it.

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

    Returns
    -------
    Groups in the order of the draws; `drawn` is the cell that was drawn.
    """
    rows = np.flatnonzero(np.asarray(sure, dtype=bool) & np.isfinite(probabilities).all(axis=1))
    first = probabilities[rows].argmax(axis=1) if rows.size else rows
    groups = []
    for at in np.random.default_rng(seed).permutation(rows.size)[:n]:
        alike = rows[first == first[at]]
        distance = ((z1[alike] - z1[rows[at]]) ** 2).sum(axis=1)
        near = alike[np.argpartition(distance, min(CHECK_CELLS, alike.size) - 1)[:CHECK_CELLS]]
        found = _describe(np.union1d(near, rows[at]), probabilities)
        groups.append(replace(found, drawn=int(rows[at])))
    return groups


def _ordered(rows: Rows, z1: Floats, probabilities: Floats, seed: int) -> list[ReviewGroup]:
    parts = [
        part
        for pair in _pairs(rows, probabilities[rows])
        for part in _alike(pair, z1, _group_size(len(rows)), seed)
    ]
    groups = [_describe(np.sort(part), probabilities) for part in parts]
    return sorted(groups, key=lambda group: (-group.gain, int(group.rows[0])))


def _group_size(n_rows: int) -> int:
    """Return the size aimed at: few cells give small groups, so that there are several."""
    return int(np.clip(2 * np.sqrt(n_rows), 2 * MIN_CELLS, MAX_CELLS / 2))


def _pairs(rows: Rows, probabilities: Floats) -> list[Rows]:
    """Part rows by (first, second) guess; the few of a rare pair join one with the same first."""
    if not len(rows):
        return []
    order = np.argsort(-probabilities, axis=1, kind="stable")
    first, second = order[:, 0], order[:, min(1, order.shape[1] - 1)]
    by_first: dict[int, list[Rows]] = defaultdict(list)
    _, which = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    for members in _members(which):
        by_first[int(first[members[0]])].append(rows[members])
    return [pair for pairs in by_first.values() for pair in _join_rare(pairs)]


def _members(codes: npt.NDArray[Any]) -> list[Rows]:
    """Return the positions of each code, in the order of the codes."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _join_rare(pairs: list[Rows]) -> list[Rows]:
    large = [pair for pair in pairs if len(pair) >= MIN_CELLS]
    rare = [pair for pair in pairs if len(pair) < MIN_CELLS]
    if not rare:
        return large
    rest = np.concatenate(rare)
    if len(rest) >= MIN_CELLS or not large:
        return [*large, rest]
    largest = max(range(len(large)), key=lambda i: len(large[i]))
    large[largest] = np.concatenate([large[largest], rest])
    return large


def _alike(rows: Rows, z1: Floats, size: int, seed: int) -> Iterator[Rows]:
    """Part rows into groups close in z1, of MIN_CELLS to MAX_CELLS where there are enough."""
    n_groups = round(len(rows) / size)
    if n_groups < 2:
        yield from _halved(rows, z1)
        return
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = KMeans if len(rows) <= EXACT_KMEANS_CELLS else MiniBatchKMeans
    points = np.ascontiguousarray(z1[rows], dtype=np.float32)
    means = kind(n_groups, n_init=1, max_iter=20, random_state=seed).fit(points)
    codes = _absorb_small(means.labels_, means.cluster_centers_)
    for members in _members(codes):
        yield from _halved(rows[members], z1)


def _absorb_small(codes: npt.NDArray[Any], centres: Floats) -> npt.NDArray[Any]:
    """Give each group of fewer than MIN_CELLS to the nearest group that is large enough."""
    sizes = np.bincount(codes, minlength=len(centres))
    large = np.flatnonzero(sizes >= MIN_CELLS)
    if not len(large):
        return np.zeros_like(codes)
    to = np.arange(len(centres))
    for small in np.flatnonzero(sizes < MIN_CELLS):
        distance = ((centres[large] - centres[small]) ** 2).sum(axis=1)
        to[small] = large[distance.argmin()]
    return to[codes]


def _halved(rows: Rows, z1: Floats) -> Iterator[Rows]:
    """Cut a group larger than MAX_CELLS in halves across its longest axis, again and again."""
    if len(rows) <= MAX_CELLS:
        yield rows
        return
    centred = np.asarray(z1[rows], dtype=np.float64)
    centred -= centred.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(centred @ axes[:, -1], kind="stable")
    for half in np.array_split(rows[order], 2):
        yield from _halved(half, z1)


def _describe(rows: Rows, probabilities: Floats) -> ReviewGroup:
    own = np.asarray(probabilities[rows], dtype=np.float64)
    mean = own.mean(axis=0)
    best = np.argsort(-mean, kind="stable")[:N_CANDIDATES]
    confidence = own.max(axis=1)
    return ReviewGroup(
        key=hashlib.blake2b(rows.astype("<i8").tobytes(), digest_size=8).hexdigest(),
        rows=rows,
        candidates=tuple((int(code), float(mean[code])) for code in best),
        confidence=float(confidence.mean()),
        gain=float((1.0 - confidence).sum()),
    )
