"""Older label logs are brought to the present format, one step at a time, after a copy was kept.

A log is written by one version of the program and read by all later ones. A newer log is refused.
"""

from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log import entries
from scanvi_core.project.label_log.backup import BACKUPS, copy_database
from scanvi_core.project.label_log.tables import EVENTS, META, SCHEMA_VERSION


def put_aside(path: Path, version: int) -> Path:
    """Copy a log before its format is changed; return where the copy lies."""
    target = path.parent / BACKUPS / f"before-format-{version + 1}.db"
    try:
        copy_database(path, target)
    except (OSError, sa.exc.DatabaseError) as error:
        raise ProjectError(
            f"The project is of an older version, and a copy of its labels could not be kept "
            f"before bringing it up to date: {error}.",
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
    connection.execute(sa.DDL("ALTER TABLE events ADD COLUMN digest TEXT NOT NULL DEFAULT ''"))
    n_obs = int(connection.scalar(sa.select(META.c.value).where(META.c.key == "n_obs")) or 0)
    digest = ""
    for row in connection.execute(sa.select(EVENTS).order_by(EVENTS.c.seq)).all():
        record = entries.Record(*row)
        digest = entries.digest_of(digest, record, entries.unpack(record, n_obs))
        where = EVENTS.c.seq == record.seq
        connection.execute(EVENTS.update().where(where).values(digest=digest))


_STEPS: dict[int, Callable[[sa.Connection], None]] = {1: _add_digests}
