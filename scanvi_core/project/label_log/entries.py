"""One entry of the label log as bytes, as a line of JSON, and as the change it makes."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log.row_sets import (
    LogDamaged,
    Rows,
    pack_rows,
    pack_values,
    unpack_rows,
    unpack_values,
)
from scanvi_core.project.label_log.state import Board, CellChange, Change, HoldoutChange, Label
from scanvi_core.project.label_log.undo import History

MAX_RANGES = 32  # selections of more pieces are written in the compact form


class Record(NamedTuple):
    """One stored entry; the columns of the table, in order."""

    seq: int
    time: str
    actor: str
    kind: str
    payload: dict[str, Any]
    cells: bytes | None = None
    after: bytes | None = None
    before: bytes | None = None
    digest: str = ""


class Packed(NamedTuple):
    """A change, ready to be stored: part of the payload, and three compact columns."""

    payload: dict[str, Any]
    cells: bytes | None
    after: bytes | None
    before: bytes | None


def pack(change: Change, n_obs: int) -> Packed:
    """Return the stored form of a change."""
    payload: dict[str, Any] = {"n_cells": change.n_cells}
    if change.labels:
        payload["changes"] = [[code, list(old), list(new)] for code, old, new in change.labels]
    if change.holdout is not None:
        before = pack_rows(change.holdout.before, n_obs)
        payload["column"] = "holdout"
        return Packed(payload, pack_rows(change.holdout.after, n_obs), None, before)
    if change.cells is None:
        return Packed(payload, None, None, None)
    cells = change.cells
    rows = pack_rows(cells.rows, n_obs)
    return Packed(payload, rows, pack_values(*cells.after), pack_values(*cells.before))


def unpack(record: Record, n_obs: int) -> Change:
    """Return the change a stored entry makes.

    Raises
    ------
    ProjectError
        If the entry is damaged.
    """
    labels = tuple(
        (code, Label(*old), Label(*new)) for code, old, new in record.payload.get("changes", ())
    )
    if record.cells is None or record.before is None:
        return Change(labels=labels)
    rows = unpack_rows(record.cells, n_obs)
    if record.payload.get("column") == "holdout":
        return Change(None, HoldoutChange(rows, unpack_rows(record.before, n_obs)), labels)
    after = unpack_values(record.after or b"", len(rows))
    return Change(CellChange(rows, after, unpack_values(record.before, len(rows))), None, labels)


def replay(
    records: Iterable[Record], board: Board, history: History, *, trusted: str = ""
) -> None:
    """Apply entries, in their order, to the labels and to the list of what can be undone.

    An entry with the digest `trusted` is taken as it is: its writer reads it back.

    Raises
    ------
    ProjectError
        If an entry is damaged, out of order, or not what its digest says.
    """
    for record in records:
        change = unpack(record, len(board.codes))
        digest = trusted
        if not trusted or record.digest != trusted:
            digest = digest_of(history.digest, record, change)
        history.add(record.seq, record.kind, record.payload, changes=bool(change))
        if record.digest not in ("", digest):
            raise LogDamaged(f"entry {record.seq} is not what was written")
        board.apply(change)
        history.digest = digest


def digest_of(previous: str, record: Record, change: Change) -> str:
    """Return the digest of an entry and, through `previous`, of all before it.

    Made from what the entry says, not from its compressed bytes, which depend on a library, and
    without the logs of others in it (``logs``), which have digests of their own.
    """
    payload = {key: value for key, value in record.payload.items() if key != "logs"}
    said = [previous, record.time, record.actor, record.kind, payload]
    text = json.dumps(said, sort_keys=True, ensure_ascii=False)
    found = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    arrays: list[np.ndarray] = []
    if change.holdout is not None:
        arrays = [change.holdout.after, change.holdout.before]
    elif change.cells is not None:
        arrays = [change.cells.rows, *change.cells.after, *change.cells.before]
    for array in arrays:
        one = array[:1] if len(array) and (array == array[0]).all() else array  # as most often
        found.update(f"{len(array)} {len(one)} ".encode())
        found.update(one.astype("<i4").tobytes())
    return found.hexdigest()


def to_line(record: Record, n_obs: int) -> str:
    """Return an entry as one line of JSON; cells as ranges ``[first, last]`` where few."""
    line: dict[str, Any] = record._asdict()
    if record.cells is not None:
        line["cells"] = _ranges(unpack_rows(record.cells, n_obs)) or _text(record.cells)
    line |= {name: _text(line[name]) for name in ("after", "before")}
    return json.dumps(line, ensure_ascii=False)


def from_line(line: str, n_obs: int) -> Record:
    """Return the entry that `to_line` wrote.

    Raises
    ------
    ProjectError
        If the line is not such an entry.
    """
    try:
        record = Record(**json.loads(line))
        cells: Any = record.cells
        if isinstance(cells, list):
            pieces = [np.arange(first, last + 1) for first, last in cells]
            rows = np.concatenate([np.empty(0, np.int64), *pieces])
            cells = pack_rows(rows, n_obs)
        else:
            cells = _bytes(cells)
        return record._replace(
            cells=cells, after=_bytes(record.after), before=_bytes(record.before)
        )
    except (TypeError, ValueError, IndexError, binascii.Error) as error:
        raise ProjectError(
            f"A line of the label log cannot be read: {line[:60]}", "Export the log again."
        ) from error


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
