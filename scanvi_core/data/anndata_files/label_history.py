"""The label history that an exported file carries, and the names of its cells."""

from pathlib import Path
from typing import Any

from scanvi_core import keys
from scanvi_core.config import HISTORY_EVENTS, history_bytes
from scanvi_core.data.anndata_files.hdf5_file import opened
from scanvi_core.data.anndata_files.tables import read_table
from scanvi_core.data.guard.hdf5 import check_structure
from scanvi_core.errors import FileRefused


def read_history(path: Path, memory_mb: float) -> dict[str, list[str]]:
    """Return ``names`` (one per cell) and ``lines`` (one JSON text per step of the labels).

    A file that was exported more than once has several histories: the longest is the last.

    Raises
    ------
    FileRefused
        If it is no .h5ad file, is not safe to read, carries no history, or one that is larger
        than any of so many cells.
    """
    with opened(path) as (file, _):
        check_structure(file, memory_mb * 1e6)
        stored = file.get("uns", {})
        names = [stored[name] for name in stored if name.startswith(keys.UNS_LOG)]
        logs = [node for node in names if getattr(node, "ndim", 0) == 1 and len(node)]
        if not logs:
            raise FileRefused(
                f"{path.name} carries no label history.",
                "Choose a file from the Export page of this program.",
            )
        names = [str(name) for name in read_table(file, "obs").names]
        return {"names": names, "lines": _lines(max(logs, key=len), len(names))}


def _lines(node: Any, n_obs: int) -> list[str]:
    """Return the texts of a list; the guard has seen that they are not longer than the file."""
    most = history_bytes(n_obs)
    if len(node) > HISTORY_EVENTS or len(node) * node.dtype.itemsize > most:
        raise _too_large(n_obs)  # texts of one length, which can be packed to very little
    lines = list(node.asstr()[()])
    if sum(map(len, lines)) > most:
        raise _too_large(n_obs)
    return lines


def _too_large(n_obs: int) -> FileRefused:
    return FileRefused(
        f"Its label history is larger than any of {n_obs:,} cells: more than "
        f"{history_bytes(n_obs) >> 20:,} MB or {HISTORY_EVENTS:,} steps.",
        "Choose a file from the Export page of this program.",
    )
