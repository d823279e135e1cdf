"""The cells picked in a browser tab, as a rule; kept here, so that pages hold no big arrays.

What a rule selects is worked out when it changes, not at every rerun: the cells that are named
are those that were shown, whatever a newer prediction says meanwhile.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from scanvi_core.annotation.selection.polygon import Operation, in_polygon
from scanvi_core.annotation.selection.rules import Condition, Rule
from scanvi_core.services.explore import conditions, rules
from scanvi_core.services.explore.rules import Selection
from scanvi_core.services.workspace import workspace

KEPT = 64
_picked: OrderedDict[tuple[str, str], Selection] = OrderedDict()


def selection(project_id: str, tab: str) -> Selection:
    """Return the picked cells with the rule that picked them."""
    found = _picked.get((project_id, tab))
    if found is not None:
        return found
    none = np.zeros(workspace(project_id).dataset.n_obs, dtype=bool)
    none.flags.writeable = False
    return Selection(Rule(), none, 0, (), ())


def picked(project_id: str, tab: str) -> np.ndarray:
    """Return the picked cells as a mask [n_obs]."""
    return selection(project_id, tab).mask


def set_rule(project_id: str, tab: str, rule: Rule) -> int:
    """Pick what a rule selects now; return how many cells."""
    if not rule:
        return clear(project_id, tab)
    found = rules.select(project_id, rule)
    _picked[project_id, tab] = found
    _picked.move_to_end((project_id, tab))
    while len(_picked) > KEPT:
        _picked.popitem(last=False)
    return found.n


def join(project_id: str, tab: str, terms: Sequence[Condition], op: Operation) -> int:
    """Let conditions replace, add to, cut or take from the picked cells; return their number."""
    return set_rule(project_id, tab, selection(project_id, tab).rule.joined(terms, op))


def pick(project_id: str, tab: str, mask: np.ndarray, op: Operation = "replace") -> int:
    """Replace, add to, subtract from or intersect the picked cells; return their number."""
    return join(project_id, tab, [conditions.by_hand(project_id, mask)], op)


class Shape(Protocol):
    """What was drawn on a map."""

    @property
    def polygon(self) -> np.ndarray:
        """Corners [v, 2]; none when the picked cells are to be cleared."""

    @property
    def op(self) -> Operation:
        """How the cells inside join those picked before."""


def pick_polygon(
    project_id: str,
    tab: str,
    xy: np.ndarray,
    shape: Shape,
    only: np.ndarray | Condition | None = None,
) -> int:
    """Pick the cells inside a shape, of those that `only` holds when it is given.

    Parameters
    ----------
    xy
        Coordinates of the map; those of a map of the project make the shape a condition.
    only
        Mask [n_obs] of the cells on show, or what they have in common.
    """
    if shape.op == "clear":
        return clear(project_id, tab)
    term = conditions.drawn(project_id, xy, shape.polygon)
    inside = [term or conditions.by_hand(project_id, in_polygon(xy, shape.polygon))]
    if only is not None:
        shown = only if isinstance(only, Condition) else conditions.by_hand(project_id, only)
        inside.append(shown)
    return join(project_id, tab, inside, shape.op)


def clear(project_id: str, tab: str) -> int:
    """Pick nothing."""
    _picked.pop((project_id, tab), None)
    return 0
