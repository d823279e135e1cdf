"""End a process whose library has lost its way: damaged files send HDF5 into endless loops.

Such a loop runs in C, where nothing of Python is heard; a timer of the system is. It counts
processor time, so that a busy machine or a slow disk ends nothing. POSIX only: on Windows the
parent's clock alone ends the process.
"""

import signal
from types import TracebackType

STEP_SECONDS = 1.0  # of processor time for one part of a file; 0.1 ms is usual


class Watchdog:
    """Ends this process with ``SIGPROF`` when one step takes too long.

    Parameters
    ----------
    seconds
        Processor time for a step; None watches nothing.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds if hasattr(signal, "setitimer") else None

    def __enter__(self) -> "Watchdog":
        self.step()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._start(0.0)

    def step(self) -> None:
        """Say that a new step begins."""
        if self._seconds is not None:
            self._start(self._seconds)

    def _start(self, seconds: float) -> None:
        if self._seconds is not None:
            signal.setitimer(signal.ITIMER_PROF, seconds)
