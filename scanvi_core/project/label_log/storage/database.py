"""The database of a project's label log: its tables, its safety settings, its errors in words.

SQLite by default, one file per project: rollback journal with ``synchronous=EXTRA``, so a commit
that returned survives a crash and a power cut (the faster write-ahead log can corrupt a file in
SQLite before 3.51.3). PostgreSQL where ``SCANVI_DATABASE_URL`` says so: one schema per project. A
project whose labels a server keeps is never opened without it: its file may be old.
"""

import os
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scanvi_core.errors import (
    LogDamaged,
    ProjectError,
)
from scanvi_core.project.folder import ON_SERVER
from scanvi_core.project.label_log.storage import migrations
from scanvi_core.project.label_log.storage.tables import (
    EVENTS,
    HEAD,
    META,
    METADATA,
    SCHEMA_VERSION,
)

FILE_NAME = "project.db"
URL_VARIABLE = "SCANVI_DATABASE_URL"
LOCK_WAIT_S = 5
_PRAGMAS = (
    "journal_mode=DELETE", "synchronous=EXTRA", f"busy_timeout={LOCK_WAIT_S * 1000}",
    "foreign_keys=ON", "trusted_schema=OFF",
)  # fmt: skip
__all__ = ["EVENTS", "FILE_NAME", "META", "Database", "LogDamaged"]


def server_url() -> str:
    """Return the address of the server that keeps the labels, empty where files do."""
    return os.environ.get(URL_VARIABLE, "")


class Database:
    """One project's database, opened and checked.

    Parameters
    ----------
    folder
        The project folder. Its file is made when missing; with PostgreSQL its name is the schema.
    n_obs, dataset_hash
        The data set the labels belong to. An empty hash is not compared.
    url
        The server; None: what the environment says, empty: the project's own file.

    Attributes
    ----------
    read_only
        Why nothing can be saved; empty where saving is possible.

    Raises
    ------
    LogDamaged
        If the file is damaged.
    ProjectError
        If it is newer than this program, of another data set, or cannot be reached.
    """

    def __init__(
        self, folder: Path, n_obs: int, dataset_hash: str = "", url: str | None = None
    ) -> None:
        self.read_only = ""
        self._mark = folder / ON_SERVER
        if url is None:
            url = server_url()
            if not url and self._mark.exists():
                raise ProjectError(
                    "A database server keeps the labels of this project.",
                    f"Start the program with {URL_VARIABLE} set as before.",
                )
        self.path = None if url else folder / FILE_NAME
        self._schema = f"scanvi_{folder.name}" if url else ""
        self._engine = self._server(url) if url else self._file(folder / FILE_NAME)
        try:
            self._check(n_obs, dataset_hash)
        except BaseException:
            self.close()
            raise
        if url:
            self._mark.touch()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads."""
        with (
            in_words("read"),
            self._engine.connect().execution_options(reads_only=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from its start; commits at the end."""
        if self.read_only:
            raise ProjectError("Nothing was saved: the project can only be read.", self.read_only)
        with in_words("saved"), self._engine.begin() as connection:
            yield connection
        if self.path is None and self._mark.exists():
            self._mark.touch()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _file(self, path: Path) -> sa.Engine:
        """Return the engine of a SQLite file; where nothing can be written, one that reads."""
        query: dict[str, str] = {}
        database = str(path)
        nearest = path if path.exists() else path.parent
        if not (os.access(nearest, os.W_OK) and os.access(path.parent, os.W_OK)):
            self.read_only = f"The folder {path.parent} cannot be written to: change who may."
            database, query = path.resolve().as_uri(), {"mode": "ro", "uri": "true"}
        engine = sa.create_engine(sa.URL.create("sqlite", database=database, query=query))
        sa.event.listen(engine, "connect", _set_up)
        sa.event.listen(engine, "begin", _begin)
        return engine

    def _server(self, url: str) -> sa.Engine:
        """Return the engine of a schema of a PostgreSQL database, made when missing."""
        with in_words("opened"):
            try:
                engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
            except (ImportError, sa.exc.ArgumentError) as error:
                raise ProjectError(
                    f"The database of {URL_VARIABLE} cannot be used.",
                    "Install psycopg, and write postgresql://user@host/name.",
                ) from error
            quoted = engine.dialect.identifier_preparer.quote(self._schema)
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quoted}")
        sa.event.listen(engine, "begin", _lock)
        return engine.execution_options(schema_translate_map={None: self._schema})

    def _check(self, n_obs: int, dataset_hash: str) -> None:
        known = self._facts()
        if not known:
            with self.writing() as connection:
                known = self._facts_in(connection) or self._create(connection, n_obs, dataset_hash)
        version = _whole(known, "schema_version")
        if version > SCHEMA_VERSION:
            raise ProjectError(
                f"The label log has format {version}, this program reads up to {SCHEMA_VERSION}.",
                "Update the program; the project was left as it is.",
            )
        if _whole(known, "n_obs") != n_obs:
            raise ProjectError(
                f"The labels belong to {known['n_obs']} cells, the data set has {n_obs}.",
                "Open the project with its own data set.",
            )
        if dataset_hash and known.get("dataset_hash") not in ("", dataset_hash):
            raise ProjectError(
                "The labels belong to another data set than the one in this project.",
                "Open the project with its own data set.",
            )
        if version < SCHEMA_VERSION and self.read_only:
            self._read_copy(n_obs)
        elif version < SCHEMA_VERSION:
            self._migrate(version)
        if dataset_hash and not known["dataset_hash"] and not self.read_only:
            with self.writing() as connection:
                where = META.c.key == "dataset_hash"
                connection.execute(META.update().where(where).values(value=dataset_hash))

    def _migrate(self, version: int) -> None:
        """Bring an older log to the present format, after a copy of it was put aside."""
        if self.path is not None:
            migrations.put_aside(self.path, version)
        with self.writing() as connection:
            now = _whole(self._facts_in(connection), "schema_version")  # another window was first?
            migrations.upgrade(connection, now)

    def _read_copy(self, n_obs: int) -> None:
        """Look at an older log that cannot be written to in a copy of the present format."""
        if self.path is None:
            raise ValueError("a database of a server can be written to")
        self._engine.dispose()
        self._place = tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True)
        copy = Path(self._place.name) / FILE_NAME
        shutil.copyfile(self.path, copy)
        Database(copy.parent, n_obs, url="").close()
        self._engine = self._file(copy)

    def _facts(self) -> dict[str, str]:
        with self.reading() as connection:
            if connection.dialect.name == "sqlite":
                verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
                if verdict != "ok":
                    raise LogDamaged(str(verdict).replace("\n", " "))
            return self._facts_in(connection)

    def _facts_in(self, connection: sa.Connection) -> dict[str, str]:
        if not sa.inspect(connection).has_table(META.name, schema=self._schema or None):
            return {}
        return {row.key: row.value for row in connection.execute(sa.select(META))}

    @staticmethod
    def _create(connection: sa.Connection, n_obs: int, dataset_hash: str) -> dict[str, str]:
        METADATA.create_all(connection)
        facts = {
            "schema_version": str(SCHEMA_VERSION),
            "n_obs": str(n_obs),
            "dataset_hash": dataset_hash,
            HEAD: "",
        }
        connection.execute(META.insert(), [{"key": k, "value": v} for k, v in facts.items()])
        return facts


def _whole(known: dict[str, str], key: str) -> int:
    try:
        return int(known[key])
    except (KeyError, ValueError) as error:
        raise LogDamaged(f"its {key} cannot be read") from error


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin late and without the write lock
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _lock(connection: sa.Connection) -> None:
    """Let one writer of a schema in at a time, so that entries are numbered as they commit."""
    options = connection.get_execution_options()
    if options.get("reads_only", False):
        return
    schema = options["schema_translate_map"][None]
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'")
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(schema))))


DECODERS = {"sqlalchemy", "json", "sqlite3", "psycopg"}

_WAIT = ("another window is writing", "Try again.")
_CLOSED = ("its folder cannot be written to", "Change the permissions of the project folder.")
_REASONS = {
    "locked": _WAIT,
    "lock timeout": _WAIT,
    "full": (
        "the disk is full", "Free some disk space, then repeat the edit; nothing else was lost.",
    ),
    "readonly": _CLOSED,
    "unable to open": _CLOSED,
    "disk I/O": (
        "the disk refuses", "Free some space or check the disk, then repeat the edit.",
    ),
    "connection": (
        "the database server cannot be reached", "Ask who runs the server, then try again.",
    ),
}  # fmt: skip
_UNKNOWN = (
    "the database refuses",
    "Restart the program; if this stays, repair the project on the Open page.",
)
_BROKEN = {
    "malformed": "its pages do not fit each other",
    "not a database": "it is not a database",
    "corrupt": "its pages do not fit each other",
}


@contextmanager
def in_words(verb: str) -> Iterator[None]:
    """Turn an error of the database into a sentence; its own words may hold anything."""
    try:
        yield
    except (sa.exc.DatabaseError, sqlite3.DatabaseError) as error:
        raise _in_words(getattr(error, "orig", error), verb) from error
    except (ValueError, TypeError) as error:
        if not _is_of_the_driver(error):
            raise
        # what the driver cannot even decode: text that is no text, JSON that is no JSON
        raise LogDamaged("a value in it cannot be read") from error


def _is_of_the_driver(error: BaseException) -> bool:
    """Tell whether an error arose where values are decoded, not in the program's own lines."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in DECODERS


def _in_words(error: BaseException | None, verb: str) -> ProjectError:
    text = str(error)
    for word, what in _BROKEN.items():
        if word in text:
            return LogDamaged(what)
    why, hint = next((about for word, about in _REASONS.items() if word in text), _UNKNOWN)
    return ProjectError(f"The label log could not be {verb}: {why}.", hint)
