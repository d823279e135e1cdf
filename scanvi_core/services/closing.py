"""The orderly end of the program."""

import threading

from scanvi_core.project import locks
from scanvi_core.services import jobs

WAIT_S = 10.0
_one = threading.Lock()


def close() -> None:
    """End all work and leave all projects; whoever calls it again waits for that."""
    with _one:
        jobs.shutdown(WAIT_S)
        locks.leave_all()
