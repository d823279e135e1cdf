"""Sets of cells at one bit per cell, and what a rule selects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.selection.rules import Condition, Group, Join, Rule

Bits = npt.NDArray[np.uint8]  # np.packbits of a mask [n_obs]; bits beyond its end are 0
Look = Callable[[Condition], Bits | None]
Grow = Callable[[Bits, int], Bits | None]


@dataclass(frozen=True, slots=True)
class Selected:
    """What a rule selects where some of its conditions may not be known.

    Attributes
    ----------
    surely
        Cells it selects whatever the unknown conditions would say.
    perhaps
        These, and the cells that some answer of the unknown conditions would select.
    """

    surely: Bits
    perhaps: Bits


def packed(mask: npt.NDArray[Any]) -> Bits:
    """Return a mask [n_obs] as bits."""
    return np.packbits(np.asarray(mask, dtype=bool))


def unpacked(bits: Bits, n_obs: int) -> npt.NDArray[np.bool_]:
    """Return bits as a mask [n_obs]."""
    return np.unpackbits(bits, count=n_obs).view(np.bool_)


def size(bits: Bits) -> int:
    """Return how many cells a set holds."""
    whole = len(bits) // 8 * 8
    return int(np.bitwise_count(bits[:whole].view(np.uint64)).sum()) + int(
        np.bitwise_count(bits[whole:]).sum()
    )


def evaluate(rule: Rule, n_obs: int, look: Look, grow: Grow) -> Selected:
    """Return the cells a rule selects, by the strong logic of three values (Kleene 1938).

    Parameters
    ----------
    rule
        Without conditions it selects nothing.
    n_obs
        Number of cells.
    look
        Returns the cells that fulfill a condition, not negated; None where nobody can tell.
    grow
        Returns a set with its neighbors, so many steps away; None where nobody can tell.
    """
    every = packed(np.ones(n_obs, dtype=bool))
    fold = _Fold(every, look, grow)
    return fold.groups(rule.groups)


class _Fold:
    """Works through a rule from left to right."""

    def __init__(self, every: Bits, look: Look, grow: Grow) -> None:
        self._every = every
        self._nothing = Selected(np.zeros_like(every), np.zeros_like(every))
        self._look = look
        self._grow = grow

    def groups(self, groups: tuple[Group, ...]) -> Selected:
        selected: Selected | None = None
        for group in groups:
            if _is_step(group):
                selected = self._grown(selected or self._nothing, group.terms[0].steps)
                continue
            own = self._terms(group.terms)
            own = self._not(own) if group.negated else own
            selected = own if selected is None else _joined(selected, own, group.join)
        return selected or self._nothing

    def _terms(self, terms: tuple[Condition, ...]) -> Selected:
        selected: Selected | None = None
        for term in terms:
            if term.kind == "near":
                selected = self._grown(selected or self._nothing, term.steps)
                continue
            bits = self._look(term.about)
            own = (
                Selected(self._nothing.surely, self._every)
                if bits is None
                else Selected(bits, bits)
            )
            own = self._not(own) if term.negated else own
            selected = own if selected is None else _joined(selected, own, term.join)
        return selected or self._nothing

    def _not(self, selected: Selected) -> Selected:
        return Selected(self._every & ~selected.perhaps, self._every & ~selected.surely)

    def _grown(self, selected: Selected, steps: int) -> Selected:
        surely = self._grow(selected.surely, steps)
        if surely is None:  # growing never takes a cell away
            return Selected(selected.surely, self._every)
        if selected.perhaps is selected.surely:
            return Selected(surely, surely)
        perhaps = self._grow(selected.perhaps, steps)
        return Selected(surely, self._every if perhaps is None else perhaps)


def _is_step(group: Group) -> bool:
    return len(group.terms) == 1 and group.terms[0].kind == "near"


def _joined(left: Selected, right: Selected, how: Join) -> Selected:
    join = np.bitwise_and if how == "and" else np.bitwise_or
    surely = join(left.surely, right.surely)
    if left.perhaps is left.surely and right.perhaps is right.surely:
        return Selected(surely, surely)
    return Selected(surely, join(left.perhaps, right.perhaps))
