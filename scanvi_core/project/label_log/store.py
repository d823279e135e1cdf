"""The label store: append, undo, and the labels at any moment."""

import base64
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from scanvi_core.errors import ProjectError, StaleEdit
from scanvi_core.project.label_log.events import Event, describe
from scanvi_core.project.label_log.exchange import foreign_log, import_log
from scanvi_core.project.label_log.exchange.lines import to_line
from scanvi_core.project.label_log.exchange.merge import COMBINE
from scanvi_core.project.label_log.refusals import step_in_use
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.apply import left_out, plan
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.row_sets import pack_rows
from scanvi_core.project.label_log.replay.state import Board, Change, LabelState
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.project.label_log.storage.database import EVENTS, FILE_NAME
from scanvi_core.project.label_log.storage.ledger import Ledger
from scanvi_core.project.label_log.storage.signing import Bringer

__all__ = ["FILE_NAME", "LabelStore"]


class LabelStore(Ledger):
    """Append-only log of label events of one data set; safe for threads and processes."""

    _conflicts: tuple[int, list[import_log.Conflict]] | None = None

    def append(self, event: Event, expected_seq: int | None = None) -> int:
        """Save an event and return its number; it is on disk when this returns.

        Parameters
        ----------
        event
            From a constructor in `scanvi_core.project.label_log.events`.
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
        with self._writing() as connection:
            change = plan(self._board, event)
            if expected_seq is not None:
                self._refuse_stale(connection, event, change, expected_seq)
            payload = dict(event.payload)
            if event.kind == "accept":
                rows = left_out(self._board, event, change)
                packed = base64.b64encode(pack_rows(rows, self.n_obs)).decode()
                payload |= {"left_out": len(rows), "left_out_rows": packed}
            return self._insert(connection, replace(event, payload=payload), change)

    def refuse_stale(self, event: Event, expected_seq: int) -> None:
        """Raise `StaleEdit` if later events than `expected_seq` touch what `event` would."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            self._refuse_stale(connection, event, plan(self._board, event), expected_seq)

    def undo(self, seq: int | None = None) -> int:
        """Take back event `seq` (the last one in effect), as a new event; return its number.

        Raises
        ------
        StepInUse
            If later events touch the same cells or labels.
        ProjectError
            If there is nothing to undo, or it is undone already.
        """
        with self._writing() as connection:
            target = self._history.to_undo(seq)
            event, change = self._load(connection, target)
            self._refuse_in_use(connection, target, change)
            return self._turn(connection, "undo", event, change.reversed())

    def undo_to(self, seq: int) -> int:
        """Take back every event after `seq`, the latest first and all or none; return how many.

        Each is undone by an event of its own, so that redo walks forward again step by step.
        """
        with self._writing() as connection:
            later = self._history.in_effect_after(seq)
            for target in later:
                event, change = self._load(connection, target)
                self._turn(connection, "undo", event, change.reversed())
                self._catch_up(connection)
        return len(later)

    def redo(self) -> int:
        """Put back what was undone last, as a new event; return its number.

        Raises
        ------
        ProjectError
            If nothing was undone since the last new event.
        """
        with self._writing() as connection:
            event, change = self._load(connection, self._history.to_redo())
            return self._turn(connection, "redo", event, change)

    def undoable(self) -> Event | None:
        """Return the event `undo` would take back."""
        return self._event_at(lambda history: history.next_undo)

    def redoable(self) -> Event | None:
        """Return the event `redo` would put back."""
        return self._event_at(lambda history: history.next_redo)

    def labels(self, at: int | None = None) -> LabelState:
        """Return the labels now, or as they were after event `at`."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            if at is None or at >= self._history.seq:
                if self._state is None:
                    self._state = self._board.state(self._history.seq)
                return self._state
            board, history = Board(self.n_obs), History()
            entries.replay(self._records(connection, EVENTS.c.seq <= at), board, history)
            return board.state(history.seq)

    def events(self) -> list[Event]:
        """Return all events, the oldest first, without their rows."""
        light = [EVENTS.c[name] for name in (*Record._fields[:5], "origin")]
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            rows = connection.execute(sa.select(*light).order_by(EVENTS.c.seq))
            entries = (Record(*about)._replace(origin=origin) for *about, origin in rows)
            return [self._event(entry) for entry in entries]

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

    def merge(self, lines: Iterable[str]) -> import_log.Taken:
        """Take over what others did to the same cells, as one event that undo can take back.

        Parameters
        ----------
        lines
            From `export_log` of their project. What they say of who and when is a claim.

        Raises
        ------
        HistoryRefused
            If a line is damaged or of another data set.
        ProjectError
            If the disk refuses.
        """
        theirs = list(foreign_log.checked_lines(lines, self.n_obs))
        with self._writing() as connection:
            taken = import_log.take_over(list(self._records(connection)), theirs, self._board)
            if taken.payload is not None:
                self._insert(connection, Event(COMBINE, taken.payload), taken.change)
            return taken

    def conflicts(self) -> list[import_log.Conflict]:
        """Return the cells about which merged logs differ and nobody has decided since."""
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            if self._conflicts is None or self._conflicts[0] != self._history.seq:
                records = list(self._records(connection))
                self._conflicts = self._history.seq, import_log.open_conflicts(records, self.n_obs)
            return self._conflicts[1]

    def fill(self, records: Iterable[Record], proven: Collection[int] = ()) -> None:
        """Begin this log with the entries of another, for the same cells in the same order.

        They are marked as brought by who is at work, now; what they say of who and when is a
        claim, but for those whose numbers are `proven`: of a log of this installation.

        Raises
        ------
        HistoryRefused
            If an entry is damaged or of another data set.
        ProjectError
            If this log has begun already, or the disk refuses.
        """
        records = foreign_log.checked(records, self.n_obs)
        brought = list(foreign_log.marked(records, Bringer.now(self.actor), self._signer, proven))
        with self._writing() as connection:
            if self._history.seq:
                raise ProjectError("This project has labels already.", "Open the file once more.")
            self._store(connection, brought, self._signer.head_of(brought))
            self._catch_up(connection)

    def export_log(self) -> list[str]:
        """Return the log as lines of JSON, one per event, for `replay`."""
        with self._lock, self._database.reading() as connection:
            return [to_line(record, self.n_obs) for record in self._records(connection)]

    @staticmethod
    def replay(lines: Iterable[str], n_obs: int) -> LabelState:
        """Return the labels that the lines of `export_log` lead to.

        Raises
        ------
        HistoryRefused
            If a line is damaged or out of order.
        """
        board, history = Board(n_obs), History()
        entries.replay(foreign_log.checked_lines(lines, n_obs), board, history)
        return board.state(history.seq)

    def _refuse_in_use(self, connection: sa.Connection, target: int, change: Change) -> None:
        steps, rows = [], [np.empty(0, dtype=np.int64)]
        for later in self._history.in_effect_after(target):
            event, theirs = self._load(connection, later)
            shared = change.overlap(theirs)
            if shared is not None:
                steps.append(event)
                rows.append(shared)
        if steps:
            raise step_in_use(target, steps, np.unique(np.concatenate(rows)))

    def _refuse_stale(
        self, connection: sa.Connection, event: Event, change: Change, expected_seq: int
    ) -> None:
        for record in self._records(connection, EVENTS.c.seq > expected_seq):
            shared = change.overlap(entries.unpack(record, self.n_obs))
            if shared is None:
                continue
            where = f", {len(shared):,} of them yours too" if len(shared) else ""
            their = self._event(record)
            theirs = f"{their.actor or 'another window'}: {describe(their)}{where}"
            payload = {**event.payload, "n_cells": change.n_cells}
            raise StaleEdit(theirs, describe(replace(event, payload=payload)))

    def _turn(self, connection: sa.Connection, kind: str, event: Event, change: Change) -> int:
        """Store an undo or a redo of `event`."""
        self._board.check(change)
        payload = {"step": event.seq, "what": describe(event)}
        return self._insert(connection, Event(kind, payload), change)
