"""The label log of a project from elsewhere: looked at before its entries are taken over."""

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from scanvi_core.errors import HistoryRefused
from scanvi_core.project.foreign.project_file import cannot_open
from scanvi_core.project.label_log.exchange.foreign_log import checked, stored
from scanvi_core.project.label_log.storage.database import FILE_NAME
from scanvi_core.project.label_log.storage.tables import EVENTS, META, METADATA

MOST_TEXT = 2**26  # bytes of what one entry says, logs of others in it included
MOST_META = 2**12
BASE_BYTES, CELL_BYTES = 2**16, 16  # of the compact columns of one entry


def check(folder: Path, n_obs: int) -> int:
    """Return how many entries the label log in a folder has, which came from elsewhere.

    It is read only: it has to hold nothing but the tables of a log, sound and of a size that goes
    with the cells, and entries that each fit those before it.

    Raises
    ------
    FileRefused
        If it is damaged, or holds anything else.
    """
    path = folder / FILE_NAME
    check_file(path, n_obs)
    try:
        with closing(stored(path, n_obs)) as entries:
            return sum(1 for _ in checked(entries, n_obs))
    except HistoryRefused as error:
        raise cannot_open(error.message.rstrip(".")) from error


def check_file(path: Path, n_obs: int) -> None:
    """Raise `FileRefused` when a database holds anything but the rows of a label log."""
    where = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(where, uri=True)) as connection:
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
                connection.execute(f"PRAGMA {pragma}")
            _check_tables(connection)
            _check_rows(connection, n_obs)
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise cannot_open("its label log is damaged") from error


def _check_tables(connection: sqlite3.Connection) -> None:
    known = {table.name: {column.name for column in table.columns} for table in _TABLES}
    seen = set()
    for kind, name, root, sql in connection.execute(
        "SELECT type, name, rootpage, sql FROM sqlite_schema"
    ):
        if kind == "index" and sql is None and name.startswith("sqlite_autoindex_"):
            continue
        if kind != "table" or name not in known or not root:
            raise cannot_open(f"its label log holds a {kind} {str(name)[:40]!r}")
        columns = connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
        if any(column[1] not in known[name] or column[6] for column in columns):
            raise cannot_open(f"the table {name} of its label log has other columns")
        seen.add(name)
    if seen != set(known):
        raise cannot_open("its label log lacks a table")
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise cannot_open("its label log is damaged")


def _check_rows(connection: sqlite3.Connection, n_obs: int) -> None:
    """Find that every value is of its type, and not too long, without reading one."""
    most = BASE_BYTES + CELL_BYTES * n_obs
    for table, limits in ((EVENTS, (MOST_TEXT, most)), (META, (MOST_META, MOST_META))):
        have = {row[1] for row in connection.execute(f"PRAGMA table_xinfo({table.name})")}
        wrong = [_wrong(column, *limits) for column in table.columns if column.name in have]
        query = f"SELECT count(*) FROM {table.name} WHERE {' OR '.join(wrong)}"  # noqa: S608  ours
        if connection.execute(query).fetchone()[0]:
            raise cannot_open(f"the table {table.name} of its label log holds odd values")


def _wrong(column: sa.Column[object], most_text: int, most_bytes: int) -> str:
    """Return the condition for values that a column of a log does not have."""
    kind, name = column.type, column.name
    null = f"typeof({name}) = 'null'"
    if isinstance(kind, sa.Integer):
        sound = f"typeof({name}) = 'integer'"
    elif isinstance(kind, sa.LargeBinary):
        sound = f"typeof({name}) = 'blob' AND length({name}) <= {most_bytes}"
    else:
        sound = f"typeof({name}) = 'text' AND length(CAST({name} AS BLOB)) <= {most_text}"
    return f"NOT ({sound}{f' OR {null}' if column.nullable else ''})"


_TABLES = tuple(METADATA.sorted_tables)
