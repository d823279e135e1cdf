"""What a child process looks at first, before the libraries that read files are even loaded.

Structure, lists and headers only, told apart by content. What is found sound here may still be
no data set at all: to say so, in words about its kind, is the readers' business.
"""

import zipfile
from pathlib import Path

from scanvi_core.data.blocks.nodes import is_damage
from scanvi_core.data.guard import signatures
from scanvi_core.data.guard.hdf5 import check_structure
from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import GZIP_MAGIC, MTX_BANNER, check_mtx, open_text
from scanvi_core.data.guard.watchdog import Watchdog
from scanvi_core.data.guard.zarr_store import DESCRIPTIONS, check_zarr
from scanvi_core.data.guard.zip import opened_zip

ZIP_MAGIC = b"PK\x03\x04"
HEAD_BYTES = 4096
HDF5_AT = (0, 512, 1024, 2048)  # a block of the user may come before
TABLES = (".mtx", ".mtx.gz")


def preflight(path: Path, memory_bytes: float, step_seconds: float | None = None) -> None:
    """Raise `FileRefused` when a file or folder is not safe to read.

    Parameters
    ----------
    path
        What the user chose.
    memory_bytes
        Memory that reading may take.
    step_seconds
        Processor time for one part of a file, after which this process is ended; None for ever.
    """
    with Watchdog(step_seconds) as watch:
        if path.is_dir():
            _check_folder(path, memory_bytes)
            return
        with open_regular(path) as handle:
            head = handle.read(HEAD_BYTES)
        if signatures.HDF5_MAGIC in (head[at : at + 8] for at in HDF5_AT):
            _check_hdf5(path, memory_bytes, watch)
        elif head.startswith(ZIP_MAGIC):
            _check_zip(path, memory_bytes)
        elif head.startswith((MTX_BANNER, GZIP_MAGIC)):
            with open_text(path, memory_bytes) as stream:
                is_mtx = stream.peek(len(MTX_BANNER)).startswith(MTX_BANNER)
            if is_mtx:
                check_mtx(path, memory_bytes)


def _check_folder(path: Path, memory_bytes: float) -> None:
    names = {item.name for item in path.iterdir()}
    if names & DESCRIPTIONS:
        check_zarr(path, memory_bytes)
    for name in names:
        if name.endswith(TABLES):
            check_mtx(path / name, memory_bytes)


def _check_hdf5(path: Path, memory_bytes: float, watch: Watchdog) -> None:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_structure(file, memory_bytes, watch)
    except (OSError, RuntimeError, KeyError) as error:
        if not is_damage(error):
            raise
        raise signatures.explain_open_failure(path, error) from error


def _check_zip(path: Path, memory_bytes: float) -> None:
    with opened_zip(path, memory_bytes) as archive:
        is_zarr = any(_last(entry) in DESCRIPTIONS for entry in archive.infolist())
    if is_zarr:
        check_zarr(path, memory_bytes)


def _last(entry: zipfile.ZipInfo) -> str:
    return entry.filename.rpartition("/")[2]
