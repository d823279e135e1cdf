"""Several people's logs of the same cells become one set of labels, whatever the order of merging.

Per cell, each log states one thing: what its last event in effect made of that cell. A statement
is out of date when another log changed the cell knowing it; a column read from the file yields to
any decision of a person. What is left is either the same for all, and holds, or a conflict, and
the cell has no label until somebody decides. This is a multi-value register per cell (Shapiro et
al. 2011, "A comprehensive study of convergent and commutative replicated data types"), which
makes merging commutative, associative and idempotent. Groups, shares, colors, terms and the cells
set aside stay those of the log that takes the others over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scanvi_core.keys import one_line
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.apply import Names
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import Codes, Rows, Sources
from scanvi_core.project.label_log.replay.state import Board, CellChange, Change
from scanvi_core.project.label_log.replay.undo import History

COMBINE = "combine"


@dataclass(eq=False)
class Story:
    """One log as a whole: per cell the last statement, and what was known when.

    Attributes
    ----------
    digests
        Of every entry; a log that goes on from another begins with the other's.
    known
        At which entry (0, 1, ...) this log knew an entry of any log, by its digest.
    stamp
        int [n_obs], the entry that last stated something about the cell, -1 for none.
    codes, sources, names
        What it stated, and the names of the codes.
    from_file
        bool [n_obs], it only read a column of the file.
    actors
        Who made each entry.
    """

    digests: list[str]
    stamp: NDArray[np.int64]
    codes: Codes
    sources: Sources
    from_file: NDArray[np.bool_]
    names: tuple[str, ...] = ()
    known: dict[str, int] = field(default_factory=dict)
    actors: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Merged:
    """The labels several logs agree on; `conflict` marks the cells where they do not [n_obs]."""

    names: tuple[str, ...]
    codes: Codes
    sources: Sources
    conflict: NDArray[np.bool_]


def read_story(records: Sequence[Record], n_obs: int) -> Story:
    """Read a log for merging.

    Raises
    ------
    ProjectError
        If it is damaged, or of another number of cells.
    """
    board, history = Board(n_obs), History()
    state = board.state(0)
    story = Story(
        [], np.full(n_obs, -1), state.codes.copy(), state.sources.copy(), state.codes > 0
    )
    touched: list[tuple[int, Record, Rows, Codes, Sources]] = []
    for at, record in enumerate(records):
        change = entries.unpack(record, n_obs)
        rows = _touched(board, change)
        entries.replay([record], board, history)
        story.digests.append(history.digest)
        story.known.setdefault(history.digest, at)
        if record.kind == COMBINE:
            story.known |= {
                digest: at for digest in record.payload["knows"] if digest not in story.known
            }
        elif record.kind not in ("undo", "redo") and rows.size:
            touched.append((at, record, rows, board.codes[rows], board.sources[rows]))
    for at, record, rows, codes, sources in touched:
        if history.in_effect(record.seq):
            story.stamp[rows], story.codes[rows], story.sources[rows] = at, codes, sources
            story.from_file[rows] = record.kind == "import"
    story.names = tuple(label.name for label in board.labels)
    story.actors = tuple(one_line(record.actor) or "somebody" for record in records)
    return story


def merge(stories: Sequence[Story]) -> Merged:
    """Return what the logs say together."""
    n_obs = len(stories[0].stamp)
    names = tuple(sorted({name for story in stories for name in story.names}))
    place = {name: i for i, name in enumerate(names)}
    codes = np.full(n_obs, -1, dtype=np.int32)
    sources = np.zeros(n_obs, dtype=np.uint8)
    told, conflict = np.zeros(n_obs, dtype=bool), np.zeros(n_obs, dtype=bool)
    for story in stories:
        rows = np.flatnonzero(up_to_date(story, stories))
        table = np.array([*(place[name] for name in story.names), -1], dtype=np.int32)
        said = table[story.codes[rows]]
        conflict[rows] |= told[rows] & (codes[rows] != said)
        sources[rows] = np.maximum(sources[rows], story.sources[rows])
        codes[rows], told[rows] = said, True
    codes[conflict] = -1
    sources[codes < 0] = 0
    return Merged(names, codes, sources, conflict)


def newest(stories: Sequence[Story]) -> list[Story]:
    """Leave out the logs that another one goes on from; the order stays."""
    kept: list[Story] = []
    for story in stories:
        n = len(story.digests)
        rest = [other for other in stories if len(other.digests) > n or other in kept]
        if n and not any(other.digests[n - 1 : n] == story.digests[-1:] for other in rest):
            kept.append(story)
    return kept


def change_to(board: Board, merged: Merged) -> Change:
    """Return the change from the labels of one log to what all logs say together."""
    names = Names(board)
    used = np.unique(merged.codes[merged.codes >= 0]).tolist()
    table = np.full(len(merged.names) + 1, -1, dtype=np.int32)  # the last entry serves -1
    for code in used:
        table[code] = names.code_or_new(merged.names[code])
    codes = table[merged.codes]
    rows = np.flatnonzero((codes != board.codes) | (merged.sources != board.sources))
    after, before = (codes[rows], merged.sources[rows]), (board.codes[rows], board.sources[rows])
    return Change(CellChange(rows, after, before), None, tuple(names.new))


def _touched(board: Board, change: Change) -> Rows:
    """Return the cells an event is about: those it changes, and those whose label it renames."""
    rows = np.empty(0, dtype=np.int64) if change.cells is None else change.cells.rows
    renamed = [code for code, old, new in change.labels if old.name != new.name and old.alive]
    return np.union1d(rows, np.flatnonzero(np.isin(board.codes, renamed))) if renamed else rows


def up_to_date(story: Story, stories: Sequence[Story]) -> NDArray[np.bool_]:
    """Return the cells about which what a log says is not out of date."""
    stated = story.stamp >= 0
    fresh = stated.copy()
    for other in stories:
        if other is story:
            continue
        never = len(other.digests)
        when = np.array([other.known.get(d, never) for d in story.digests] + [never])
        theirs = np.array([story.known.get(d, -1) for d in other.digests] + [-1])
        same = stated & (theirs[other.stamp] == story.stamp) & (when[story.stamp] == other.stamp)
        fresh &= same | ~((other.stamp >= 0) & (when[story.stamp] <= other.stamp))
    decided = np.logical_or.reduce([(other.stamp >= 0) & ~other.from_file for other in stories])
    return fresh & ~(decided & story.from_file)
