"""What people say of a project who came to look: comments, proposed names, votes.

A file of lines beside the label log, each one event in JSON, only ever added to. Nothing in it
changes a label. What a line holds is no promise: each is checked when it is read, and one that is
damaged hides no other.
"""

import json
import logging
import os
import secrets
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from scanvi_core import config
from scanvi_core.arrays import stamp
from scanvi_core.errors import ProjectError, reason_of
from scanvi_core.project.files import not_written, to_json
from scanvi_core.project.folder import now
from scanvi_core.project.records import Date, Name
from scanvi_core.project.turns import turn
from scanvi_core.typed import Mistyped, between, matches, taken

FILE = "remarks.jsonl"
COMMENT, PROPOSAL, VOTE, DONE = "comment", "proposal", "vote", "done"
WHOLE, TYPE, GROUP, CLUSTER, CELLS = "all", "type", "group", "cluster", "cells"
CELLS_BYTES = 64 * 2**10  # of the cells that one comment is about, as text
Id = Annotated[str, matches("[0-9a-f]{16}")]
Text = Annotated[str, matches(rf"(?s).{{1,{config.COMMENT_LENGTH}}}")]
Cells = Annotated[str, matches(rf"[A-Za-z0-9+/=]{{0,{CELLS_BYTES}}}")]
By = Annotated[str, matches(r"(?s).{0,200}")]  # empty: unsigned
Voter = tuple[bool, str]
_logger = logging.getLogger(__name__)


class Event(TypedDict):
    """One line."""

    id: Id
    what: Literal["comment", "proposal", "vote", "done"]
    at: Date
    by: By
    signed_in: bool
    kind: NotRequired[Literal["all", "type", "group", "cluster", "cells"]]
    about: NotRequired[Name]
    cells: NotRequired[Cells]
    text: NotRequired[Text]
    on: NotRequired[Id]
    value: NotRequired[Annotated[int, between(-1, 1)]]


@dataclass(frozen=True)
class Subject:
    """What something is said about: all cells, a type, a group of types, a cluster, some cells."""

    kind: str
    name: str
    cells: str = ""


@dataclass
class Remark:
    """A comment, or a name that somebody proposes (`text`), with the votes for and against it.

    `by` is empty where nobody signed it.
    """

    id: str
    subject: Subject
    text: str
    is_proposal: bool
    by: str
    signed_in: bool
    at: str
    done: bool = False
    votes: dict[Voter, int] = field(default_factory=dict)

    def n_votes(self, value: int) -> int:
        """Return how many voted 1 (for) or -1 (against)."""
        return sum(vote == value for vote in self.votes.values())


@dataclass(frozen=True)
class Remarks:
    """All that was said, the newest first.

    Attributes
    ----------
    n_said
        How many events people made, by who made them.
    n_unreadable
        Lines that are not what was written.
    """

    items: tuple[Remark, ...] = ()
    n_said: Counter[Voter] = field(default_factory=Counter)
    n_unreadable: int = 0

    def find(self, identifier: str) -> Remark | None:
        """Return the remark of this id."""
        return next((item for item in self.items if item.id == identifier), None)

    @property
    def n_open(self) -> int:
        """How many are not done."""
        return sum(not item.done for item in self.items)

    def open_about(self, kind: str, name: str = "") -> list[Remark]:
        """Return what is not done about a kind of subject, or one of them, the newest first."""
        return [
            item
            for item in self.items
            if not item.done and item.subject.kind == kind and name in ("", item.subject.name)
        ]


def voter(by: str, signed_in: bool) -> Voter:
    """Return what tells people apart: a name that was typed is nobody's who signed in."""
    return signed_in, by.casefold()


def read(root: Path) -> Remarks:
    """Return what was said of the project in a folder."""
    try:
        seen = stamp(f"{root}{os.sep}{FILE}")  # asked for by every look at a project
    except FileNotFoundError:
        return Remarks()
    return _read(*seen)


def add(root: Path, what: str, by: str, *, signed_in: bool, **more: Any) -> None:
    """Write one event down.

    Raises
    ------
    ProjectError
        If it is too long, too much was said before, or the disk refuses.
    """
    event = {"id": secrets.token_hex(8), "what": what, "at": now(), "by": by}
    event |= {"signed_in": signed_in} | more
    try:
        taken(event, Event)
    except Mistyped as error:
        raise ProjectError("This is too long, or no plain text.", "Write it shorter.") from error
    with turn(root):
        _check_room(read(root), event)
        _append(root / FILE, (to_json(event) + "\n").encode())


def _check_room(said: Remarks, event: dict[str, Any]) -> None:
    """Raise `ProjectError` where too much was said; what its owner has done may always be told."""
    if event["what"] == DONE:
        return
    own = said.n_said[voter(event["by"], event["signed_in"])]
    if own >= config.MOST_REMARKS_EACH:
        who = "You have" if event["by"] else "People without a name have"
        raise ProjectError(f"{who} said something {own:,} times here.", "That is the most.")
    if said.n_said.total() >= config.MOST_REMARKS:
        raise ProjectError("No more can be said of this project.", "Ask its owner.")


def _append(path: Path, line: bytes) -> None:
    try:
        with path.open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size + len(line) > config.REMARKS_BYTES:
                raise ProjectError("No more can be said of this project.", "Ask its owner.")
            if size:
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # after one cut off
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise not_written(path, error) from error


@lru_cache(64)
def _read(path: str, *_seen: int) -> Remarks:
    try:
        with Path(path).open("rb") as file:
            lines = file.read(config.REMARKS_BYTES).split(b"\n")
    except OSError as error:
        raise ProjectError(
            f"What was said of the project cannot be read: {reason_of(error)}.",
            f"Look at who may read {FILE} in its folder.",
        ) from error
    found: dict[str, Remark] = {}
    said: Counter[Voter] = Counter()
    n_unreadable = 0
    for line in filter(None, lines):
        try:
            event = taken(json.loads(line), Event)
            _take(found, said, event)
        except (ValueError, RecursionError, KeyError) as error:  # Mistyped is a ValueError
            n_unreadable += 1
            _logger.warning("A line of %s is damaged", path, exc_info=error)
    return Remarks(tuple(reversed(found.values())), said, n_unreadable)


def _take(found: dict[str, Remark], said: Counter[Voter], event: dict[str, Any]) -> None:
    """Add what one event says; raise `KeyError` or `ValueError` where it cannot be."""
    who = voter(event["by"], event["signed_in"])
    if event["what"] in (COMMENT, PROPOSAL):
        if event["id"] in found:
            raise ValueError("an id comes twice")
        subject = Subject(event["kind"], event["about"], event.get("cells", ""))
        item = Remark(
            event["id"], subject, event["text"], event["what"] == PROPOSAL, event["by"],
            event["signed_in"], event["at"],
        )  # fmt: skip
        if item.is_proposal and item.by:
            item.votes[who] = 1  # who proposes a name is for it
        found[item.id] = item
    elif event["what"] == DONE:
        found[event["on"]].done = bool(event["value"])
        return
    elif not found[event["on"]].is_proposal:
        raise ValueError("a vote on no proposal")
    else:
        found[event["on"]].votes[who] = event["value"]
    said[who] += 1
