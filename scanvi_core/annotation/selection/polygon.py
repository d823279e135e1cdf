"""Which cells lie inside a shape drawn on the cell map."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanvi_core.errors import SettingInvalid

Operation = Literal["replace", "add", "subtract", "intersect", "clear"]
MIN_VERTICES = 3
MAX_VERTICES = 5_000
SQUARES = 256  # along each side of the box around a polygon
BLOCK_CELLS = 262_144  # looked up at a time
FEW_CELLS = 50_000  # tested one by one sooner than squares are prepared
EDGES_AT_ONCE = 1_000
MOST_WAITING = 1_000_000  # cells
OUTSIDE, INSIDE, EDGE = range(3)  # what is known of a square


def in_polygon(xy: NDArray[np.floating], polygon: ArrayLike) -> NDArray[np.bool_]:
    """Tell which cells lie inside a polygon, by the even-odd rule.

    Every cell is tested, drawn or not. Edges are half open, so of two polygons that share an edge
    exactly one owns a cell on it. The polygon is closed by itself; where it crosses itself, parts
    wound twice are outside.

    Parameters
    ----------
    xy
        Map coordinates [n_cells, 2]; a cell with a coordinate that is not finite is never inside.
    polygon
        Corners [n_corners, 2] in the same units, 3 to 5,000 of them.

    Returns
    -------
    Mask [n_cells].

    Raises
    ------
    SettingInvalid
        When the polygon has another shape, too few or too many corners, or one that is not finite.

    Notes
    -----
    The box around the polygon is cut into 256 x 256 squares. A square away from every edge lies
    inside or outside as a whole, so its cells are looked up; only the others, few of many, are
    tested one by one. Blocks of cells and a million waiting ones bound the memory.
    """
    corners = _checked(polygon)
    low, high = corners.min(axis=0), corners.max(axis=0)
    squares = _Squares(corners) if len(xy) > FEW_CELLS and _can_be_cut(corners) else None
    mask = np.zeros(len(xy), dtype=bool)
    waiting: list[NDArray[np.int64]] = []
    for start in range(0, len(xy), BLOCK_CELLS):
        x, y = xy[start : start + BLOCK_CELLS].T
        near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
        if squares is not None:  # NaN compared false
            known = squares.of(x[near], y[near])
            mask[start + near[known == INSIDE]] = True
            near = near[known == EDGE]
        waiting.append(start + near)
        if sum(map(len, waiting)) > MOST_WAITING or start + BLOCK_CELLS >= len(xy):
            rows = np.concatenate(waiting)
            mask[rows] = _one_by_one(xy[rows], corners)
            waiting.clear()
    return mask


def _one_by_one(xy: NDArray[np.floating], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Test each cell [n, 2] for itself.

    Ray casting (Shimrat 1962, doi:10.1145/368637.368653) turned inside out: the cells are sorted
    along y once, so each edge touches only the cells at its height.
    """
    order = np.argsort(xy[:, 1], kind="stable")
    x, y = xy[order].astype(np.float64).T
    inside = np.zeros(len(order), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        start, stop = np.searchsorted(y, (min(y1, y2), max(y1, y2)), side="right")
        crossing = (x2 - x1) * (y[start:stop] - y1) / (y2 - y1) + x1
        inside[start:stop] ^= x[start:stop] < crossing
    in_order = np.empty_like(inside)
    in_order[order] = inside
    return in_order


def _can_be_cut(corners: NDArray[np.float64]) -> bool:
    """Tell whether the box is wide enough that rounding moves no cell by a part of a square."""
    sides = np.ptp(corners / 2, axis=0)  # halves: the largest numbers there are have a difference
    return bool(sides.min() > max(1e-9 * np.abs(corners).max(), 1e-200))


class _Squares:
    """Which squares of the box around a polygon lie inside, outside, or near an edge."""

    def __init__(self, corners: NDArray[np.float64]) -> None:
        self._low = corners.min(axis=0)
        self._scale = SQUARES / (corners.max(axis=0) - self._low)
        edge = self._near_an_edge((corners - self._low) * self._scale)
        middles = np.stack(np.divmod(np.arange(SQUARES**2), SQUARES), axis=1) + 0.5
        inside = _one_by_one(middles / self._scale + self._low, corners)
        self._state = np.where(edge.ravel(), EDGE, np.where(inside, INSIDE, OUTSIDE)).astype("u1")

    def of(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return what is known of the squares of some cells in the box."""
        return self._state[self._place(x, 0) * SQUARES + self._place(y, 1)]

    def _place(self, along: NDArray[np.floating], axis: int) -> NDArray[np.int32]:
        place = (along.astype(np.float64) - self._low[axis]) * self._scale[axis]
        return np.minimum(place.astype(np.int32), SQUARES - 1)

    @staticmethod
    def _near_an_edge(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Mark the squares that an edge touches, and those beside them.

        A dot at least every half square along the edges; with the eight squares around that of
        each dot, what is not marked is three quarters of a square away from every edge.
        """
        marked = np.zeros((SQUARES + 2, SQUARES + 2), dtype=bool)
        steps = np.roll(corners, -1, axis=0) - corners
        for at in range(0, len(corners), EDGES_AT_ONCE):
            start, step = corners[at : at + EDGES_AT_ONCE], steps[at : at + EDGES_AT_ONCE]
            n = 1 + np.ceil(2 * np.abs(step).max(axis=1)).astype(np.int64)
            share = (np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)) / np.repeat(n, n)
            dots = np.repeat(start, n, axis=0) + share[:, None] * np.repeat(step, n, axis=0)
            column, row = np.clip(dots.astype(np.int64), 0, SQUARES - 1).T + 1
            for across in (-1, 0, 1):
                for along in (-1, 0, 1):
                    marked[column + across, row + along] = True
        return marked[1:-1, 1:-1]


def combine(
    current: NDArray[np.bool_] | None, mask: NDArray[np.bool_], operation: Operation
) -> NDArray[np.bool_]:
    """Merge a new selection into the current one; neither argument is changed.

    Parameters
    ----------
    current
        Cells selected so far [n_cells]; None for none.
    mask
        Cells of the new shape [n_cells].
    operation
        ``replace``, ``add``, ``subtract``, ``intersect`` or ``clear``.

    Raises
    ------
    SettingInvalid
        When the operation is another word, or the two masks differ in length.
    """
    before = np.zeros_like(mask) if current is None else current
    if before.shape != mask.shape:
        raise SettingInvalid(
            f"The selection covers {before.size} cells, the map has {mask.size}.",
            "Clear the selection and draw it again.",
        )
    match operation:
        case "replace":
            return mask.copy()
        case "add":
            return before | mask
        case "subtract":
            return before & ~mask
        case "intersect":
            return before & mask
        case "clear":
            return np.zeros_like(mask)
    raise SettingInvalid(
        f"'{operation}' is no way to combine selections.",
        f"Use one of {', '.join(get_args(Operation))}.",
    )


def _checked(polygon: ArrayLike) -> NDArray[np.float64]:
    """Return the corners as float64 [n_corners, 2], or refuse them."""
    hint = "Draw the shape again."
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SettingInvalid("The drawn shape is not a list of points.", hint) from error
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise SettingInvalid(f"The drawn shape has the form {corners.shape}, not (n, 2).", hint)
    if not MIN_VERTICES <= len(corners) <= MAX_VERTICES:
        limits = f"{MIN_VERTICES} to {MAX_VERTICES}"
        raise SettingInvalid(f"The drawn shape has {len(corners)} corners, not {limits}.", hint)
    if not np.isfinite(corners).all():
        raise SettingInvalid("The drawn shape has a corner that is not a finite number.", hint)
    return corners
