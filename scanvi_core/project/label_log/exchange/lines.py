"""Entries of a label log as lines of JSON, and whole logs as short text in an entry.

What is read may come from anybody: its size is looked at before it is taken apart.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from scanvi_core.config import (
    HISTORY_EVENTS,
    HISTORY_RATIO,
    HISTORY_RATIO_FROM_BYTES,
    history_bytes,
    history_memory,
)
from scanvi_core.errors import HistoryRefused
from scanvi_core.project.label_log.exchange.fields import AGAIN, is_digest, is_whole, refused
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import Rows, inflate, pack_rows, unpack_rows

MAX_RANGES = 32  # selections of more pieces are written in the compact form
LIST_BYTES, PART_BYTES = 80, 30  # of one list and one number or text in it, in memory
MAX_LISTS, MAX_PARTS = 100_000, 300_000  # besides those per cell: a rule has corners of lassos


def to_line(record: Record, n_obs: int) -> str:
    """Return an entry as one line of JSON; cells as ranges ``[first, last]`` where few."""
    line: dict[str, Any] = record._asdict()
    if record.cells is not None:
        line["cells"] = _ranges(unpack_rows(record.cells, n_obs)) or _text(record.cells)
    line |= {name: _text(line[name]) for name in ("after", "before")}
    return json.dumps(line, ensure_ascii=False)


def from_line(line: str, n_obs: int) -> Record:
    """Return the entry that `to_line` wrote; what its fields hold is for `check_fields` to say.

    Raises
    ------
    HistoryRefused
        If the line is not such an entry.
    """
    try:
        record = Record(**parsed(line, n_obs))
        record = record._replace(
            cells=_cells(record.cells, n_obs),
            after=_bytes(record.after),
            before=_bytes(record.before),
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise HistoryRefused(
            f"A line of the label history cannot be read: {line[:60]}", AGAIN
        ) from error
    if not is_digest(record.digest):
        raise refused("a step has lost the digest of what it says")
    return record


class Room:
    """How much a log from elsewhere may still say, and how much memory that may take."""

    def __init__(self, n_obs: int) -> None:
        self._n_obs = n_obs
        self._bytes, self._memory = history_bytes(n_obs), history_memory(n_obs)

    def take(self, *said: str | bytes | None) -> None:
        """Raise `HistoryRefused` where there is no room for so much more."""
        for part in said:
            self._bytes -= len(part or "")
            if isinstance(part, str):
                self._memory -= _weight(part)
        if self._bytes < 0:
            most = f"its steps say more than {history_bytes(self._n_obs) >> 20:,} MB"
        elif self._memory < 0:
            most = f"its steps take more than {history_memory(self._n_obs) >> 20:,} MB of memory"
        else:
            return
        raise HistoryRefused(
            f"This label history is larger than any of {self._n_obs:,} cells: {most}.", AGAIN
        )


def _weight(text: str) -> int:
    """Return about how many bytes JSON takes once it is read: lists in lists take 40 a letter."""
    n_lists, n_parts = _parts(text)
    return len(text) + LIST_BYTES * n_lists + PART_BYTES * n_parts


def _parts(text: str) -> tuple[int, int]:
    """Return how many brackets and how many commas JSON has."""
    return text.count("[") + text.count("{"), text.count(",")


def read_lines(lines: Iterable[str], n_obs: int) -> Iterator[Record]:
    """Yield the entries of lines, of which there may be so many, and so much."""
    room = Room(n_obs)
    for number, line in enumerate(lines, 1):
        room.take(line)
        if number > HISTORY_EVENTS:
            raise HistoryRefused(
                f"This label history is larger than any: more than {HISTORY_EVENTS:,} steps.",
                AGAIN,
            )
        yield from_line(line, n_obs)


def pack_log(lines: Sequence[str], n_obs: int) -> str:
    """Return a log as short text, for the entry that takes it over.

    Raises
    ------
    HistoryRefused
        If `unpack_log` would refuse it.
    """
    text = "\n".join(lines).encode()
    blob = zlib.compress(text)
    if len(text) > _most(blob, n_obs):
        raise refused("it says the same over and over")
    return base64.b64encode(blob).decode()


def unpack_log(packed: str, n_obs: int) -> list[str]:
    """Return the lines that `pack_log` packed.

    Raises
    ------
    HistoryRefused
        If it packed none, or so much more than its size that it would fill the memory.
    """
    try:
        blob = base64.b64decode(packed, validate=True)
        return inflate(blob, _most(blob, n_obs)).decode().split("\n")
    except (ValueError, zlib.error) as error:
        raise refused("what was taken over cannot be unpacked") from error


def _most(blob: bytes, n_obs: int) -> int:
    """Return how many bytes a packed log may unpack to."""
    return min(history_bytes(n_obs), max(HISTORY_RATIO_FROM_BYTES, HISTORY_RATIO * len(blob)))


def parsed(text: str, n_obs: int) -> Any:
    """Return what JSON says, which takes memory by its brackets and commas.

    Raises
    ------
    ValueError
        If it says nothing, or is of more parts than an entry about `n_obs` cells has.
    RecursionError
        If it holds lists in lists without end.
    """
    n_lists, n_parts = _parts(text)
    if n_lists > MAX_LISTS + 8 * n_obs or n_parts > MAX_PARTS + 16 * n_obs:
        raise ValueError("more parts than an entry has")
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _cells(said: Any, n_obs: int) -> bytes | None:
    """Return cells, written as ranges or compactly, in the compact form."""
    if not isinstance(said, list):
        return _bytes(said)
    end = -1
    for first, last in said:
        if not (is_whole(first, range(end + 1, n_obs)) and is_whole(last, range(first, n_obs))):
            raise ValueError(f"cells {first} to {last} of {n_obs}")
        end = last
    if len(said) > MAX_RANGES:
        raise ValueError(f"{len(said)} ranges of cells")
    pieces = [np.arange(first, last + 1) for first, last in said]
    return pack_rows(np.concatenate([np.empty(0, np.int64), *pieces]), n_obs)


def _ranges(rows: Rows) -> list[list[int]] | None:
    """Return ranges, first and last included; None when there are none or too many."""
    pieces = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    if not rows.size or len(pieces) > MAX_RANGES:
        return None
    return [[int(piece[0]), int(piece[-1])] for piece in pieces]


def _text(blob: bytes | None) -> str | None:
    return None if blob is None else base64.b64encode(blob).decode()


def _bytes(text: Any) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
