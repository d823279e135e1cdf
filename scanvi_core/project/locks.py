"""Who is at work: which person, which process, and whether that process still lives.

A process writes its mark beside what it works on. A mark whose process is gone was left by a
crash, a power cut or a kill.
"""

import atexit
import getpass
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil

from scanvi_core.keys import one_line
from scanvi_core.runtime import variable_at

USER_VARIABLE = "SCANVI_USER"
MARK = "in-use"


def this_user() -> str:
    """Return who is at work: ``$SCANVI_USER``, which may be empty, else the account's name."""
    if USER_VARIABLE in os.environ:
        return one_line(os.environ[USER_VARIABLE])
    try:
        return one_line(getpass.getuser())
    except (OSError, KeyError):  # an account without a name, as in some containers
        return ""


@contextmanager
def nameless() -> Iterator[None]:
    """Let nobody be at work for a while, so that no name comes into the history."""
    with variable_at(USER_VARIABLE, ""):
        yield


def ask_who(ask: Callable[[], str], signed_in: Callable[[], bool]) -> None:
    """Let `ask` say who is at work now, for programs that several people use at once.

    It is called on the thread that changes the labels; an empty answer leaves it to `this_user`.
    `signed_in` tells there whether that is proven by a sign-in.
    """
    global _ask, _signed_in
    _ask, _signed_in = ask, signed_in


def at_work() -> str:
    """Return who is at work on this thread, empty where nobody said so."""
    return _ask()


def is_signed_in() -> bool:
    """Tell whether who is at work on this thread has signed in."""
    return _signed_in()


_ask: Callable[[], str] = str  # nobody
_signed_in: Callable[[], bool] = bool  # no


def own_mark() -> str:
    """Return what tells this process from any other, also one that gets its number later."""
    return _own_mark(os.getpid())


def lives(mark: str) -> bool:
    """Tell whether the process of a mark runs on this machine."""
    if mark == own_mark():  # said without looking: a clock that was set changes no mark of ours
        return True
    pid = mark.rpartition(" ")[2].partition(":")[0]
    if is_elsewhere(mark) or not pid.isdecimal():
        return False
    try:
        return _mark(int(pid)) == mark
    except psutil.Error:
        return False


def is_elsewhere(mark: str) -> bool:
    """Tell whether a mark is of a process on another machine, which cannot be looked for."""
    return mark.rpartition(" ")[0] != platform.node()


def enter(folder: Path) -> bool:
    """Say that this process works in a project folder; return whether the last one broke off.

    The mark goes when this process ends in an orderly way.
    """
    broken = was_cut_off(folder)
    (folder / MARK).write_text(own_mark(), encoding="utf-8")
    _entered.add(folder)
    return broken


def leave(folder: Path) -> None:
    """Take the mark of this process off a project folder."""
    path = folder / MARK
    if path.is_file() and path.read_text(encoding="utf-8", errors="replace") == own_mark():
        path.unlink()


def leave_all() -> None:
    """Take the mark of this process off every project folder."""
    while _entered:
        with suppress(OSError):  # a folder that is gone or locked now keeps none of the others
            leave(_entered.pop())


_entered: set[Path] = set()
atexit.register(leave_all)


def was_cut_off(folder: Path) -> bool:
    """Tell whether a process that worked in a project folder is gone without having left it."""
    path = folder / MARK
    return path.is_file() and not lives(path.read_text(encoding="utf-8", errors="replace"))


@cache
def _own_mark(pid: int) -> str:  # by number: a forked process is another one
    return _mark(pid)


def _mark(pid: int) -> str:
    return f"{platform.node()} {pid}:{psutil.Process(pid).create_time():.2f}"
