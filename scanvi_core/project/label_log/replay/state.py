"""The labels at one moment, and the one way to change them.

Codes are positions in a list of labels that only grows. A rename changes the name at its
position; deleting, merging away or un-creating a label leaves its position behind, retired. No
cell ever carries a retired code, so ``names[code]`` is always a living name.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanvi_core import keys
from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log.replay.row_sets import Codes, Rows, Sources
from scanvi_core.type_tree import TypeTree, within, without_circles

SOURCE_NAMES = (keys.UNLABELED, keys.GIVEN, keys.MANUAL, keys.ACCEPTED)
NONE, GIVEN, MANUAL, ACCEPTED = range(4)


class Label(NamedTuple):
    """One position of the list of labels."""

    name: str
    alive: bool = True
    color: str = ""
    parents: tuple[str, ...] = ()
    prior: float | None = None
    term: str = ""


@dataclass(frozen=True, eq=False)
class LabelState:
    """All labels after the event `seq`; arrays are read-only.

    Attributes
    ----------
    codes
        int32 [n_obs], position in `names`, -1 for a cell without a label.
    sources
        uint8 [n_obs], position in `SOURCE_NAMES`.
    holdout
        bool [n_obs], cells set aside.
    labels
        All positions ever used, see `Label`.

    Notes
    -----
    Retired positions keep their last name in `names`, but no cell has such a code: use `active`
    to list labels, and `compact` where codes must run without gaps. `parents`, `prior`, `colors`
    and `terms` hold the active labels that have one; priors need not add up to 1.
    """

    seq: int
    codes: Codes
    sources: Sources
    holdout: NDArray[np.bool_]
    labels: tuple[Label, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name per code."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def active_codes(self) -> tuple[int, ...]:
        """Codes of the labels in use, in order of creation."""
        return tuple(i for i, label in enumerate(self.labels) if label.alive)

    @cached_property
    def active(self) -> tuple[str, ...]:
        """Names of the labels in use, cells or not, in order of creation."""
        return tuple(label.name for label in self._living)

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The broader types right above a label, per label name; see `TypeTree`.

        Two logs that were joined may say that a label stands under itself; the last step on that
        way is left out.
        """
        return without_circles({x.name: x.parents for x in self._living if x.parents})

    @cached_property
    def tree(self) -> TypeTree:
        """What labels stand under; it has no leaves of its own."""
        return TypeTree((), self.parents)

    @cached_property
    def within(self) -> NDArray[np.bool_]:
        """Whether a label is another or stands under it, bool [codes + 1, codes + 1].

        The last is of no label, which is within none.
        """
        found = np.zeros((len(self.labels) + 1, len(self.labels) + 1), dtype=np.bool_)
        own = [*self.active_codes, -1]
        found[np.ix_(own, own)] = within(self.active, self.parents)
        return found

    @property
    def prior(self) -> dict[str, float]:
        """Expected share per label name."""
        return {label.name: label.prior for label in self._living if label.prior is not None}

    @property
    def colors(self) -> dict[str, str]:
        """Color per label name."""
        return {label.name: label.color for label in self._living if label.color}

    @property
    def terms(self) -> dict[str, str]:
        """Id in the Cell Ontology per label name, of those that were given one."""
        return {label.name: label.term for label in self._living if label.term}

    @property
    def counts(self) -> dict[str, int]:
        """Cells per active label."""
        per_code = np.bincount(self.codes[self.codes >= 0], minlength=len(self.labels))
        return {self.names[code]: int(per_code[code]) for code in self.active_codes}

    def compact(self) -> tuple[Codes, tuple[str, ...]]:
        """Return codes that index `active` without gaps (-1: none), and `active`."""
        table = np.full(len(self.labels) + 1, -1, dtype=np.int32)  # the last entry serves -1
        table[list(self.active_codes)] = np.arange(len(self.active_codes))
        return table[self.codes], self.active

    @property
    def _living(self) -> list[Label]:
        return [label for label in self.labels if label.alive]


@dataclass(frozen=True, slots=True, eq=False)
class CellChange:
    """New and previous codes and sources of `rows`."""

    rows: Rows
    after: tuple[Codes, Sources]
    before: tuple[Codes, Sources]


@dataclass(frozen=True, slots=True, eq=False)
class HoldoutChange:
    """New and previous cells set aside."""

    after: Rows
    before: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one event does, resolved against the state it met; it can be turned around.

    `labels` maps a code to its entry before and after; the entry before a creation is the
    retired label, so that the list only grows.
    """

    cells: CellChange | None = None
    holdout: HoldoutChange | None = None
    labels: tuple[tuple[int, Label, Label], ...] = ()

    def __bool__(self) -> bool:
        moved = self.cells is not None and len(self.cells.rows) > 0
        return moved or self.holdout is not None or bool(self.labels)

    def reversed(self) -> "Change":
        """Return the change that takes this one back."""
        cells, aside = self.cells, self.holdout
        return Change(
            cells and CellChange(cells.rows, cells.before, cells.after),
            aside and HoldoutChange(aside.before, aside.after),
            tuple((code, after, before) for code, before, after in self.labels),
        )

    @property
    def n_cells(self) -> int:
        """Number of cells it is about."""
        if self.holdout is not None:
            return len(self.holdout.after)
        return 0 if self.cells is None else len(self.cells.rows)

    def overlap(self, other: "Change") -> Rows | None:
        """Return the cells both touch; None when they touch nothing in common.

        No cells means that they meet in a label or in the hold-out.
        """
        none = np.empty(0, dtype=np.int64)
        if self.cells is not None and other.cells is not None:
            shared = np.intersect1d(self.cells.rows, other.cells.rows, assume_unique=True)
            if shared.size:
                return shared
        aside = self.holdout is not None and other.holdout is not None
        return none if aside or self._touched & other._touched else None

    @property
    def _touched(self) -> set[int | str]:
        return {key for code, old, new in self.labels for key in (code, old.name, new.name)}


class Board:
    """The labels as they grow event by event; changed in place, copied out by `state`."""

    def __init__(self, n_obs: int) -> None:
        self.codes: Codes = np.full(n_obs, -1, dtype=np.int32)
        self.sources: Sources = np.zeros(n_obs, dtype=np.uint8)
        self.holdout: NDArray[np.bool_] = np.zeros(n_obs, dtype=np.bool_)
        self.labels: list[Label] = []

    def apply(self, change: Change) -> None:
        """Make a change."""
        for code, _, after in change.labels:
            if code == len(self.labels):
                self.labels.append(after)
            else:
                self.labels[code] = after
        if change.cells is not None:
            self.codes[change.cells.rows], self.sources[change.cells.rows] = change.cells.after
        if change.holdout is not None:
            self.holdout[change.holdout.before] = False
            self.holdout[change.holdout.after] = True

    def check(self, change: Change) -> None:
        """Raise `ProjectError` if a change would leave a dead or an ambiguous label.

        Only taking back a step from the middle of the log can do that.
        """
        labels = dict(enumerate(self.labels))
        labels.update({code: after for code, _, after in change.labels})
        codes = self.codes
        if change.cells is not None:
            codes = codes.copy()
            codes[change.cells.rows] = change.cells.after[0]
        names = [label.name for label in labels.values() if label.alive]
        dead = [code for code, label in labels.items() if not label.alive]
        used = np.isin(dead, codes)
        if used.any() or len(set(names)) < len(names):
            name = labels[dead[int(used.argmax())]].name if used.any() else _twice(names)
            raise ProjectError(
                f"This step cannot be taken back alone: later steps use the label {name}.",
                "Undo the later steps first.",
            )

    def state(self, seq: int) -> LabelState:
        """Return a frozen copy, as of event `seq`."""
        arrays = self.codes.copy(), self.sources.copy(), self.holdout.copy()
        for array in arrays:
            array.setflags(write=False)
        return LabelState(seq, *arrays, tuple(self.labels))


def _twice(names: list[str]) -> str:
    return next(name for name in names if names.count(name) > 1)
