"""Copies of the label log, and mending one that a bad disk damaged.

A copy is kept whenever a project is opened with changes that the newest copy does not hold. They
are named by the last entry, not by the clock.
"""

import logging
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log.replay import entries
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.replay.state import Board
from scanvi_core.project.label_log.replay.undo import History
from scanvi_core.project.label_log.storage.signing import Signer
from scanvi_core.project.label_log.storage.tables import (
    EVENTS,
    HEAD,
    META,
    METADATA,
    SCHEMA_VERSION,
)
from scanvi_core.runtime import replacing

BACKUPS = "backups"
MAX_COPIES = 9
AT_ONCE = 16  # entries, of which one may fill some MB
_logger = logging.getLogger(__name__)


class Mended(NamedTuple):
    """How many changes came back, from which file, and where the damaged one lies."""

    n_events: int
    source: Path
    aside: Path


def keep_copy(path: Path, seq: int) -> Path | None:
    """Copy a log that was read without fault up to entry `seq`; older copies than nine go.

    A full disk is no reason not to open a project: then there is a line in the log of the program.
    """
    target = path.parent / BACKUPS / f"labels-{seq:08d}.db"
    if not seq or target.exists():
        return None
    try:
        copy_database(path, target)
        for old in copies(path)[MAX_COPIES:]:
            old.unlink()
    except (OSError, sqlite3.DatabaseError) as error:
        _logger.warning("No copy of the label log in %s", target.parent, exc_info=error)
        return None
    return target


def copies(path: Path) -> list[Path]:
    """Return the copies of a log, the one with the most changes first."""
    return sorted((path.parent / BACKUPS).glob("labels-*.db"), reverse=True)


def copy_database(path: Path, target: Path) -> None:
    """Write a whole copy of a SQLite file, as of one moment."""
    target.parent.mkdir(exist_ok=True)
    with replacing(target) as temporary, closing(sqlite3.connect(path)) as source:
        temporary.unlink(missing_ok=True)
        source.execute("VACUUM INTO ?", (os.fspath(temporary),))


def mend(path: Path, n_obs: int) -> Mended:
    """Replace a damaged log by all of it that can be read, or by its fullest copy.

    The damaged file stays beside it. Only a beginning of the log without a fault is taken: no
    change is made up, none in the middle is left out.

    Raises
    ------
    ProjectError
        If nothing can be read.
    """
    records, source = fullest(path, n_obs)
    if not records:
        raise ProjectError(
            "Nothing of the label log can be read, and there is no copy of it.",
            f"Keep {path} and open your file anew; an exported file holds the log as well.",
        )
    number = 1 + len(list(path.parent.glob("damaged-*.db")))
    aside = path.with_name(f"damaged-{number}.db")
    with replacing(path) as temporary:
        write_new(temporary, records, n_obs)
        path.rename(aside)
        for rest in ("-journal", "-wal"):  # belongs to the damaged file alone
            path.with_name(path.name + rest).unlink(missing_ok=True)
    return Mended(len(records), source, aside)


def fullest(path: Path, n_obs: int) -> tuple[list[Record], Path]:
    """Return the most that can be read of a damaged log and its copies, and where it is from."""
    found = [(_readable(file, n_obs), file) for file in (path, *copies(path)) if file.exists()]
    return max(found, key=lambda item: len(item[0]), default=([], path))


def write_new(path: Path, records: Iterable[Record], n_obs: int, head: str | None = None) -> None:
    """Write entries into a new SQLite file, some at a time, and which of them is the last.

    `head` says so; None: as this installation signs it.
    """
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    facts = {"schema_version": str(SCHEMA_VERSION), "n_obs": str(n_obs), "dataset_hash": ""}
    left, last = iter(records), None
    with engine.begin() as connection:
        METADATA.create_all(connection)
        while some := list(islice(left, AT_ONCE)):
            connection.execute(EVENTS.insert(), [record._asdict() for record in some])
            last = some[-1]
        if head is None:
            head = Signer().head(last.seq, last.mac) if last else ""
        rows = [{"key": k, "value": v} for k, v in (facts | {HEAD: head}).items()]
        connection.execute(META.insert(), rows)
    engine.dispose()


def _readable(path: Path, n_obs: int) -> list[Record]:
    """Return the entries up to the first that is missing or not as it was written."""
    records: list[Record] = []
    board, history = Board(n_obs), History()
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    try:
        with engine.connect() as connection:
            there = {column["name"] for column in sa.inspect(connection).get_columns(EVENTS.name)}
            columns = [column for column in EVENTS.c if column.name in there]  # of an older format
            for seq in range(
                1, 1 + (connection.scalar(sa.select(sa.func.max(EVENTS.c.seq))) or 0)
            ):
                row = connection.execute(sa.select(*columns).where(EVENTS.c.seq == seq)).first()
                if row is None or not row.digest:
                    break
                record = Record(*row)
                entries.replay([record], board, history)
                records.append(record)
    except (sa.exc.SQLAlchemyError, ProjectError, ValueError, TypeError, LookupError) as error:
        _logger.warning("%s can be read up to entry %d", path, len(records), exc_info=error)
    finally:
        engine.dispose()
    return records
