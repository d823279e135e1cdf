"""Arrays in the files of a project, opened only where they are what they have to be.

Compiled code that reads an array trusts its shape and its values: a file that came from elsewhere
or was damaged on the disk would end the program.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanvi_core.errors import DataDamaged, is_of_the_machine

SMALL = 2**20  # bytes of an array that is read: a map of a file that is cut off ends the program
KNOWN = 256  # large arrays whose values were looked at
RESTORE = "Restore the project from a copy of it, or open your file as a new project."

Stamp = tuple[str, int, int, int]


class Kind(NamedTuple):
    """What an array must be.

    Attributes
    ----------
    types
        Names of the types it may have; none: any.
    shape
        Its lengths, of which None may be any; None: any number of them.
    low, high
        The least and the largest value, where they are bounded; NaN is neither.
    """

    types: tuple[str, ...] = ()
    shape: tuple[int | None, ...] | None = None
    low: float | None = None
    high: float | None = None


def open_array(path: Path, kind: Kind, *, mapped: bool = False) -> NDArray[Any]:
    """Return the array of a .npy file, read-only: in memory where it is small, else mapped.

    With `mapped` it is mapped in any case, for those who see to it that the file is whole.

    Raises
    ------
    DataDamaged
        If it is not there, cannot be read or is of another kind.
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise damaged(path, "it is not there") from error
    except Exception as error:  # a damaged head fails in ways that no list foresees
        if is_of_the_machine(error):
            raise
        raise damaged(path, "it cannot be read") from error
    if kind.types and not (found.dtype.name in kind.types and found.dtype.isnative):
        raise damaged(path, f"it holds {found.dtype}, not {' or '.join(kind.types)}")
    if kind.shape is not None and not _fits(found.shape, kind.shape):
        raise damaged(path, f"its lengths are {_words(found.shape)}, not {_words(kind.shape)}")
    if found.nbytes <= SMALL and not mapped:
        found = np.array(found)
        found.setflags(write=False)
        _check_values(found, path, kind)
    elif kind.low is not None or kind.high is not None:
        _check_once(stamp(path), kind)
    return found


def stamp(path: Path | str) -> Stamp:
    """Return what changes with a file: its place on the disk, its length, when it was written."""
    about = os.stat(path)  # noqa: PTH116  asked before every block of counts: a third of the time
    return str(path), about.st_ino, about.st_size, about.st_mtime_ns


def damaged(path: Path, what: str) -> DataDamaged:
    """Return the error for a file of a project that is not what was written."""
    return DataDamaged(f"{path.parent.name}/{path.name} is damaged: {what}.", RESTORE)


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    same = len(found) == len(wanted)
    return same and all(n in (None, m) for n, m in zip(wanted, found, strict=True))


def _words(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if n is None else f"{n:,}" for n in shape) or "none"


@lru_cache(KNOWN)
def _check_once(known: Stamp, kind: Kind) -> None:
    path = Path(known[0])
    _check_values(np.load(path, mmap_mode="r", allow_pickle=False), path, kind)


def _check_values(found: NDArray[Any], path: Path, kind: Kind) -> None:
    if not found.size:
        return
    if kind.low is not None and (least := np.fmin.reduce(found, axis=None)) < kind.low:
        raise damaged(path, f"it holds {least}, less than {kind.low}")
    if kind.high is not None and (most := np.fmax.reduce(found, axis=None)) > kind.high:
        raise damaged(path, f"it holds {most}, more than {kind.high}")
