"""Open a user's HDF5 file, and tell what HDF5 says of a damaged one in a sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scanvi_core.data.blocks.nodes import Unreadable, is_damage
from scanvi_core.data.guard import signatures
from scanvi_core.data.guard.regular_file import open_regular


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Open one regular file and hold on to that very file, whatever happens to its name."""
    import h5py

    with open_regular(path) as handle:
        facts = os.fstat(handle.fileno())
        signatures.check_is_hdf5(path, handle.read(4096), facts.st_size)
        same = Path(f"/proc/self/fd/{handle.fileno()}")
        try:
            file = h5py.File(same if same.exists() else path, "r", rdcc_nbytes=2**26)
        except OSError as error:
            raise signatures.explain_open_failure(path, error) from error
        about = {"path": str(path), "size": facts.st_size, "mtime_ns": facts.st_mtime_ns}
        with file, _damage_explained(path):
            yield file, about


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    """Turn HDF5's own errors, met anywhere while reading, into a sentence."""
    try:
        yield
    except (Unreadable, OSError, RuntimeError, KeyError) as error:
        if not is_damage(error):
            raise
        raise signatures.explain_open_failure(path, error) from error
