"""Who is at work: which person, which process, and whether that process still lives.

A process writes its mark beside what it works on. A mark whose process is gone was left by a
crash, a power cut or a kill.
"""

import getpass
import os
import platform
from functools import cache

import psutil

USER_VARIABLE = "SCANVI_USER"


def this_user() -> str:
    """Return who is at work: ``$SCANVI_USER``, else the name of the account, else nobody."""
    try:
        return os.environ.get(USER_VARIABLE) or getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return ""


@cache
def own_mark() -> str:
    """Return what tells this process from any other, also one that gets its number later."""
    return _mark(os.getpid())


def lives(mark: str) -> bool:
    """Tell whether the process of a mark runs on this machine."""
    if mark == own_mark():  # said without looking: a clock that was set changes no mark of ours
        return True
    host, _, rest = mark.rpartition(" ")
    pid = rest.partition(":")[0]
    if host != platform.node() or not pid.isdecimal():
        return False
    try:
        return _mark(int(pid)) == mark
    except psutil.Error:
        return False


def _mark(pid: int) -> str:
    return f"{platform.node()} {pid}:{psutil.Process(pid).create_time():.2f}"
