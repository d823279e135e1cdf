"""Which cells stand for all of them: where all would be too many to lay out or to draw."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]

SQUARES = 256  # along each side of a map: on a screen, a square is a dot or two wide
LEAST_SIDE = 1e-30
_ENDS = (np.min, np.inf), (np.max, -np.inf)
RARE_SHARE = 10  # at least one place in so many goes to the types by name, shared evenly


def in_turn(n: int, seed: int) -> Rows:
    """Return the positions 0..n-1 in the order of lots that each of them draws once."""
    lot = np.random.default_rng(seed).permutation(n)
    turn = np.empty_like(lot)
    turn[lot] = np.arange(n)
    return turn


def first_of_each(turn: Rows, groups: npt.NDArray[np.integer], quota: Counts) -> Rows:
    """Return the first `quota[g]` cells of each group g, in no order that means anything.

    Parameters
    ----------
    turn
        Cells in their turn [m], see `in_turn`.
    groups
        Group of each of these cells [m], below 65,536 where time matters (a radix sort).
    quota
        Cells wanted of each group [groups]; a smaller group gives all it has.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=len(quota))
    start = np.cumsum(sizes) - sizes
    taken = np.minimum(sizes, quota)
    within = np.arange(int(taken.sum())) - np.repeat(np.cumsum(taken) - taken, taken)
    return turn[order[np.repeat(start, taken) + within]]


@dataclass(frozen=True, eq=False)
class Thinned:
    """The cells of a map that are drawn.

    Attributes
    ----------
    rows
        Their positions, sorted.
    n_placed
        Cells that have a place, drawn or not.
    n_keep, n_kept
        How many cells had to be kept if possible, and how many of them are drawn.
    """

    rows: Rows
    n_placed: int
    n_keep: int
    n_kept: int


def thinned(
    xy: npt.NDArray[np.floating],
    n: int,
    *,
    seed: int = 0,
    keep: npt.NDArray[np.bool_] | None = None,
    types: npt.NDArray[np.integer] | None = None,
) -> Thinned:
    """Choose `n` cells of a map to draw, so that what is crowded loses cells and nothing else.

    The map is cut into 256 x 256 squares. All squares may show equally many cells: those with
    fewer show all they have, which no random sample does for sparse places. Which cells of a
    crowded square are drawn is a lottery, so its colors are mixed as in truth.

    Parameters
    ----------
    xy
        Coordinates [cells, 2]; cells with one that is not finite are not drawn.
    n
        How many to draw, at most.
    seed
        Start of the lottery; equal arguments give equal cells.
    keep
        Cells to draw whatever their place, such as unsure ones [cells]: all of them, or where
        they are more than half of `n`, so many, thinned like the others.
    types
        Type of each cell, -1 for none [cells]. Each has a right to some cells (a tenth of `n`
        shared evenly) wherever they are, so that a rare type inside a crowd is seen.
    """
    placed = np.isfinite(xy).all(axis=1)
    squares = _squares(xy, placed)
    turn = np.random.default_rng(seed).permutation(np.flatnonzero(placed))
    n_placed = len(turn)
    if n_placed <= n:
        kept = 0 if keep is None else int((keep & placed).sum())
        return Thinned(np.sort(turn), n_placed, kept, kept)
    drawn = np.zeros(len(xy), dtype=bool)
    n_keep = n_kept = 0
    if keep is not None:
        must = turn[keep[turn]]
        chosen = _level(must, squares[must], n // 2)
        n_keep, n_kept = len(must), len(chosen)
        drawn[chosen] = True
    if types is not None:
        drawn[_some_of_each(turn, types[turn], n // RARE_SHARE)] = True
    rest = turn[~drawn[turn]]
    drawn[_level(rest, squares[rest], max(0, n - int(drawn.sum())))] = True
    return Thinned(np.flatnonzero(drawn), n_placed, n_keep, n_kept)


def _squares(
    xy: npt.NDArray[np.floating], placed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint16]:
    """Return the square of each cell; of cells without a place the first."""
    number = np.zeros(len(xy), dtype=np.uint16)
    for axis in (0, 1):
        along = np.where(placed, xy[:, axis], np.nan)
        low, high = (end(along, where=placed, initial=start) for end, start in _ENDS)
        side = float(high) - float(low)
        along -= low
        along *= SQUARES / side if side > LEAST_SIDE else 0.0
        number *= SQUARES
        number += np.nan_to_num(np.minimum(along, SQUARES - 1)).astype(np.uint16)
    return number


def _some_of_each(turn: Rows, types: npt.NDArray[np.integer], n: int) -> Rows:
    """Return as many cells of each type, `n` at most in all."""
    known = types >= 0
    if not known.any():
        return turn[:0]
    codes = types[known].astype(np.min_scalar_type(int(types.max())))
    n_types = int((np.bincount(codes) > 0).sum())
    return first_of_each(turn[known], codes, np.full(int(codes.max()) + 1, n // n_types))


def _level(turn: Rows, squares: npt.NDArray[np.uint16], n: int) -> Rows:
    """Return `n` of some cells, or all there are, with the fullest squares cut to one height."""
    if len(turn) <= n:
        return turn
    sizes = np.bincount(squares, minlength=SQUARES**2)
    steps = np.sort(sizes)
    # cells drawn when squares are cut to the height of each in turn: those below it, whole
    drawn = np.cumsum(steps) + steps * np.arange(len(steps) - 1, -1, -1)
    full = int(np.searchsorted(drawn, n, side="right"))  # so many squares need no cut
    height, over = divmod(n - int(steps[:full].sum()), len(steps) - full)
    quota = np.minimum(sizes, height)
    quota[np.argsort(-sizes, kind="stable")[:over]] += 1
    return first_of_each(turn, squares, quota)
