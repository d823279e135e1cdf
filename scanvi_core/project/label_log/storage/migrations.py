"""Older label logs are brought to the present format, one step at a time, after a copy was kept.

A log is written by one version of the program and read by all later ones. A newer log is refused.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from scanvi_core.errors import ProjectError, reason_of
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.storage.backup import BACKUPS, copy_database
from scanvi_core.project.label_log.storage.tables import EVENTS, HEAD, META, SCHEMA_VERSION


def put_aside(path: Path, version: int) -> Path:
    """Copy a log before its format is changed; return where the copy lies."""
    target = path.parent / BACKUPS / f"before-format-{version + 1}.db"
    try:
        copy_database(path, target)
    except (OSError, sqlite3.Error) as error:
        raise ProjectError(
            f"The project is of an older version, and a copy of its labels could not be kept "
            f"before bringing it up to date: {reason_of(error)}.",
            "Free some disk space or change who may write to the project folder.",
        ) from error
    return target


def upgrade(connection: sa.Connection, version: int) -> None:
    """Bring a log from `version` to the present format, inside the caller's transaction."""
    for step in range(version, SCHEMA_VERSION):
        _STEPS[step](connection)
    where = META.c.key == "schema_version"
    connection.execute(META.update().where(where).values(value=str(SCHEMA_VERSION)))


def _add_digests(connection: sa.Connection) -> None:
    """1 to 2: every entry gets a digest of itself and of all before it."""
    _add_column(connection, "digest TEXT NOT NULL DEFAULT ''")
    n_obs = int(connection.scalar(sa.select(META.c.value).where(META.c.key == "n_obs")) or 0)
    digest = ""
    columns = [EVENTS.c[name] for name in entries.Record._fields[:9]]  # those of format 2
    for row in connection.execute(sa.select(*columns).order_by(EVENTS.c.seq)).all():
        record = entries.Record(*row)
        digest = entries.digest_of(digest, record, entries.unpack(record, n_obs))
        where = EVENTS.c.seq == record.seq
        connection.execute(EVENTS.update().where(where).values(digest=digest))


def _add_signatures(connection: sa.Connection) -> None:
    """2 to 3: entries say where they are from and are signed; those of before are not."""
    _add_column(connection, "origin JSON")
    _add_column(connection, "mac TEXT NOT NULL DEFAULT ''")
    if connection.scalar(sa.select(META.c.value).where(META.c.key == HEAD)) is None:
        connection.execute(META.insert().values(key=HEAD, value=""))


def _add_column(connection: sa.Connection, column: str) -> None:
    """Add a column to the entries, unless it is there."""
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    there = sa.inspect(connection).get_columns(EVENTS.name, schema=schema)
    if column.split(maxsplit=1)[0] in {known["name"] for known in there}:
        return
    quote = connection.dialect.identifier_preparer.quote
    table = f"{quote(schema)}.{EVENTS.name}" if schema else EVENTS.name
    connection.execute(sa.DDL(f"ALTER TABLE {table} ADD COLUMN {column}"))


_STEPS: dict[int, Callable[[sa.Connection], None]] = {1: _add_digests, 2: _add_signatures}
