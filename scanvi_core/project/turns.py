"""One writer of a project's small shared files at a time, whichever process or thread it is of.

Reading, changing and writing a file is one step then, also where two servers work on one home.
SQLite holds the lock, as for the label log, on every system; the end of a process frees it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scanvi_core.errors import ProjectError

FILE = ".turns"  # stays empty; what begins with a dot is never packed or copied
WAIT_S = 10.0
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


@contextmanager
def turn(root: Path) -> Iterator[None]:
    """Wait until nobody else writes the shared files of the project in a folder; not to be nested.

    Raises
    ------
    ProjectError
        If somebody else does not end, or the folder is gone, has no locks or cannot be written to.
    """
    try:
        connection = _begun(root / FILE)
    except (sqlite3.Error, OSError) as error:
        raise _refused(root, error) from error
    with closing(connection):  # which ends the turn
        yield


def _begun(file: Path, *, again: bool = True) -> sqlite3.Connection:
    """Return a connection that holds the lock; a damaged file is emptied: it holds nothing."""
    connection = sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        connection.close()
        if not again or error.sqlite_errorcode not in DAMAGED:
            raise
    else:
        return connection
    os.truncate(file, 0)  # the same file stays, for whoever waits for it
    return _begun(file, again=False)


def _refused(root: Path, error: sqlite3.Error | OSError) -> ProjectError:
    if not root.is_dir():
        return ProjectError("The folder of the project is gone.", "Put it back, or open another.")
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_BUSY"):
        return ProjectError("Another window is writing.", "Try again.")
    if "LOCK" in name or name.startswith("SQLITE_PROTOCOL"):
        return ProjectError(
            "The disk of the project has no locks for files, which keep two windows apart.",
            "Move the project to a local disk.",
        )
    return ProjectError(
        "The project folder cannot be written to.", "Change its permissions, or free some space."
    )
