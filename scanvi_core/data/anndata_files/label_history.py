"""The label history that an exported file carries, and the names of its cells."""

from pathlib import Path
from typing import Any

from scanvi_core import keys
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
        If it is no .h5ad file, is not safe to read, or carries no history.
    """
    with opened(path) as (file, _):
        check_structure(file, memory_mb * 1e6)
        stored = file.get("uns", {})
        names = [name for name in stored if name.startswith(keys.UNS_LOG)]
        logs = [_texts(stored[name]) for name in names]
        lines = max(logs, key=len, default=[])
        if not lines:
            raise FileRefused(
                f"{path.name} carries no label history.",
                "Choose a file from the Export page of this program.",
            )
        return {"names": [str(name) for name in read_table(file, "obs").names], "lines": lines}


def _texts(node: Any) -> list[str]:
    return list(node.asstr()[()]) if getattr(node, "ndim", 0) == 1 else []
