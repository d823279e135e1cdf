"""What is left to do where a command is ended before its time, and what is said then.

A signal raises an exception, which unwinds the work and cleans up on its way. A library may
swallow it, or not look for minutes; then :func:`clean_up` is called from another thread, and the
process ended. So who makes something that must not be left behind names it with `undone_by`.
"""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

logger = logging.getLogger(__name__)
_undo: list[Callable[[], object]] = []  # the latest is done first
_said: list[str] = []


@contextmanager
def undone_by(action: Callable[[], object]) -> Iterator[None]:
    """Let `clean_up` call `action` where the program is ended meanwhile."""
    _undo.append(action)
    try:
        yield
    finally:
        with suppress(ValueError):  # it was called, from the other thread
            _undo.remove(action)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Let `clean_up` remove a file or folder that is of no use before it is complete."""
    with undone_by(partial(remove, path)):
        yield path


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def clean_up() -> None:
    """End the processes that this one began and remove what is not finished."""
    end_children()
    while _undo:
        try:
            _undo.pop()()
        except OSError as error:
            logger.warning("Something unfinished could not be removed.", exc_info=error)


def end_children() -> None:
    """End all processes below this one."""
    import psutil

    below = psutil.Process().children(recursive=True)
    for child in below:
        with suppress(psutil.Error):
            child.kill()
    psutil.wait_procs(below, timeout=1.0)


def say(sentence: str) -> None:
    """Add a sentence to what a command says when it ends before its time."""
    _said.append(sentence)


def take_said() -> list[str]:
    """Return these sentences, once."""
    said = _said.copy()
    _said.clear()
    return said


def write_line(text: str) -> None:
    """Write a line to standard error, in one piece."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
