"""Taking over another person's log: what is new in it, where people differ and agree."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanvi_core.project.label_log.exchange.lines import from_line, pack_log, to_line, unpack_log
from scanvi_core.project.label_log.exchange.merge import (
    COMBINE,
    Merged,
    Story,
    change_to,
    merge,
    newest,
    read_story,
    up_to_date,
)
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import Rows
from scanvi_core.project.label_log.replay.state import Board, Change

NAMED = 5  # people in one sentence


class Conflict(NamedTuple):
    """Cells about which people differ.

    Attributes
    ----------
    versions
        Who says what; an empty name: no label.
    rows
        The cells.
    """

    versions: tuple[tuple[str, str], ...]
    rows: Rows


def conflicts(stories: Sequence[Story], merged: Merged) -> list[Conflict]:
    """Return the cells nobody has decided about yet, those with the same versions together."""
    rows = np.flatnonzero(merged.conflict)
    said: list[NDArray[np.object_]] = []
    for story in stories:
        words = np.array([*story.names, ""], dtype=object)[story.codes[rows]]
        people = np.array([*story.actors, ""], dtype=object)[story.stamp[rows]]
        pairs = np.empty(len(rows), dtype=object)
        pairs[:] = list(zip(people.tolist(), words.tolist(), strict=True))
        pairs[~up_to_date(story, stories)[rows]] = None
        said.append(pairs)
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for i, row in enumerate(rows.tolist()):
        versions = tuple(dict.fromkeys(pairs[i] for pairs in said if pairs[i] is not None))
        groups.setdefault(versions, []).append(row)
    found = [Conflict(versions, np.array(cells)) for versions, cells in groups.items()]
    return sorted(found, key=lambda item: -len(item.rows))


def agreement(ours: Story, theirs: Story) -> dict[str, tuple[int, int, float]]:
    """Return per type the cells of ours, of theirs, and Cohen's kappa of yes or no.

    Over the cells that both have labeled, neither by reading a column nor by an entry they share.
    """
    place = {digest: at for at, digest in enumerate(theirs.digests)}
    shared = np.array([*(place.get(digest, -2) for digest in ours.digests), -2])[ours.stamp]
    own = (shared != theirs.stamp) & ~ours.from_file & ~theirs.from_file
    rows = np.flatnonzero((ours.codes >= 0) & (theirs.codes >= 0) & own)
    a = np.array([*ours.names, ""], dtype=object)[ours.codes[rows]]
    b = np.array([*theirs.names, ""], dtype=object)[theirs.codes[rows]]
    return {
        name: (int((a == name).sum()), int((b == name).sum()), kappa(a == name, b == name))
        for name in sorted(set(a) | set(b))
    }


def kappa(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    """Return Cohen's kappa of two yes-or-no judgments of the same cells; NaN where undefined.

    Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    a, b = ours.mean(), theirs.mean()
    by_chance = a * b + (1 - a) * (1 - b)
    agreed = (ours == theirs).mean()
    return float("nan") if by_chance == 1 else float((agreed - by_chance) / (1 - by_chance))


@dataclass(frozen=True, eq=False)
class Taken:
    """What taking over another log does; `payload` is None when it holds nothing new.

    Attributes
    ----------
    who
        Whose work it is.
    n_events, n_conflicts
        New entries of theirs, and cells nobody has decided about.
    agreement
        See `agreement`.
    """

    who: str
    change: Change
    payload: dict[str, Any] | None = None
    n_events: int = 0
    n_conflicts: int = 0
    agreement: dict[str, tuple[int, int, float]] = field(default_factory=dict)


def take_over(ours: list[Record], theirs: list[Record], board: Board) -> Taken:
    """Return the event that makes the labels of two logs one.

    Raises
    ------
    ProjectError
        If their log is damaged, or of another number of cells.
    """
    n_obs = len(board.codes)
    mine, before = read_story(ours, n_obs), _embedded_stories(ours, n_obs)
    main = read_story(theirs, n_obs)
    knows = set(mine.known)
    new: list[tuple[Story, str]] = []
    own = [to_line(without_embedded(record), n_obs) for record in theirs]
    for lines in chain([own], embedded(theirs, n_obs)):
        story = main if lines is own else _story(lines, n_obs)
        if not knows.issuperset(story.digests):
            new.append((story, pack_log(lines, n_obs)))
    about = agreement(mine, main)
    if not new:
        return Taken(_listed(main.actors), Change(), agreement=about)
    who = _listed(
        actor
        for story, _ in new
        for digest, actor in zip(story.digests, story.actors, strict=True)
        if digest not in knows
    )
    fresh = list(dict.fromkeys(d for story, _ in new for d in story.digests if d not in knows))
    merged = merge(newest([mine, *before, *(story for story, _ in new)]))
    n_conflicts = int(merged.conflict.sum())
    payload = {
        "with": who,
        "knows": fresh,
        "logs": [packed for _, packed in new],
        "n_conflicts": n_conflicts,
    }
    change = change_to(board, merged)
    return Taken(who, change, payload, len(fresh), n_conflicts, about)


def _listed(people: Iterable[str]) -> str:
    """Return the first names of a list, and how many there are besides."""
    names = list(dict.fromkeys(people))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def open_conflicts(records: list[Record], n_obs: int) -> list[Conflict]:
    """Return what is still to be decided in a log that took others over."""
    others = _embedded_stories(records, n_obs)
    if not others:
        return []
    stories = newest([read_story(records, n_obs), *others])
    return conflicts(stories, merge(stories))


def _embedded_stories(records: list[Record], n_obs: int) -> list[Story]:
    return [_story(lines, n_obs) for lines in embedded(records, n_obs)]


def _story(lines: Sequence[str], n_obs: int) -> Story:
    return read_story([from_line(line, n_obs) for line in lines], n_obs)


def embedded(records: Sequence[Record], n_obs: int) -> Iterator[list[str]]:
    """Yield the lines of the logs that a log took over, of one at a time."""
    for record in records:
        if record.kind == COMBINE:
            for packed in record.payload["logs"]:
                yield unpack_log(packed, n_obs)


def without_embedded(record: Record) -> Record:
    """Return an entry without the logs in it, which are kept beside it; its digest is the same."""
    if record.kind != COMBINE:
        return record
    return record._replace(payload={**record.payload, "logs": []})
