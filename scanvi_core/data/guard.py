"""Look at the structure of an HDF5 file, and at nothing else, before any of it is read.

HDF5 can point into other files (external links and storage, virtual data sets), can loop, and can
declare terabytes in a few kilobytes. AnnData writes none of this: a file that has it is refused.
"""

from dataclasses import dataclass, field
from typing import Any

from scanvi_core.errors import FileRefused

MAX_DEPTH = 32
MAX_OBJECTS = 20_000
MAX_RATIO = 2_000  # gzip reaches 1,032 at most
RATIO_FROM_BYTES = 16 * 2**20  # a small data set may well be declared and never filled
# deflate, shuffle, fletcher32, szip, nbit, scaleoffset: built into HDF5; lzf: built into h5py.
ALLOWED_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
FILTER_NAMES = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}
CLEAN_COPY = (
    "Only open files from a source you trust. If you do: load it in scanpy where it was made and "
    "save it again with adata.write_h5ad."
)


@dataclass(slots=True)
class _Walk:
    memory_bytes: float
    n_objects: int = 0
    todo: list[tuple[Any, str, int]] = field(default_factory=list)


def check_structure(file: Any, memory_bytes: float) -> None:
    """Raise `FileRefused` when an open h5py file holds something that is not safe to read.

    Parameters
    ----------
    file
        The open `h5py.File`.
    memory_bytes
        Memory that reading may take; no single block of a data set may be larger.
    """
    walk = _Walk(memory_bytes, todo=[(file, "", 0)])
    while walk.todo:
        group, path, depth = walk.todo.pop()
        if depth > MAX_DEPTH:
            raise _refused(f"groups inside groups, {depth} deep", path)
        for name in group:
            walk.n_objects += 1
            if walk.n_objects > MAX_OBJECTS:
                raise _refused(f"more than {MAX_OBJECTS:,} parts", path)
            _check_member(walk, group, name, path, depth)


def _check_member(walk: _Walk, group: Any, name: str, path: str, depth: int) -> None:
    from h5py import h5l, h5o

    here = f"{path}/{name}"
    key = name.encode("utf-8", "surrogateescape")
    kind = group.id.links.get_info(key).type
    if kind == h5l.TYPE_EXTERNAL:
        raise _refused("a link to a file outside itself", here)
    if kind != h5l.TYPE_HARD:
        raise _refused("a soft link, which .h5ad files do not have", here)
    info = h5o.get_info(group.id, key)
    if info.rc > 1:
        raise _refused(f"a part that is linked {info.rc} times", here)
    if info.type == h5o.TYPE_GROUP:
        walk.todo.append((group[name], here, depth + 1))
    elif info.type == h5o.TYPE_DATASET:
        _check_dataset(h5o.open(group.id, key), here, walk.memory_bytes)


def _check_dataset(dataset: Any, here: str, memory_bytes: float) -> None:
    from h5py import h5d, h5t

    plist = dataset.get_create_plist()
    if plist.get_external_count():
        raise _refused("data stored in a file outside itself", here)
    if plist.get_layout() == h5d.VIRTUAL:
        raise _refused("a virtual data set, which reads other files", here)
    kind = dataset.get_type()
    if kind.get_class() == h5t.REFERENCE or kind.detect_class(h5t.REFERENCE):
        raise _refused("references in place of data", here)
    for position in range(plist.get_nfilters()):
        code = plist.get_filter(position)[0]
        if code not in ALLOWED_FILTERS:
            raise FileRefused(
                f"{here} is compressed with {FILTER_NAMES.get(code, 'an unknown method')} "
                f"(HDF5 filter {code}), which is not enabled.",
                "Save the file again with adata.write_h5ad('name.h5ad', compression='gzip').",
            )
    _check_size(dataset, plist, here, memory_bytes)


def _check_size(dataset: Any, plist: Any, here: str, memory_bytes: float) -> None:
    from h5py import h5d

    itemsize = dataset.get_type().get_size()
    declared = _product(dataset.shape) * itemsize
    stored = dataset.get_storage_size()
    if declared > RATIO_FROM_BYTES and declared > MAX_RATIO * max(stored, 1):
        raise FileRefused(
            f"{here} says it holds {declared / 2**30:,.1f} GiB but only {stored:,} bytes of it "
            "are in the file.",
            "The file is damaged or made to exhaust the memory. Copy it again from its source.",
        )
    if plist.get_layout() == h5d.CHUNKED and _product(plist.get_chunk()) * itemsize > memory_bytes:
        raise FileRefused(
            f"{here} is stored in blocks larger than the {memory_bytes / 1e9:,.1f} GB of memory "
            "available.",
            "Open it on a machine with more memory and save it again.",
        )


def _product(shape: tuple[int, ...] | None) -> int:
    total = 1
    for length in shape or ():
        total *= int(length)
    return total


def _refused(what: str, here: str) -> FileRefused:
    return FileRefused(f"The file contains {what} ({here[:80] or '/'}). Refused.", CLEAN_COPY)
