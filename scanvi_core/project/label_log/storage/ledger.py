"""The label log as a file and in memory: reading, catching up, one entry more."""

import json
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from scanvi_core.errors import (
    LogDamaged,
    ProjectError,
)
from scanvi_core.keys import one_line
from scanvi_core.project import access
from scanvi_core.project.files import to_json
from scanvi_core.project.label_log.events import Event
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.state import Board, Change, LabelState
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.project.label_log.storage.backup import (
    Mended,
    copy_database,
    fullest,
    keep_copy,
    mend,
    write_new,
)
from scanvi_core.project.label_log.storage.database import EVENTS, FILE_NAME, Database
from scanvi_core.project.label_log.storage.signing import ALTERED, SIGNED_IN, Signer
from scanvi_core.project.label_log.storage.tables import HEAD, META
from scanvi_core.project.locks import at_work, enter, is_signed_in, this_user
from scanvi_core.runtime import replacing

_SET_HEAD = META.update().where(META.c.key == HEAD).values(value=sa.bindparam("head"))


class Ledger:
    """The entries of one data set's label log; safe for threads and processes.

    The log is the truth: the state is its replay, kept up to date in memory as events come,
    also those of other windows and processes.

    Attributes
    ----------
    n_obs
        Number of cells.
    actor
        Written beside each event that names nobody, where nobody said who is at work.
    recovered
        Whether the process that worked with it before was cut off.
    damage
        What is wrong with the file, where only a part of it could be read; else empty.
    cut
        Whether the newest entries had been taken off when it was opened.
    """

    recovered = False
    damage = ""
    cut = False
    _folder: Path | None = None
    _written = ""  # the digest of the last entry this store wrote
    _damaged: "tuple[Path, tempfile.TemporaryDirectory[str]] | None" = None

    def __init__(self, database: Database, n_obs: int, actor: str = "") -> None:
        self.n_obs = n_obs
        self.actor = actor
        self._database = database
        self._lock = threading.RLock()
        self._signer = Signer()
        self._state: LabelState | None = None
        self._forget()

    @property
    def read_only(self) -> str:
        """Why nothing can be saved, by who asks; empty where saving is possible."""
        refused = access.refusal(self._folder) if self._folder else None
        return self._database.read_only or (refused.hint if refused else "")

    @classmethod
    def open(
        cls,
        folder: Path,
        n_obs: int,
        *,
        dataset_hash: str = "",
        actor: str = "",
        rescue: bool = True,
    ) -> Self:
        """Open the log in a project folder, or begin one.

        With `rescue` a damaged log opens too: all of it that can be read, to look at only, until
        `repair` is called; `damage` says why.

        Raises
        ------
        LogDamaged
            If the log is damaged and nothing of it can be read, or without `rescue`.
        ProjectError
            If it is newer than this program, or of another data set.
        """
        actor = actor or this_user()
        try:
            store = cls(Database(folder, n_obs, dataset_hash), n_obs, actor)
            store._read_all()
            store._take_in(folder)
        except LogDamaged as error:
            if not rescue:
                raise
            store = cls._rescued(folder, n_obs, actor, error)
        else:
            store._settle(folder)
        store._folder = folder  # from here on it is asked who writes
        return store

    def repair(self) -> Mended:
        """Replace a damaged log by all of it that can be read, or by its fullest copy.

        Raises
        ------
        ProjectError
            If the disk refuses, or who asks may only look.
        """
        if self._damaged is None:
            raise ValueError("nothing is damaged")
        folder, _ = self._damaged
        access.check_write(folder)
        with self._lock:
            mended = mend(folder / FILE_NAME, self.n_obs)
            self.close()
            self._forget()
            self._database = Database(folder, self.n_obs)
            self._read_all()
            self._take_in(folder)
            self.damage, self._damaged = "", None
        self._settle(folder)
        return mended

    @classmethod
    def _rescued(cls, folder: Path, n_obs: int, actor: str, damage: LogDamaged) -> Self:
        records, _ = fullest(folder / FILE_NAME, n_obs)
        if not records:
            raise damage
        place = tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True)
        write_new(Path(place.name) / FILE_NAME, records, n_obs)
        database = Database(Path(place.name), n_obs, url="")
        database.read_only = f"{damage.message} {damage.hint}"
        store = cls(database, n_obs, actor)
        store._read_all()
        store.damage, store._damaged = damage.message, (folder, place)
        return store

    def _read_all(self) -> None:
        """Read every entry, and find that it is as it was written."""
        try:
            with self._database.reading() as connection:
                self._catch_up(connection)
                self.cut = self._signer.is_cut(*self._end(connection))
        except BaseException:
            self.close()
            raise

    def _take_in(self, folder: Path) -> None:
        """Begin a log on a server with all entries of the project's own file, if it has one."""
        if self._database.path is not None or self._history.seq:
            return
        if not (folder / FILE_NAME).is_file():
            return
        local = type(self)(Database(folder, self.n_obs, url=""), self.n_obs)
        local._read_all()
        records = local.records()
        with local._database.reading() as connection:
            head, *_ = local._end(connection)
        local.close()
        with self._writing() as connection:
            if not self._history.seq:  # else another window was first
                self._store(connection, records, head)
                self._catch_up(connection)
                self.cut = local.cut

    def records(self) -> list[Record]:
        """Return all entries as they are stored."""
        with self._lock, self._database.reading() as connection:
            return list(self._records(connection))

    def copy_to(self, target: Path) -> None:
        """Write the whole log as a SQLite file, wherever it is kept."""
        if self._database.path is not None:
            copy_database(self._database.path, target)
            return
        with self._lock, self._database.reading() as connection:
            head, *_ = self._end(connection)
            records = list(self._records(connection))
        with replacing(target) as temporary:
            write_new(temporary, records, self.n_obs, head)

    def _settle(self, folder: Path) -> None:
        """Mark the folder as in use, and keep a copy of what is new."""
        if self.read_only:
            return
        self.recovered = enter(folder)
        if self._database.path is not None:
            keep_copy(self._database.path, self._history.seq)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Hold the write lock and know every entry; what is not committed leaves no trace."""
        if self._folder is not None:
            access.check_write(self._folder)
        seen = self._history.seq
        with self._lock:
            try:
                with self._database.writing() as connection:
                    self._catch_up(connection)
                    seen = self._history.seq
                    yield connection
            except BaseException:
                if self._history.seq > seen:  # several entries in one go, and none was kept
                    self._forget()
                raise

    def _catch_up(self, connection: sa.Connection) -> None:
        """Apply what this store has not seen: its own last event, and those of others.

        Memory follows the file and never runs ahead of it, so a failed commit leaves no trace.
        """
        records = self._verified(self._records(connection, EVENTS.c.seq > self._history.seq))
        seen = self._history.seq
        try:
            entries.replay(records, self._board, self._history, trusted=self._written)
        except BaseException:
            self._forget()  # half an event may have been applied
            raise
        if self._history.seq > seen:
            self._state = None

    def _forget(self) -> None:
        self._board, self._history = Board(self.n_obs), History()
        self._state = None
        self._mac = ""  # of the last entry seen
        self._proofs: dict[int, str] = {}

    def _verified(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield entries, and note what is known of each once it was found to make sense."""
        for record in records:
            if not record.digest:
                raise LogDamaged(f"entry {record.seq} has no digest")
            yield record
            self._proofs[record.seq] = self._signer.proof(self._mac, record)
            self._mac = record.mac

    def _insert(self, connection: sa.Connection, event: Event, change: Change) -> int:
        packed = entries.pack(change, self.n_obs)
        record = Record(
            seq=self._history.seq + 1,  # the lock is held: nobody else takes this number
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            actor=event.actor or at_work() or self.actor,
            origin={SIGNED_IN: True} if is_signed_in() and not event.actor else None,
            kind=event.kind,
            payload=json.loads(to_json({**event.payload, **packed.payload})),
            cells=packed.cells,
            after=packed.after,
            before=packed.before,
        )
        record = record._replace(digest=entries.digest_of(self._history.digest, record, change))
        record = record._replace(mac=self._signer.sign(self._mac, record))
        self._store(connection, [record], self._signer.head(record.seq, record.mac))
        self._written = record.digest
        return record.seq

    def _store(self, connection: sa.Connection, records: Sequence[Record], head: str) -> None:
        """Write entries, and which of them is the last; never again where some were taken off."""
        head = "" if self.cut else head
        if records:
            connection.execute(EVENTS.insert(), [record._asdict() for record in records])
            connection.execute(_SET_HEAD, {"head": head})

    def _end(self, connection: sa.Connection) -> tuple[str, int, str]:
        """Return what was said to be the last entry, and the number and signature of the last.

        In one query, which sees one moment of a database that others write to.
        """
        last = EVENTS.c.seq == sa.select(sa.func.max(EVENTS.c.seq)).scalar_subquery()
        query = sa.select(META.c.value, EVENTS.c.seq, EVENTS.c.mac)
        joined = META.outerjoin(EVENTS, last)
        row = connection.execute(query.select_from(joined).where(META.c.key == HEAD)).first()
        return ("", 0, "") if row is None else (row.value, row.seq or 0, row.mac or "")

    def _records(
        self, connection: sa.Connection, *where: sa.ColumnElement[bool]
    ) -> Iterator[Record]:
        query = sa.select(EVENTS).where(*where).order_by(EVENTS.c.seq)
        return (Record(*row) for row in connection.execute(query))

    def _load(self, connection: sa.Connection, seq: int) -> tuple[Event, Change]:
        record = next(self._records(connection, EVENTS.c.seq == seq), None)
        if record is None:
            raise ProjectError(f"The label log has no step {seq}.")
        return self._event(record), entries.unpack(record, self.n_obs)

    def _event_at(self, which: Callable[[History], int | None]) -> Event | None:
        with self._lock, self._database.reading() as connection:
            self._catch_up(connection)
            seq = which(self._history)
            return None if seq is None else self._load(connection, seq)[0]

    def _event(self, record: Record) -> Event:
        return Event(
            record.kind,
            record.payload,
            actor=one_line(record.actor),
            seq=record.seq,
            time=record.time,
            undone=self._history.undone(record.seq),
            origin=record.origin or {},
            proof=self._proofs.get(record.seq, ALTERED),
        )
