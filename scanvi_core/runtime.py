"""The machine: where files live, how many threads, which device, how a file is replaced."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scanvi_core import ending
from scanvi_core.errors import SettingInvalid

if TYPE_CHECKING:
    import torch

CODE = Path(__file__).resolve().parents[1]  # the folder with scanvi_core
_IN_WHEEL = CODE / "scanvi_core" / "_app"
APP = _IN_WHEEL if _IN_WHEEL.is_dir() else CODE  # that with app.py, pages, assets
HOME_VARIABLE = "SCANVI_HOME"
DATA_ROOT_VARIABLE = "SCANVI_DATA_ROOT"
EXAMPLE_VARIABLE = "SCANVI_EXAMPLE"  # set by ``serve --example``
FILES_VARIABLE = "SCANVI_FILES"  # set by ``serve FILE...``: their paths, as a JSON list

MALLOPT_TRIM_THRESHOLD, MALLOPT_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
KEPT_BLOCK_BYTES, KEPT_BYTES = 32 * 2**20, 128 * 2**20
logger = logging.getLogger(__name__)

Report = Callable[[float, str], None]  # who is told how far work is, and what is being done


def home() -> Path:
    """Return the folder that holds all projects (``$SCANVI_HOME``, else ``~/.scanvi``)."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".scanvi")


def data_root() -> Path:
    """Return the folder below which files may be opened (``$SCANVI_DATA_ROOT``, else ~)."""
    return Path(os.environ.get(DATA_ROOT_VARIABLE) or Path.home())


def worker_threads() -> int:
    """Return the number of threads for computing: all cores but one, which keeps pages quick."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) - 1)


def choose_device(name: str = "auto") -> "torch.device":
    """Return the torch device for ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    SettingInvalid
        If the device asked for is not on this machine.
    """
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, here in available.items() if here)
    if not available[name]:
        raise SettingInvalid(f"This machine has no {name} device.", "Choose auto or cpu.")
    return torch.device(name)


def peak_rss_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def keep_memory() -> None:
    """Let the C library keep freed memory for the next tensor (Linux; elsewhere nothing).

    By default it gives every tensor of more than 128 kB back to the system and asks for it anew:
    the page faults cost a training step up to a quarter of its time (ZINB, 128 + 128 cells).
    """
    import ctypes

    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(MALLOPT_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        mallopt(MALLOPT_TRIM_THRESHOLD, KEPT_BYTES)


def log_cause(error: BaseException) -> None:
    """Log an error whose sentence leaves out what a library raised, together with that."""
    if error.__cause__ is not None or getattr(error, "__notes__", None):
        logger.warning("%s", error, exc_info=error)


def log_fault(name: str, fault: BaseException) -> Path:
    """Write the traceback of a fault of ours to a log file; return its path."""
    import traceback

    path = home() / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it.

    A crash at any moment leaves either the old file or the new one, never a part.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with ending.unfinished(temporary):
        try:
            yield temporary
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def home_at(folder: Path) -> Iterator[None]:
    """Keep projects in another folder for a while; for the command line, which needs no trace."""
    with variable_at(HOME_VARIABLE, str(folder)):
        yield


@contextmanager
def variable_at(name: str, value: str) -> Iterator[None]:
    """Give a variable of the environment another value for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
