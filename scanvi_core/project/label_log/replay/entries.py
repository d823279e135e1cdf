"""One entry of the label log as bytes, and as the change it makes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from scanvi_core.errors import (
    LogDamaged,
)
from scanvi_core.project.label_log.replay.row_sets import (
    Codes,
    Rows,
    Sources,
    pack_rows,
    pack_values,
    unpack_rows,
    unpack_values,
)
from scanvi_core.project.label_log.replay.state import (
    Board,
    CellChange,
    Change,
    HoldoutChange,
    Label,
)
from scanvi_core.project.label_log.replay.undo import History


class Record(NamedTuple):
    """One stored entry; the columns of the table, in order.

    Its `origin` (None: written here by somebody who did not sign in) and its signature `mac` say
    who vouches for it, see :mod:`scanvi_core.project.label_log.storage.signing`.
    """

    seq: int
    time: str
    actor: str
    kind: str
    payload: dict[str, Any]
    cells: bytes | None = None
    after: bytes | None = None
    before: bytes | None = None
    digest: str = ""
    origin: dict[str, Any] | None = None
    mac: str = ""


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
        payload["changes"] = [[code, _plain(old), _plain(new)] for code, old, new in change.labels]
    if change.holdout is not None:
        before = pack_rows(change.holdout.before, n_obs)
        payload["column"] = "holdout"
        return Packed(payload, pack_rows(change.holdout.after, n_obs), None, before)
    if change.cells is None:
        return Packed(payload, None, None, None)
    cells = change.cells
    rows = pack_rows(cells.rows, n_obs)
    return Packed(payload, rows, pack_values(*cells.after), pack_values(*cells.before))


def _plain(label: Label) -> list[Any]:
    """Return a label for JSON, as versions wrote it that knew one group and no term."""
    name, alive, color, parents, *rest = label
    above = list(parents) if len(parents) > 1 else "".join(parents)
    return [name, alive, color, above, *(rest if label.term else rest[:-1])]


def _label(plain: Sequence[Any]) -> Label:
    name, alive, color, above, *rest = plain
    parents = tuple(above) if isinstance(above, list) else (above,) * bool(above)
    return Label(name, alive, color, parents, *rest)


def unpack(record: Record, n_obs: int) -> Change:
    """Return the change a stored entry makes.

    Raises
    ------
    ProjectError
        If the entry is damaged.
    """
    labels = tuple(
        (code, _label(old), _label(new)) for code, old, new in record.payload.get("changes", ())
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
        with _damage_in(record):
            change = unpack(record, len(board.codes))
            digest = trusted
            if not trusted or record.digest != trusted:
                digest = digest_of(history.digest, record, change)
        # what the digest proves to be as written cannot be damaged: an error is the program's
        with nullcontext() if record.digest else _damage_in(record):
            advance(record, change, digest, board, history)


@contextmanager
def _damage_in(record: Record) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LogDamaged(f"entry {record.seq} cannot be read") from error


def advance(record: Record, change: Change, digest: str, board: Board, history: History) -> None:
    """Apply one entry, the change it makes and the digest it has to have being known."""
    if record.digest not in ("", digest):
        raise LogDamaged(f"entry {record.seq} is not what was written")
    history.add(record.seq, record.kind, record.payload, changes=bool(change))
    board.apply(change)
    history.digest = digest


def digest_of(previous: str, record: Record, change: Change) -> str:
    """Return the digest of an entry and, through `previous`, of all before it.

    Made from what the entry says, not from its compressed bytes, which depend on a library, and
    without the logs of others in it (``logs``), which have digests of their own.
    """
    payload = {key: value for key, value in record.payload.items() if key != "logs"}
    signed = [previous, record.time, record.actor, record.kind, payload]
    text = json.dumps(signed, sort_keys=True, ensure_ascii=False)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    arrays: list[Rows | Codes | Sources] = []
    if change.holdout is not None:
        arrays = [change.holdout.after, change.holdout.before]
    elif change.cells is not None:
        arrays = [change.cells.rows, *change.cells.after, *change.cells.before]
    for array in arrays:
        one = array[:1] if len(array) and (array == array[0]).all() else array  # as most often
        digest.update(f"{len(array)} {len(one)} ".encode())
        digest.update(one.astype("<i4").tobytes())
    return digest.hexdigest()
