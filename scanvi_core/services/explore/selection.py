"""The cells picked in a browser tab, as a rule; kept here, so that pages hold no big arrays.

What a rule selects is worked out when it changes, not at every rerun: the cells that are named
are those that were shown, whatever a newer prediction says meanwhile.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from scanvi_core.annotation.selection.polygon import Operation, in_polygon
from scanvi_core.annotation.selection.rules import Condition, Rule
from scanvi_core.services.explore import conditions, rules
from scanvi_core.services.explore.rules import Selection
from scanvi_core.services.workspace import Workspace

TAB = "tab"


def selection(opened: Workspace, tab: str) -> Selection:
    """Return the picked cells with the rule that picked them."""
    picked = opened.selections.peek((TAB, tab))
    if isinstance(picked, Selection):
        return picked
    none = np.zeros(opened.dataset.n_obs, dtype=bool)
    none.flags.writeable = False
    return Selection(Rule(), none, 0, (), ())


def picked(opened: Workspace, tab: str) -> np.ndarray:
    """Return the picked cells as a mask [n_obs]."""
    return selection(opened, tab).mask


def set_rule(opened: Workspace, tab: str, rule: Rule) -> int:
    """Pick what a rule selects now; return how many cells."""
    if not rule:
        return clear(opened, tab)
    picked = rules.select(opened, rule)
    opened.selections.put((TAB, tab), picked)
    return picked.n


def join(opened: Workspace, tab: str, terms: Sequence[Condition], op: Operation) -> int:
    """Let conditions replace, add to, cut or take from the picked cells; return their number."""
    return set_rule(opened, tab, selection(opened, tab).rule.joined(terms, op))


def pick(opened: Workspace, tab: str, mask: np.ndarray, op: Operation = "replace") -> int:
    """Replace, add to, subtract from or intersect the picked cells; return their number."""
    return join(opened, tab, [conditions.by_hand(opened, mask)], op)


class Shape(Protocol):
    """What was drawn on a map."""

    @property
    def polygon(self) -> np.ndarray:
        """Corners [v, 2]; none when the picked cells are to be cleared."""

    @property
    def op(self) -> Operation:
        """How the cells inside join those picked before."""


def pick_polygon(
    opened: Workspace,
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
        return clear(opened, tab)
    term = conditions.drawn(opened, xy, shape.polygon)
    inside = [term or conditions.by_hand(opened, in_polygon(xy, shape.polygon))]
    if only is not None:
        shown = only if isinstance(only, Condition) else conditions.by_hand(opened, only)
        inside.append(shown)
    return join(opened, tab, inside, shape.op)


def clear(opened: Workspace, tab: str) -> int:
    """Pick nothing."""
    opened.selections.drop((TAB, tab))
    return 0
