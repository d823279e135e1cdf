"""The label store: append, undo, and the labels at any moment."""

import base64
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from scanvi_core.errors import ProjectError
from scanvi_core.project import log
from scanvi_core.project.database import EVENTS, Database
from scanvi_core.project.events import Event, describe
from scanvi_core.project.history import History
from scanvi_core.project.log import Record
from scanvi_core.project.plan import left_out, plan
from scanvi_core.project.rows import pack_rows
from scanvi_core.project.state import Board, Change, LabelState

FILE_NAME = "project.db"


class StaleEdit(ProjectError):
    """Somebody else changed the same cells since this edit was begun.

    Attributes
    ----------
    theirs, yours
        Both versions in words.
    """

    def __init__(self, theirs: str, yours: str) -> None:
        super().__init__(
            f"Meanwhile: {theirs}. Your edit was not saved: {yours}.",
            "Look at the cells again, then repeat your edit or leave theirs.",
        )
        self.theirs = theirs
        self.yours = yours


class LabelStore:
    """Append-only log of label events of one data set; safe for threads and processes.

    The log is the truth: the state is its replay, kept up to date in memory as events come,
    also those of other windows and processes.

    Attributes
    ----------
    n_obs
        Number of cells.
    actor
        Written beside each event that names nobody.
    """

    def __init__(self, database: Database, n_obs: int, actor: str = "") -> None:
        self.n_obs = n_obs
        self.actor = actor
        self._database = database
        self._lock = threading.RLock()
        self._board, self._history = Board(n_obs), History()
        self._state: LabelState | None = None

    @classmethod
    def open(cls, folder: Path, n_obs: int, *, dataset_hash: str = "", actor: str = "") -> Self:
        """Open the log in a project folder, or begin one.

        Raises
        ------
        ProjectError
            If the log is damaged, newer than this program, or of another data set.
        """
        return cls(Database(folder / FILE_NAME, n_obs, dataset_hash), n_obs, actor)

    def append(self, event: Event, expected_seq: int | None = None) -> int:
        """Save an event and return its number; it is on disk when this returns.

        Parameters
        ----------
        event
            From a constructor in `scanvi_core.project.events`.
        expected_seq
            The `LabelState.seq` the user was looking at.

        Raises
        ------
        StaleEdit
            If later events than `expected_seq` touch the same cells or labels.
        ProjectError
            If a label is missing or there already, or the disk refuses.
        SettingInvalid
            If it names rows the data set does not have.
        """
        with self._lock, self._database.writing() as connection:
            self._catch_up(connection)
            change = plan(self._board, event)
            if expected_seq is not None:
                self._refuse_stale(connection, event, change, expected_seq)
            payload = dict(event.payload)
            if event.kind == "accept":
                rows = left_out(self._board, event, change)
                packed = base64.b64encode(pack_rows(rows, self.n_obs)).decode()
                payload |= {"left_out": len(rows), "left_out_rows": packed}
            return self._insert(connection, replace(event, payload=payload), change)

    def undo(self, seq: int | None = None) -> int:
        """Take back event `seq` (the last one in effect), as a new event; return its number.

        Raises
        ------
        ProjectError
            If there is nothing to undo, or later events build on that one.
        """
        with self._lock, self._database.writing() as connection:
            self._catch_up(connection)
            target = self._history.to_undo(seq)
            event, change = self._load(connection, target)
            for later in self._history.in_effect_after(target):
                other, theirs = self._load(connection, later)
                if change.overlap(theirs) is not None:
                    raise ProjectError(
                        f"Step {target} cannot be taken back alone: "
                        f"step {later} ({describe(other)}) builds on it.",
                        f"Undo step {later} first.",
                    )
            return self._turn(connection, "undo", event, change.reversed())

    def redo(self) -> int:
        """Put back what was undone last, as a new event; return its number.

        Raises
        ------
        ProjectError
            If nothing was undone since the last new event.
        """
        with self._lock, self._database.writing() as connection:
            self._catch_up(connection)
            event, change = self._load(connection, self._history.to_redo())
            return self._turn(connection, "redo", event, change)

    def undoable(self) -> Event | None:
        """Return the event `undo` would take back."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            seq = self._history.next_undo
            return None if seq is None else self._load(connection, seq)[0]

    def redoable(self) -> Event | None:
        """Return the event `redo` would put back."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            seq = self._history.next_redo
            return None if seq is None else self._load(connection, seq)[0]

    def labels(self, at: int | None = None) -> LabelState:
        """Return the labels now, or as they were after event `at`."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            if at is None or at >= self._history.seq:
                if self._state is None:
                    self._state = self._board.state(self._history.seq)
                return self._state
            board, history = Board(self.n_obs), History()
            log.replay(self._records(connection, EVENTS.c.seq <= at), board, history)
            return board.state(history.seq)

    def events(self) -> list[Event]:
        """Return all events, the oldest first, without their rows."""
        light = (EVENTS.c.seq, EVENTS.c.time, EVENTS.c.actor, EVENTS.c.kind, EVENTS.c.payload)
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            rows = connection.execute(sa.select(*light).order_by(EVENTS.c.seq))
            return [self._event(Record(*row)) for row in rows]

    def event(self, seq: int) -> Event:
        """Return one event with its rows.

        Raises
        ------
        ProjectError
            If there is no such event.
        """
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            event, change = self._load(connection, seq)
        aside = change.holdout.after if change.holdout is not None else None
        return replace(event, rows=change.cells.rows if change.cells is not None else aside)

    def export_log(self) -> list[str]:
        """Return the log as lines of JSON, one per event, for `replay`."""
        with self._lock, self._database.reading() as connection:
            return [log.to_line(record, self.n_obs) for record in self._records(connection)]

    @staticmethod
    def replay(lines: Iterable[str], n_obs: int) -> LabelState:
        """Return the labels that the lines of `export_log` lead to.

        Raises
        ------
        ProjectError
            If a line is damaged or out of order.
        """
        board, history = Board(n_obs), History()
        log.replay((log.from_line(line, n_obs) for line in lines), board, history)
        return board.state(history.seq)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _catch_up(self, connection: sa.Connection) -> None:
        """Apply what this store has not seen: its own last event, and those of others.

        Memory follows the file and never runs ahead of it, so a failed commit leaves no trace.
        """
        records = self._records(connection, EVENTS.c.seq > self._history.seq)
        seen = self._history.seq
        try:
            log.replay(records, self._board, self._history)
        except BaseException:
            self._forget()  # half an event may have been applied
            raise
        if self._history.seq > seen:
            self._state = None

    def _forget(self) -> None:
        self._board, self._history = Board(self.n_obs), History()
        self._state = None

    def _refuse_stale(
        self, connection: sa.Connection, event: Event, change: Change, expected_seq: int
    ) -> None:
        for record in self._records(connection, EVENTS.c.seq > expected_seq):
            shared = change.overlap(log.unpack(record, self.n_obs))
            if shared is None:
                continue
            where = f", {shared:,} of them yours too" if shared else ""
            theirs = f"{record.actor or 'another window'}: {describe(self._event(record))}{where}"
            payload = {**event.payload, "n_cells": change.n_cells}
            raise StaleEdit(theirs, describe(replace(event, payload=payload)))

    def _turn(self, connection: sa.Connection, kind: str, event: Event, change: Change) -> int:
        """Store an undo or a redo of `event`."""
        self._board.check(change)
        payload = {"step": event.seq, "what": describe(event)}
        return self._insert(connection, Event(kind, payload), change)

    def _insert(self, connection: sa.Connection, event: Event, change: Change) -> int:
        packed = log.pack(change, self.n_obs)
        values = {
            **packed._asdict(),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "actor": event.actor or self.actor,
            "kind": event.kind,
            "payload": {**event.payload, **packed.payload},
        }
        result = connection.execute(EVENTS.insert().values(values))
        key = result.inserted_primary_key
        assert key is not None  # noqa: S101  told to the type checker: one row was inserted
        return int(key[0])

    def _records(
        self, connection: sa.Connection, *where: sa.ColumnElement[bool]
    ) -> Iterator[Record]:
        query = sa.select(EVENTS).where(*where).order_by(EVENTS.c.seq)
        return (Record(*row) for row in connection.execute(query))

    def _load(self, connection: sa.Connection, seq: int) -> tuple[Event, Change]:
        record = next(self._records(connection, EVENTS.c.seq == seq), None)
        if record is None:
            raise ProjectError(f"The label log has no step {seq}.")
        return self._event(record), log.unpack(record, self.n_obs)

    def _event(self, record: Record) -> Event:
        undone = (
            bool(record.payload["n_cells"] or "changes" in record.payload)
            and record.kind not in ("undo", "redo", "note")
            and not self._history.in_effect(record.seq)
        )
        return Event(
            record.kind,
            record.payload,
            actor=record.actor,
            seq=record.seq,
            time=record.time,
            undone=undone,
        )
