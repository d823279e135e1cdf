"""The cells picked on a map: kept here per browser tab, so that pages hold no big arrays."""

from collections import OrderedDict
from typing import Protocol

import numpy as np

from scanvi_core.annotation.selection import Operation, combine, in_polygon
from scanvi_core.services.workspace import workspace

KEPT = 64
_picked: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()


def picked(project_id: str, tab: str) -> np.ndarray:
    """Return the picked cells as a mask [n_obs]."""
    mask = _picked.get((project_id, tab))
    if mask is None:
        return np.zeros(workspace(project_id).dataset.n_obs, dtype=bool)
    return mask


def pick(project_id: str, tab: str, mask: np.ndarray, op: Operation = "replace") -> int:
    """Replace, add to, subtract from or intersect the picked cells; return their number."""
    result = combine(picked(project_id, tab), mask, op)
    result.flags.writeable = False
    _picked[project_id, tab] = result
    _picked.move_to_end((project_id, tab))
    while len(_picked) > KEPT:
        _picked.popitem(last=False)
    return int(result.sum())


class Shape(Protocol):
    """What was drawn on a map."""

    @property
    def polygon(self) -> np.ndarray:
        """Corners [v, 2]; none when the picked cells are to be cleared."""

    @property
    def op(self) -> Operation:
        """How the cells inside join those picked before."""


def pick_polygon(
    project_id: str, tab: str, xy: np.ndarray, shape: Shape, only: np.ndarray | None = None
) -> int:
    """Pick the cells inside a shape, of those in the mask `only` when it is given."""
    if shape.op == "clear":
        return clear(project_id, tab)
    inside = in_polygon(xy, shape.polygon)
    return pick(project_id, tab, inside if only is None else inside & only, shape.op)


def clear(project_id: str, tab: str) -> int:
    """Pick nothing."""
    _picked.pop((project_id, tab), None)
    return 0
