"""Which cells lie inside a shape drawn on the cell map."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scanvi_core.errors import SettingInvalid

Operation = Literal["replace", "add", "subtract", "intersect", "clear"]
MIN_VERTICES = 3
MAX_VERTICES = 5_000


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
    Ray casting (Shimrat 1962, doi:10.1145/368637.368653) turned inside out: the cells are sorted
    along y once, so each edge touches only the cells at its height.
    """
    corners = _checked(polygon)
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))  # NaN compares false
    near = near[np.argsort(xy[near, 1], kind="stable")]
    x, y = xy[near].astype(np.float64).T
    inside = np.zeros(near.size, dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        start, stop = np.searchsorted(y, (min(y1, y2), max(y1, y2)), side="right")
        crossing = (x2 - x1) * (y[start:stop] - y1) / (y2 - y1) + x1
        inside[start:stop] ^= x[start:stop] < crossing
    mask = np.zeros(len(xy), dtype=bool)
    mask[near[inside]] = True
    return mask


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
