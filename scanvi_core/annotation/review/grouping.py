"""Parting cells into groups that one decision may name: alike to the model, of the same guess."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]

MIN_CELLS = 5
PART_CELLS = 3  # of a part of a split group, where there are enough
MAX_CELLS = 300
MAX_PARTS = 4  # that a group is split into
TRIES = 5  # to split a group well
KMEANS_CELLS = 20_000  # more are cut in halves first: the time grows with cells times groups
PER_GROUP, ROUNDS = 30, 8  # cells that place the middle of a group, in so many rounds
BLOCK = 8_192  # rows of a table of distances


def groups_of(
    rows: Rows, z1: Floats, probabilities: Floats, random: np.random.Generator
) -> Iterator[Rows]:
    """Part `rows` into groups of cells close in z1 [n, d] with the same first guess.

    Of `MIN_CELLS` to `MAX_CELLS` where there are enough, and with the same second guess where
    that is not rare. `probabilities` [n, K] are those of all cells.
    """
    size = _group_size(len(rows))
    for pair in _pairs(rows, probabilities[rows]):
        yield from _alike(pair, z1, size, random)


def is_splittable(rows: Rows) -> bool:
    """Tell whether a group has cells enough for two."""
    return len(rows) >= 2 * PART_CELLS


def split_group(rows: Rows, z1: Floats, *, seed: int = 0) -> list[Rows]:
    """Part the cells of a mixed group into two to four smaller ones, the largest first.

    The group itself when it has too few cells.
    """
    if not is_splittable(rows):
        return [rows]
    n_parts = int(np.clip(len(rows) // (3 * PART_CELLS), 2, MAX_PARTS))
    points, random = np.ascontiguousarray(z1[rows], dtype=np.float32), np.random.default_rng(seed)
    tries = [nearest(points, _middles(points, n_parts, random)) for _ in range(TRIES)]
    codes, _distance = min(tries, key=lambda parting: float(parting[1].sum()))
    parts = [rows[part] for part in members(codes)]
    if len(parts) == 1:  # all in one place
        parts = np.array_split(rows, 2)
    return sorted(parts, key=len, reverse=True)


def _group_size(n_rows: int) -> int:
    """Return the size aimed at: few cells give small groups, so that there are several."""
    return int(np.clip(2 * np.sqrt(n_rows), 2 * MIN_CELLS, MAX_CELLS / 2))


def _pairs(rows: Rows, probabilities: Floats) -> list[Rows]:
    """Part rows by (first, second) guess; the few of a rare pair join one with the same first."""
    if not len(rows):
        return []
    first = probabilities.argmax(axis=1)
    others = probabilities.copy()
    others[np.arange(len(rows)), first] = -1.0
    by_first: dict[int, list[Rows]] = defaultdict(list)
    which = first * probabilities.shape[1] + others.argmax(axis=1)
    for own in members(which):
        by_first[int(first[own[0]])].append(rows[own])
    return [pair for pairs in by_first.values() for pair in _join_rare(pairs)]


def members(codes: npt.NDArray[Any]) -> list[Rows]:
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


def _alike(rows: Rows, z1: Floats, size: int, random: np.random.Generator) -> Iterator[Rows]:
    """Part rows into groups close in z1, of MIN_CELLS to MAX_CELLS where there are enough."""
    for near in _halved(rows, z1, KMEANS_CELLS):
        n_groups = round(len(near) / size)
        if n_groups < 2:
            yield from _halved(near, z1)
            continue
        points = np.ascontiguousarray(z1[near], dtype=np.float32)
        middles = _middles(points, n_groups, random)
        codes = _absorb_small(nearest(points, middles)[0], middles)
        for own in members(codes):
            yield from _halved(near[own], z1)


def _middles(points: Floats, n_groups: int, random: np.random.Generator) -> Floats:
    """Return the middles [n_groups, d] that k-means finds in a few rounds on a draw.

    Groups of dozens of cells have no one right place, so that few rounds are enough.
    """
    drawn = points[random.permutation(len(points))[: PER_GROUP * n_groups]]
    middles = drawn[:n_groups].copy()
    for _ in range(ROUNDS):
        codes, _distance = nearest(drawn, middles)
        sizes = np.bincount(codes, minlength=n_groups)
        filled = np.flatnonzero(sizes)
        ordered = drawn[np.argsort(codes, kind="stable")]
        sums = np.add.reduceat(ordered, (np.cumsum(sizes) - sizes)[filled])
        middles[filled] = sums / sizes[filled, None]
    return middles


def nearest(points: Floats, middles: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return which middle [m, d] is nearest to each point [n, d], and its squared distance."""
    lengths = (middles**2).sum(axis=1)
    which = np.empty(len(points), dtype=np.int64)
    distance = np.empty(len(points), dtype=np.float64)
    for start in range(0, len(points), BLOCK):
        block = points[start : start + BLOCK]
        table = lengths - 2.0 * (block @ middles.T)
        best = table.argmin(axis=1)
        which[start : start + BLOCK] = best
        squares = table[np.arange(len(block)), best] + (block**2).sum(axis=1)
        distance[start : start + BLOCK] = np.maximum(squares, 0.0)
    return which, distance


def _absorb_small(codes: npt.NDArray[Any], centers: Floats) -> npt.NDArray[Any]:
    """Give each group of fewer than MIN_CELLS to the nearest group that is large enough."""
    sizes = np.bincount(codes, minlength=len(centers))
    large = np.flatnonzero(sizes >= MIN_CELLS)
    if not len(large):
        return np.zeros_like(codes)
    to = np.arange(len(centers))
    for small in np.flatnonzero(sizes < MIN_CELLS):
        distance = ((centers[large] - centers[small]) ** 2).sum(axis=1)
        to[small] = large[distance.argmin()]
    return to[codes]


def _halved(rows: Rows, z1: Floats, most: int = MAX_CELLS) -> Iterator[Rows]:
    """Cut a group larger than `most` in halves across its longest axis, again and again."""
    if len(rows) <= most:
        yield rows
        return
    centered = np.asarray(z1[rows], dtype=np.float64)
    centered -= centered.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T @ centered)
    order = np.argsort(centered @ axes[:, -1], kind="stable")
    for half in np.array_split(rows[order], 2):
        yield from _halved(half, z1, most)
