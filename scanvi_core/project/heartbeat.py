"""What the app and the processes that train a run elsewhere tell each other, by files.

The files lie in the folder of the run, which may be on storage that several machines share. Each
has one writer: the app asks for a stop; the first of the processes says that it lives, and how
far it is.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypedDict

from scanvi_core.config import HEARTBEAT_S, SILENT_S
from scanvi_core.project.files import read_record, write_json
from scanvi_core.project.run_paths import RunPaths


class Progress(NamedTuple):
    """How far a run is, from 0 to 1, and with what it is busy."""

    fraction: float = 0.0
    message: str = ""


class _Told(TypedDict):
    fraction: float
    message: str


def ask_to_stop(run: RunPaths) -> None:
    """Ask the processes of a run to stop and keep the best."""
    run.stop.touch()


def is_asked_to_stop(run: RunPaths) -> bool:
    """Tell whether a stop was asked for."""
    return run.stop.exists()


def write_progress(run: RunPaths, progress: Progress) -> None:
    """Say how far a run is."""
    write_json(run.progress, progress._asdict())


def read_progress(run: RunPaths) -> Progress:
    """Return how far a run is by its own word."""
    path = run.progress
    if not path.is_file():
        return Progress()
    progress = read_record(path, _Told)
    return Progress(progress["fraction"], progress["message"])


@contextmanager
def signs_of_life(run: RunPaths) -> Iterator[None]:
    """Give a sign of life every `HEARTBEAT_S` seconds, for those who cannot see this process."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.is_set():
            run.alive.touch()
            ended.wait(HEARTBEAT_S)

    thread = threading.Thread(target=beat, name="signs of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        run.alive.unlink(missing_ok=True)


def shows_life(run: RunPaths) -> bool:
    """Tell whether there was a sign of life in the last `SILENT_S` seconds.

    Clocks of machines that share storage may differ by less than that.
    """
    path = run.alive
    return path.is_file() and time.time() - path.stat().st_mtime < SILENT_S
