"""Being asked to end, by Ctrl-C or by the system: what was begun is cleaned up, and soon.

The signal raises an exception in the main thread. Libraries may swallow it (in a callback of
compiled code) or look for it late. So a thread hears of the signal, too, as the system tells it
through a socket; where the command has not ended `GRACE_S` later, that thread cleans up and ends
the process.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from scanvi_core import ending

GRACE_S = 3.0


class Terminated(KeyboardInterrupt):
    """The system asked the command to end (SIGTERM): a queue, a service manager, `kill`."""


@contextmanager
def terminable(end: Callable[[int], int] | None = None) -> Iterator[None]:
    """Let SIGTERM raise `Terminated` meanwhile; only a main thread can be asked so.

    With `end`, the process is ended where it has not ended in time after a signal: `end` is given
    the signal, says what is to be said, and returns the status.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    watch = _Watch(end) if end is not None else None
    try:
        yield
    finally:
        if watch is not None:
            watch.close()
        signal.signal(signal.SIGTERM, before)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


class _Watch:
    """The thread that hears of signals while the main thread may be busy."""

    def __init__(self, end: Callable[[int], int]) -> None:
        self._end, self._over = end, threading.Event()
        self._ours, self._systems = socket.socketpair()
        self._systems.setblocking(False)
        self._before = signal.set_wakeup_fd(self._systems.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def close(self) -> None:
        """Hear no more: the command ends by itself."""
        self._over.set()
        signal.set_wakeup_fd(self._before)
        self._systems.close()  # ends the listening

    def _listen(self) -> None:
        with self._ours:
            while heard := self._ours.recv(1):
                if heard[0] not in (signal.SIGINT, signal.SIGTERM):
                    continue
                if not self._over.wait(GRACE_S):
                    ending.clean_up()
                    os._exit(self._end(heard[0]))
                return
