"""From what was asked for to what it changes: an event against the labels it meets."""

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np

from scanvi_core import keys
from scanvi_core.errors import ProjectError, SettingInvalid
from scanvi_core.project.label_log.events import Event
from scanvi_core.project.label_log.replay.row_sets import Codes, Rows, as_rows
from scanvi_core.project.label_log.replay.state import (
    ACCEPTED,
    GIVEN,
    MANUAL,
    NONE,
    Board,
    CellChange,
    Change,
    HoldoutChange,
    Label,
)
from scanvi_core.type_tree import TypeTree, of_one, without_circles

Entry = tuple[int, Label, Label]


def plan(board: Board, event: Event) -> Change:
    """Return what an event changes.

    Raises
    ------
    ProjectError
        If it names a label that is not there, or one that is there already.
    SettingInvalid
        If it names rows the data set does not have.
    """
    planner = _PLANNERS.get(event.kind)
    if planner is None:
        raise ProjectError(f"The event {event.kind} is not known.")
    return planner(board, event)


def left_out(board: Board, event: Event, change: Change) -> Rows:
    """Return the rows an event asked for but may not touch."""
    asked = as_rows(_rows(event), len(board.codes))
    done = change.cells.rows if change.cells is not None else asked[:0]
    return np.setdiff1d(asked, done, assume_unique=True)


class Names:
    """Looks labels up by name, and adds those that are new.

    A log written before names had one spelling may hold others; these are known by theirs too.
    """

    def __init__(self, board: Board) -> None:
        living = [(label.name, i) for i, label in enumerate(board.labels) if label.alive]
        self.codes = {keys.spelling(name): i for name, i in reversed(living)} | dict(living)
        self.n_labels = len(board.labels)
        self.new: list[Entry] = []

    def code(self, name: str) -> int:
        """Return the code of a label that must be there."""
        if name not in self.codes:
            raise ProjectError(
                f"There is no label {name}.", "It may have been renamed; look at the list again."
            )
        return self.codes[name]

    def code_or_new(self, name: str, color: str = "", term: str = "") -> int:
        """Return the code of a label, created when not known yet."""
        if name not in self.codes:
            code = self.codes[name] = self.n_labels + len(self.new)
            label = Label(name, color=color, term=term)
            self.new.append((code, label._replace(alive=False), label))
        return self.codes[name]

    def refuse_known(self, name: str) -> None:
        """Raise `ProjectError` when there is a label of this name."""
        if name in self.codes:
            raise ProjectError(
                f"The label {name} is there already.",
                "Choose another name, or merge the two labels.",
            )


def _rows(event: Event) -> Rows:
    return np.empty(0, np.int64) if event.rows is None else event.rows


def _asked(board: Board, event: Event) -> tuple[Rows, Codes]:
    """Return an event's rows, sorted, and per row a position in its labels."""
    rows = as_rows(_rows(event), len(board.codes))
    if event.choice is None:
        return rows, np.zeros(len(rows), dtype=np.int32)
    return rows, event.choice[np.argsort(_rows(event), kind="stable")]


def _codes(event: Event, names: Names, choice: Codes) -> Codes:
    """Return the code per row; labels that are chosen and not known yet are created."""
    labels = event.payload["labels"]
    table = np.full(len(labels) + 1, -1, dtype=np.int32)  # the last entry serves -1
    for position in np.flatnonzero(np.bincount(choice + 1, minlength=1)[1:]).tolist():
        table[position] = names.code_or_new(labels[position], term=event.payload.get("term", ""))
    return table[choice]


def _cells(board: Board, rows: Rows, codes: Codes, source: int) -> CellChange:
    sources = np.where(codes < 0, NONE, source).astype(np.uint8)
    return CellChange(rows, (codes, sources), (board.codes[rows], board.sources[rows]))


def _import(board: Board, event: Event) -> Change:
    rows, choice = _asked(board, event)
    if len(rows) != len(board.codes):
        raise SettingInvalid(
            f"The column has {len(rows)} values, the data set {len(board.codes)} cells."
        )
    names = Names(board)
    kept = {names.code_or_new(name) for name in event.payload["labels"]}
    retired: list[Entry] = [
        (code, label, label._replace(alive=False))
        for code, label in enumerate(board.labels)
        if label.alive and code not in kept
    ]
    cells = _cells(board, rows, _codes(event, names, choice), GIVEN)
    return Change(cells, None, (*retired, *names.new))


def _assign(board: Board, event: Event) -> Change:
    rows, choice = _asked(board, event)
    names = Names(board)
    cells = _cells(board, rows, _codes(event, names, choice), MANUAL)
    return Change(cells, None, tuple(names.new))


def _accept(board: Board, event: Event) -> Change:
    rows, choice = _asked(board, event)
    free = ~np.isin(board.sources[rows], (GIVEN, MANUAL))
    names = Names(board)
    cells = _cells(board, rows[free], _codes(event, names, choice[free]), ACCEPTED)
    return Change(cells, None, tuple(names.new))


def _clear(board: Board, event: Event) -> Change:
    rows, choice = _asked(board, event)
    return Change(_cells(board, rows, np.full_like(choice, -1), NONE))


def _create(board: Board, event: Event) -> Change:
    names = Names(board)
    for label in event.payload["labels"]:
        names.refuse_known(label)
        names.code_or_new(label, event.payload["colour"])
    return Change(None, None, tuple(names.new))


def _rename(board: Board, event: Event) -> Change:
    names = Names(board)
    code = names.code(event.payload["labels"][0])
    if names.codes.get(event.payload["to"]) != code:  # else the same label, spelled better
        names.refuse_known(event.payload["to"])
    label, to = board.labels[code], event.payload["to"]
    above = tuple(name for name in label.parents if name != to)
    term = event.payload.get("term", label.term)
    new = label._replace(name=to, parents=above, term=term)
    return Change(None, None, ((code, label, new), *_moved(board, {label.name: (to,)}, {code})))


def _merge(board: Board, event: Event) -> Change:
    names = Names(board)
    codes = sorted({names.code(name) for name in event.payload["labels"]})
    target = names.code_or_new(event.payload["to"])
    merged = [code for code in codes if code != target]
    if not merged:
        raise SettingInvalid("A label cannot be merged into itself.", "Choose another label.")
    rows = np.flatnonzero(np.isin(board.codes, merged))
    before = board.codes[rows], board.sources[rows]
    after = np.full(len(rows), target, dtype=np.int32), before[1]  # who labeled stays true
    gone = {board.labels[code].name: (event.payload["to"],) for code in merged}
    moved = _moved(board, gone, merged)
    return Change(
        CellChange(rows, after, before), None, (*_retired(board, merged), *names.new, *moved)
    )


def _split(board: Board, event: Event) -> Change:
    names = Names(board)
    code = names.code(event.payload["from"])
    rows, choice = _asked(board, event)
    own = (board.codes[rows] == code) & (choice >= 0)
    rows, choice = rows[own], choice[own]
    if not len(rows):
        raise SettingInvalid(
            f"None of these cells is {event.payload['from']}.", "Pick cells of the type to split."
        )
    cells = _cells(board, rows, _codes(event, names, choice), MANUAL)
    if event.payload.get("below"):
        return Change(cells, None, tuple(_put_below(board, code, cells.after[0], names.new)))
    empty = len(rows) == (board.codes == code).sum() and not (cells.after[0] == code).any()
    return Change(cells, None, (*_retired(board, [code] if empty else []), *names.new))


def _put_below(board: Board, code: int, parts: Codes, new: list[Entry]) -> list[Entry]:
    """Return the labels of parts, new ones and others, that now stand under the label of a code.

    One that the label itself stands under stays where it is.
    """
    above = board.labels[code].name
    living = [label for label in board.labels if label.alive]
    tree = TypeTree((), without_circles({label.name: label.parents for label in living}))
    entries = [(at, before, after._replace(parents=(above,))) for at, before, after in new]
    for at in np.unique(parts).tolist():
        label = board.labels[at] if at < len(board.labels) else None
        if (
            label is not None
            and label.name not in tree.above(above)
            and above not in label.parents
        ):
            entries.append((at, label, label._replace(parents=(*label.parents, above))))
    return entries


def _delete(board: Board, event: Event) -> Change:
    code = Names(board).code(event.payload["labels"][0])
    rows = np.flatnonzero(board.codes == code)
    cells = _cells(board, rows, np.full(len(rows), -1, dtype=np.int32), NONE)
    moved = _moved(board, {board.labels[code].name: board.labels[code].parents}, {code})
    return Change(cells, None, (*_retired(board, [code]), *moved))


def _retired(board: Board, codes: Iterable[int]) -> list[Entry]:
    labels = board.labels
    return [(code, labels[code], labels[code]._replace(alive=False)) for code in codes]


def _recolor(board: Board, event: Event) -> Change:
    names, mapping = Names(board), event.payload["mapping"]
    wanted = {names.code(name): color for name, color in mapping.items()}
    return _with(board, lambda code, label: label._replace(color=wanted.get(code, label.color)))


def _terms(board: Board, event: Event) -> Change:
    names, mapping = Names(board), event.payload["mapping"]
    wanted = {names.code(name): term for name, term in mapping.items()}
    return _with(board, lambda code, label: label._replace(term=wanted.get(code, label.term)))


def _moved(
    board: Board, instead: Mapping[str, tuple[str, ...]], but: Collection[int]
) -> list[Entry]:
    """Return the labels that stood under one that is gone, now under others `instead` of it."""
    moved = []
    for code, label in enumerate(board.labels):
        if not label.alive or code in but or instead.keys().isdisjoint(label.parents):
            continue
        above = (new for name in label.parents for new in instead.get(name, (name,)))
        own = tuple(dict.fromkeys(name for name in above if name != label.name))
        moved.append((code, label, label._replace(parents=own)))
    return moved


def _parents(board: Board, event: Event) -> Change:
    names, mapping = Names(board), of_one(event.payload["mapping"])
    broader = {name for above in mapping.values() for name in above}
    wanted = {
        names.code_or_new(name) if name in broader else names.code(name): above
        for name, above in mapping.items()
    }
    new = [
        (code, before, after._replace(parents=wanted[code])) for code, before, after in names.new
    ]
    changed = _with(board, lambda code, label: label._replace(parents=wanted.get(code, ())))
    return Change(None, None, (*changed.labels, *new))


def _prior(board: Board, event: Event) -> Change:
    names, mapping = Names(board), event.payload["mapping"]
    wanted = {names.code(name): share for name, share in mapping.items()}
    return _with(board, lambda code, label: label._replace(prior=wanted.get(code)))


def _with(board: Board, edit: Callable[[int, Label], Label]) -> Change:
    """Return the change that edits every active label."""
    edits = [(i, label, edit(i, label)) for i, label in enumerate(board.labels) if label.alive]
    return Change(None, None, tuple(entry for entry in edits if entry[1] != entry[2]))


def _holdout(board: Board, event: Event) -> Change:
    rows = as_rows(_rows(event), len(board.codes))
    return Change(None, HoldoutChange(rows, np.flatnonzero(board.holdout)))


def _note(board: Board, event: Event) -> Change:  # noqa: ARG001  every planner is called alike
    return Change()


_PLANNERS: dict[str, Callable[[Board, Event], Change]] = {
    "import": _import,
    "assign": _assign,
    "accept": _accept,
    "clear": _clear,
    "create": _create,
    "rename": _rename,
    "merge": _merge,
    "split": _split,
    "delete": _delete,
    "recolour": _recolor,
    "terms": _terms,
    "groups": _parents,
    "prior": _prior,
    "holdout": _holdout,
    "note": _note,
    "checkpoint": _note,
}
