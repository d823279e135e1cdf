"""One writer of a project's small shared files at a time, whichever process or thread it is of.

Reading, changing and writing a file is one step then, also where two servers work on one home.
SQLite holds the lock, as for the label log, on every system; the end of a process frees it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from scanvi_core.errors import ProjectError

FILE = ".turns"  # stays empty; what begins with a dot is never packed or copied
WAIT_S = 10.0


@contextmanager
def turn(root: Path) -> Iterator[None]:
    """Wait until nobody else writes the shared files of the project in a folder; not to be nested.

    Raises
    ------
    ProjectError
        If somebody else does not end, or the folder cannot be written to.
    """
    try:
        connection = sqlite3.connect(root / FILE, timeout=WAIT_S, isolation_level=None)
    except sqlite3.Error as error:
        raise _refused(error) from error
    with closing(connection):  # which ends the turn
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _refused(error) from error
        yield


def _refused(error: sqlite3.Error) -> ProjectError:
    if "locked" in str(error):
        return ProjectError("Another window is writing.", "Try again.")
    return ProjectError(
        "The project folder cannot be written to.", "Change its permissions, or free some space."
    )
