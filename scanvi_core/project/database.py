"""The SQLite file of a project: its tables, its safety settings, its errors in plain words.

Rollback journal with ``synchronous=EXTRA``: a commit that returned survives a crash and a power
cut. The faster write-ahead log can corrupt a file in SQLite before 3.51.3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scanvi_core.errors import ProjectError

SCHEMA_VERSION = 1
_PRAGMAS = (
    "journal_mode=DELETE", "synchronous=EXTRA", "busy_timeout=5000", "foreign_keys=ON",
    "trusted_schema=OFF",
)  # fmt: skip

_metadata = sa.MetaData()
EVENTS = sa.Table(
    "events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("time", sa.Text, nullable=False),  # UTC; for people only, order comes from seq
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("cells", sa.LargeBinary),
    sa.Column("after", sa.LargeBinary),
    sa.Column("before", sa.LargeBinary),
    sqlite_autoincrement=True,
)
META = sa.Table(
    "meta",
    _metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


class Database:
    """One project database, opened and checked.

    Parameters
    ----------
    path
        The file; made when missing.
    n_obs, dataset_hash
        The data set the labels belong to. An empty hash is not compared.

    Raises
    ------
    ProjectError
        If the file is damaged, newer than this program, or of another data set.
    """

    def __init__(self, path: Path, n_obs: int, dataset_hash: str = "") -> None:
        self._engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            self._check(n_obs, dataset_hash)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads."""
        with (
            _in_words("read"),
            self._engine.connect().execution_options(reads_only=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that holds the write lock from its start; commits at the end."""
        with _in_words("saved"), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _check(self, n_obs: int, dataset_hash: str) -> None:
        with self.reading() as connection:
            known = self._facts(connection)
        if not known:
            with self.writing() as connection:
                known = self._facts(connection) or self._create(connection, n_obs, dataset_hash)
        if int(known["schema_version"]) > SCHEMA_VERSION:
            raise ProjectError(
                f"The label log has format {known['schema_version']}, this program reads "
                f"up to {SCHEMA_VERSION}.",
                "Update the program; the project was left as it is.",
            )
        if int(known["n_obs"]) != n_obs:
            raise ProjectError(
                f"The labels belong to {known['n_obs']} cells, the data set has {n_obs}.",
                "Open the project with its own data set.",
            )
        if dataset_hash and known["dataset_hash"] not in ("", dataset_hash):
            raise ProjectError(
                "The labels belong to another data set than the one in this project.",
                "Open the project with its own data set.",
            )
        if dataset_hash and not known["dataset_hash"]:
            with self.writing() as connection:
                where = META.c.key == "dataset_hash"
                connection.execute(META.update().where(where).values(value=dataset_hash))

    @staticmethod
    def _facts(connection: sa.Connection) -> dict[str, str]:
        if not sa.inspect(connection).has_table(META.name):
            return {}
        return {row.key: row.value for row in connection.execute(sa.select(META))}

    @staticmethod
    def _create(connection: sa.Connection, n_obs: int, dataset_hash: str) -> dict[str, str]:
        _metadata.create_all(connection)
        facts = {
            "schema_version": str(SCHEMA_VERSION),
            "n_obs": str(n_obs),
            "dataset_hash": dataset_hash,
        }
        connection.execute(META.insert(), [{"key": k, "value": v} for k, v in facts.items()])
        return facts


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 would begin late and without the write lock
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


@contextmanager
def _in_words(verb: str) -> Iterator[None]:
    """Turn an error of the database into a sentence."""
    try:
        yield
    except sa.exc.DatabaseError as error:
        reason = str(error.orig)
        hints = {
            "locked": "Another window is writing; try again.",
            "full": "Free some disk space, then repeat the edit; nothing else was lost.",
            "readonly": "The project folder cannot be written to; change its permissions.",
            "unable to open": "The project folder cannot be written to; change its permissions.",
        }
        hint = next((text for word, text in hints.items() if word in reason), None)
        raise ProjectError(
            f"The label log could not be {verb}: {reason}.",
            hint or "Restore project.db from a backup.",
        ) from error
