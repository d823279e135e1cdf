"""Which events are in effect, what undo takes back next, and what redo puts back."""

import bisect
from collections.abc import Mapping
from typing import Any

from scanvi_core.errors import (
    LogDamaged,
    ProjectError,
)


class History:
    """The list of undoable events, kept up to date entry by entry.

    A new event ends the chance to redo; a note, or an event that changed nothing, does not.

    Attributes
    ----------
    seq
        The last entry seen; 0 before the first.
    digest
        The digest of the log up to there.
    """

    def __init__(self) -> None:
        self.seq, self.digest = 0, ""
        self._changing: set[int] = set()
        self._in_effect: list[int] = []  # sorted
        self._undone: list[int] = []  # in the order of undoing

    def add(self, seq: int, kind: str, payload: Mapping[str, Any], *, changes: bool) -> None:
        """Take note of an entry.

        Raises
        ------
        ProjectError
            If the entries are out of order, or one undoes what is not there.
        """
        if seq <= self.seq:
            raise LogDamaged(f"it is out of order, entry {seq} comes after entry {self.seq}")
        if kind == "undo":
            self._in_effect.remove(self.to_undo(payload["step"]))
            self._undone.append(payload["step"])
        elif kind == "redo":
            self._undone.remove(self.to_redo())
            bisect.insort(self._in_effect, payload["step"])
        elif changes:
            self._changing.add(seq)
            self._in_effect.append(seq)
            self._undone.clear()
        self.seq = seq

    @property
    def next_undo(self) -> int | None:
        """The event `undo` takes back."""
        return self._in_effect[-1] if self._in_effect else None

    @property
    def next_redo(self) -> int | None:
        """The event `redo` puts back."""
        return self._undone[-1] if self._undone else None

    def in_effect(self, seq: int) -> bool:
        """Tell whether an event changed labels and was not taken back."""
        at = bisect.bisect_left(self._in_effect, seq)
        return at < len(self._in_effect) and self._in_effect[at] == seq

    def undone(self, seq: int) -> bool:
        """Tell whether an event changed something and was taken back."""
        return seq in self._changing and not self.in_effect(seq)

    def in_effect_after(self, seq: int) -> list[int]:
        """Return the later events in effect, the latest first."""
        return self._in_effect[bisect.bisect_right(self._in_effect, seq) :][::-1]

    def to_undo(self, seq: int | None = None) -> int:
        """Return the event to take back: `seq` if it can be, else the last one."""
        target = self.next_undo if seq is None else seq
        if target is None:
            raise ProjectError("There is nothing to undo.")
        if not self.in_effect(target):
            raise ProjectError(f"Step {target} is undone already, or changed nothing.")
        return target

    def to_redo(self) -> int:
        """Return the event to put back."""
        if self.next_redo is None:
            raise ProjectError("There is nothing to redo.")
        return self.next_redo
