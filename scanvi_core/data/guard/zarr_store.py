"""Look at the list of a zarr store and its descriptions, and at no block, before any is read.

A store is a folder or a zip archive of small files. Links among them lead to files of others,
codecs may run code (pickle), and a block that is missing silently reads as zeros.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.zarr_array import Array, arrays_of, judge_array
from scanvi_core.data.guard.zip import opened_zip
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import count

MAX_FILES = 200_000
MAX_DEPTH = 32
MAX_DESCRIPTION_BYTES = 32 * 2**20
DESCRIPTIONS = frozenset({".zarray", ".zgroup", ".zattrs", ".zmetadata", "zarr.json"})
COPY_AGAIN = "Copy or download the whole store again and compare its size with the source."


@dataclass(frozen=True, slots=True)
class Store:
    """What a store holds: sizes in bytes by name, and how to read one small entry."""

    name: str
    sizes: dict[str, int]
    read: Callable[[str], bytes]


def check_zarr(path: Path, memory_bytes: float) -> list[str]:
    """Refuse a zarr store that is not safe to read; return notices about absent blocks.

    Parameters
    ----------
    path
        A folder or a zip archive; the store may lie in a folder inside the archive.
    memory_bytes
        Memory that reading may take.

    Raises
    ------
    FileRefused
        For links, foreign codecs, blocks larger than the memory, declared sizes that nothing in
        the store backs, and absent blocks where zeros cannot be meant.
    """
    with _opened(path, memory_bytes) as store:
        arrays: list[Array] = []
        for name, size in store.sizes.items():
            if PurePosixPath(name).name not in DESCRIPTIONS:
                continue
            if size > MAX_DESCRIPTION_BYTES:
                raise FileRefused(
                    f"{store.name}: {name[:80]} is too large to be true.", COPY_AGAIN
                )
            arrays += arrays_of(name, store.read(name), store.name)
    blocks = _blocks(store, {array.path for array in arrays})
    for array in arrays:
        judge_array(array, blocks.get(array.path, (0, 0))[1], memory_bytes)
    return _absent(arrays, blocks)


@contextmanager
def _opened(path: Path, memory_bytes: float) -> Iterator[Store]:
    if path.is_dir():
        yield Store(path.name, dict(_files(path)), lambda name: _read_file(path / name))
        return
    with opened_zip(path, memory_bytes) as archive:
        sizes = {
            entry.filename: entry.file_size
            for entry in archive.infolist()
            if not entry.is_dir() and not _is_clutter(entry.filename)
        }
        yield Store(path.name, sizes, archive.read)


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        yield from entries


def _files(root: Path) -> Iterator[tuple[str, int]]:
    """Yield (name, size) of every file under `root`; refuse what is neither file nor folder."""
    todo = [("", 0)]
    n_files = 0
    while todo:
        inside, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise FileRefused(f"{root.name} has folders inside folders, {depth} deep.", COPY_AGAIN)
        for entry in _entries(root / inside):
            n_files += 1
            if n_files > MAX_FILES:
                raise FileRefused(
                    f"{root.name} is made of more than {MAX_FILES:,} files.",
                    "Save it as .h5ad, or with larger blocks.",
                )
            here = f"{inside}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                todo.append((f"{here}/", depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                raise FileRefused(
                    f"{root.name} contains a link or something else than a file ({here[:80]}). "
                    "Refused.",
                    "Only open data from a source you trust. If you do: `cp -rL` copies what "
                    "links lead to.",
                )
            elif not _is_clutter(here):
                yield here, entry.stat(follow_symlinks=False).st_size


def _read_file(path: Path) -> bytes:
    with open_regular(path) as handle:
        return handle.read(MAX_DESCRIPTION_BYTES)


def _is_clutter(name: str) -> bool:
    """Tell the files that macOS leaves in folders and archives."""
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] == ".DS_Store"


def _blocks(store: Store, paths: set[str]) -> dict[str, tuple[int, int]]:
    """Return the number of stored blocks and their bytes, by path of the array."""
    blocks: dict[str, tuple[int, int]] = {}
    for name, size in store.sizes.items():
        folder, _, last = name.rpartition("/")
        if last in DESCRIPTIONS:
            continue
        while folder and folder not in paths:
            folder = folder.rpartition("/")[0]
        n_blocks, n_bytes = blocks.get(folder, (0, 0))
        blocks[folder] = (n_blocks + 1, n_bytes + size)
    return blocks


def _absent(arrays: list[Array], blocks: dict[str, tuple[int, int]]) -> list[str]:
    """Name arrays of which blocks are absent; refuse where they cannot be all zeros.

    A block of a mask that is absent says that no value is missing: zarr stores no block of zeros.
    """
    notices = {}
    paths = {array.path for array in arrays}
    for array in arrays:
        n_absent = array.n_blocks - blocks.get(array.path, (0, 0))[0]
        if n_absent <= 0 or not array.shape:  # a single number that is zero is never stored
            continue
        folder, _, last = array.path.rpartition("/")
        if last == "mask" and f"{folder}/values" in paths:
            continue
        sparse = last in {"data", "indices"} and f"{folder}/indptr" in paths
        what = f"{n_absent:,} of {count(array.n_blocks, 'block')} of {array.path}"
        if sparse or last in {"_index", "index"}:
            raise FileRefused(f"The store is incomplete: {what} are missing.", COPY_AGAIN)
        notices[array.path] = f"{what} are not in the store and were read as empty or zero."
    return list(notices.values())
