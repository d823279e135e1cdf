"""Logs from elsewhere: read without trust, and marked as brought by who took them in."""

import re
import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scanvi_core.errors import (
    HistoryRefused,
    LogDamaged,
    ProjectError,
)
from scanvi_core.project.label_log.exchange.audit import Allowance, Audit
from scanvi_core.project.label_log.exchange.fields import refused
from scanvi_core.project.label_log.exchange.lines import Room, parsed, read_lines
from scanvi_core.project.label_log.replay.entries import Record
from scanvi_core.project.label_log.storage.backup import write_new
from scanvi_core.project.label_log.storage.database import in_words
from scanvi_core.project.label_log.storage.signing import Bringer, Signer, brought
from scanvi_core.project.label_log.storage.tables import EVENTS, META, SCHEMA_VERSION
from scanvi_core.runtime import replacing

JSON_FIELDS = ("payload", "origin")


def checked_lines(lines: Iterable[str], n_obs: int) -> Iterator[Record]:
    """Yield the entries of lines from elsewhere, each found to fit those before it.

    Raises
    ------
    HistoryRefused
        If one does not, or all are more than a history of `n_obs` cells may be.
    """
    return checked(read_lines(lines, n_obs), n_obs)


def checked(records: Iterable[Record], n_obs: int) -> Iterator[Record]:
    """Yield entries from elsewhere with their digests, each found to fit those before it.

    Raises
    ------
    HistoryRefused
        See `checked_lines`.
    """
    return map(Audit(n_obs, Allowance.for_cells(n_obs)).take, records)


def marked(
    records: Iterable[Record],
    bringer: Bringer,
    signer: Signer,
    proven: Collection[int] = (),
) -> Iterator[Record]:
    """Yield all entries of a log as brought by somebody, signed as such by this installation.

    Who and when each names stays as it is: it is what they claim. Entries whose numbers are
    `proven` were made here, and are not brought.
    """
    mac = ""
    for record in records:
        is_own = record.seq in proven
        own = record if is_own else record._replace(origin=brought(record.origin, bringer))
        mac = signer.sign(mac, own)
        yield own._replace(mac=mac)


def adopt(path: Path, n_obs: int) -> None:
    """Replace the label log of a project from elsewhere by a new file with its entries.

    They are marked as brought by who is at work, now.

    Parameters
    ----------
    path
        The file ``project.db``; nothing is done where there is none.
    n_obs
        Number of cells of the project's data set.

    Raises
    ------
    HistoryRefused
        If it is no label log of these cells, is damaged, or does not hold together.
    """
    if not path.is_file():
        return
    signer = Signer()
    with replacing(path) as temporary, closing(stored(path, n_obs)) as entries:
        records = marked(checked(entries, n_obs), Bringer.now(), signer)
        write_new(temporary, records, n_obs)


def stored(path: Path, n_obs: int) -> Generator[Record]:
    """Yield the entries of a SQLite file from elsewhere, which is only read."""
    engine = sa.create_engine("sqlite://", creator=lambda: _to_look_at(path))
    try:
        with in_words("read"), engine.connect() as connection:
            _refuse_other(connection, n_obs)
            names = _columns(connection, EVENTS.name)
            # as they lie there: where bytes are expected, a number would be taken for a length
            fields: list[sa.ColumnElement[Any]] = [
                sa.column(name) for name in Record._fields if name in names
            ]
            query = sa.select(*fields).select_from(sa.table(EVENTS.name))
            room = Room(n_obs)
            for row in connection.execute(query.order_by(sa.column("seq"))):
                record = Record(*row)
                room.take(*(part for part in record if isinstance(part, str | bytes)))
                yield _record(record, n_obs)
    except LogDamaged as error:  # its hint is about a log of ours
        raise refused(error.what) from error
    except HistoryRefused:
        raise
    except ProjectError as error:
        raise refused(error.message) from error
    finally:
        engine.dispose()


def _to_look_at(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _record(row: Record, n_obs: int) -> Record:
    try:
        said: dict[str, Any] = {
            name: parsed(getattr(row, name), n_obs)
            for name in JSON_FIELDS
            if getattr(row, name) is not None
        }
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise refused(f"entry {str(row.seq)[:20]} cannot be read") from error
    return row._replace(**said)


def _refuse_other(connection: sa.Connection, n_obs: int) -> None:
    """Refuse a file that is more or something else than a label log of these cells."""
    verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
    if verdict != "ok":
        raise refused("its pages do not fit each other")
    tables = {EVENTS.name, META.name}
    query = "SELECT type, tbl_name, sql FROM sqlite_master"
    for kind, table, sql in connection.exec_driver_sql(query).all():
        own = kind == "index" and sql is None  # SQLite made it for a primary key
        stored = kind == "table" and str(sql).upper().startswith("CREATE TABLE")
        if table not in tables or not (own or stored):
            raise refused(f"it holds the {kind} {str(table)[:60]}")
    if not all(_columns(connection, table) for table in tables):
        raise refused("it holds no label log")
    facts = {row.key: row.value for row in connection.execute(sa.select(META).limit(99))}
    if _number(facts, "n_obs") != n_obs:
        raise refused(f"it is of {facts['n_obs']} cells, the data set has {n_obs}")
    if _number(facts, "schema_version") > SCHEMA_VERSION:
        raise HistoryRefused(
            "The label log of this project has a newer format.", "Update the program."
        )


def _number(facts: dict[str, Any], key: str) -> int:
    value = facts.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"[1-9][0-9]{0,11}", value):
        raise refused(f"its {key} is no number")
    return int(value)


def _columns(connection: sa.Connection, table: str) -> set[str]:
    """Return the names of the columns of a table, which may not work anything out."""
    found = connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all()
    if any(column.hidden for column in found):
        raise refused(f"a column of its {table} is worked out")
    return {column.name for column in found}
