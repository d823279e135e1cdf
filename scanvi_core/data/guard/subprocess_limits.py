"""Run a child process, end it when it takes too much time or memory, and say how it ended.

Inside the child the system's own limits hold where there are any: address space, processor time
and core dumps on Linux; processor time and core dumps on macOS, which ignores the limit of memory;
none on Windows. What is watched from here, its time and the memory in use, holds everywhere.

Time is the child's own, on the processor: on a busy machine it waits long and may do so. A child
that does nothing at all is ended by the clock.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

POLL_SECONDS = 0.1
AT_ONCE = threading.BoundedSemaphore(max(4, os.cpu_count() or 1))  # children; the others wait
CLOCK_FACTOR = 10  # by the clock a child may take so many times its seconds on the processor
BASE_BYTES = 1.5e9  # libraries, and what reading takes beyond the data
ENDINGS = {
    "SIGPROF": "its inner structure leads round in circles",
    "SIGXCPU": "it kept the processor busy for too long",
    "SIGKILL": "the system ended it, probably for lack of memory",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child process ended.

    Attributes
    ----------
    output
        What it wrote to its standard output.
    log
        What it wrote to its standard error.
    reason
        Why it gave no answer, in words; empty when it ended by itself and well.
    timed_out
        Whether its time ran out; which, `reason` says.
    stopped
        Whether that was asked for before its end.
    """

    output: bytes
    log: bytes
    reason: str
    timed_out: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """What goes on with a child process while it works.

    Attributes
    ----------
    on_line
        Called with every line of its standard output, as it comes.
    should_stop
        Asked ten times a second; when true the child is killed.
    """

    on_line: Callable[[bytes], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


def run_watched(
    command: Sequence[str],
    request: bytes,
    environment: Mapping[str, str],
    timeout_s: float,
    memory_mb: float,
    talk: Talk | None = None,
) -> Ended:
    """Run a command, give it a request on its standard input and wait for its end.

    Parameters
    ----------
    command
        Program and arguments.
    request
        Bytes for its standard input.
    environment
        All of its environment.
    timeout_s
        Seconds of processor time, after which it is killed; by the clock ten times as long.
    memory_mb
        Megabytes of memory that its data may take; beyond that and a base for libraries it is
        killed.
    talk
        What to do with its lines, and whether to stop it; None for neither.
    """
    talk = talk or Talk()
    while not AT_ONCE.acquire(timeout=POLL_SECONDS):
        if talk.should_stop():
            return Ended(b"", b"", "", stopped=True)
    try:
        return _run(command, request, environment, (timeout_s, memory_mb), talk)
    finally:
        AT_ONCE.release()


def _run(
    command: Sequence[str],
    request: bytes,
    environment: Mapping[str, str],
    limits: tuple[float, float],
    talk: Talk,
) -> Ended:
    timeout_s, memory_mb = limits
    with subprocess.Popen(  # noqa: S603 our own interpreter and module; data go by stdin
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
    ) as process:
        try:
            watch = _Watch(process, timeout_s, memory_mb * 1e6 + BASE_BYTES, talk.should_stop)
            thread = threading.Thread(target=watch.run, daemon=True)
            thread.start()
            output, log = _talk(process, request, talk.on_line)
        except BaseException:
            process.kill()
            raise
    thread.join()
    stopped = watch.stopped or talk.should_stop()  # also when it was faster than the watch
    if watch.reason:
        return Ended(output, log, watch.reason, watch.timed_out, stopped)
    reason = "" if process.returncode == 0 else ending(process.returncode)
    return Ended(output, log, reason, stopped=stopped)


def _talk(
    process: subprocess.Popen[bytes], request: bytes, on_line: Callable[[bytes], None]
) -> tuple[bytes, bytes]:
    """Hand over the request and listen until the end; return all output and the log."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise ValueError("the process has no pipes")
    log = list[bytes]()
    errors = process.stderr
    reader = threading.Thread(target=lambda: log.append(errors.read()), daemon=True)
    reader.start()
    with suppress(BrokenPipeError), process.stdin as request_to:  # it ended without listening
        request_to.write(request)
    lines = list[bytes]()
    for line in process.stdout:
        lines.append(line)
        on_line(line)
    reader.join()
    process.wait()
    return b"".join(lines), b"".join(log)


def ending(code: int) -> str:
    """Return how a process ended, in words, from its exit code."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return ENDINGS.get(name, name)


class _Watch:
    """Kills a process that takes too long or too much."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        timeout_s: float,
        max_bytes: float,
        should_stop: Callable[[], bool],
    ) -> None:
        self.reason = ""
        self.stopped = self.timed_out = False
        self._should_stop = should_stop
        self._process = process
        self._timeout_s, self._clock_s = timeout_s, timeout_s * CLOCK_FACTOR
        self._max_bytes = max_bytes

    def run(self) -> None:
        began = time.monotonic()
        while self._process.poll() is None:
            spent, n_bytes = self._taken()
            left = began + self._clock_s - time.monotonic()
            if self._should_stop():
                self.stopped = True
                self._end("it was stopped")
            elif spent > self._timeout_s:
                self._end_late(f"{self._timeout_s:,.3g} seconds of processor time")
            elif left <= 0:
                self._end_late(f"{self._clock_s:,.3g} seconds, {spent:,.3g} of them at work")
            elif n_bytes > self._max_bytes:
                self._end(f"it took more than {self._max_bytes / 1e9:,.1f} GB of memory")
            time.sleep(min(POLL_SECONDS, max(left, 0.0)))

    def _taken(self) -> tuple[float, float]:
        """Return the processor time and the memory the process has taken, s and bytes."""
        import psutil

        try:
            seen = psutil.Process(self._process.pid)
            times = seen.cpu_times()
            return times.user + times.system, float(seen.memory_info().rss)
        except psutil.Error:  # it ended this moment
            return 0.0, 0.0

    def _end_late(self, what: str) -> None:
        self.timed_out = True
        self._end(f"it took longer than {what}")

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._process.kill()
