"""Look at the structure of an HDF5 file, and at nothing else, before any of it is read.

HDF5 can point into other files (external links and storage, virtual data sets), can loop, and can
declare terabytes in a few kilobytes. AnnData writes none of this: a file that has it is refused.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scanvi_core.data.guard.hdf5_heaps import Heaps
from scanvi_core.data.guard.hdf5_strings import CLEAN_COPY, text_bytes
from scanvi_core.data.guard.watchdog import Watchdog
from scanvi_core.errors import FileRefused

MAX_DEPTH = 32
MAX_OBJECTS = 32_000  # 10,000 columns of categories take 30,000
MAX_ATTRIBUTES = 10_000  # of one group or data set
MAX_ATTRIBUTE_BYTES = 32 * 2**20
MAX_RATIO = 2_000  # gzip reaches 1,032 at most
RATIO_FROM_BYTES = 16 * 2**20  # a small data set may well be declared and never filled
MAX_TABLE_RATIO = 500  # dense counts reach some 30; a column of one value may reach any
TABLE_RATIO_FROM_BYTES = 2**30
# deflate, shuffle, fletcher32, szip, nbit, scaleoffset: built into HDF5; lzf: built into h5py.
ALLOWED_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
FILTER_NAMES = {32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}


@dataclass(slots=True)
class _Walk:
    memory_bytes: float
    file_bytes: int
    watch: Watchdog
    heaps: Heaps
    n_objects: int = 0
    n_text_bytes: int = 0
    todo: list[tuple[Any, str, int]] = field(default_factory=list)
    looked_at: list[Any] = field(default_factory=list)  # parts, for their attributes


def check_structure(file: Any, memory_bytes: float, watch: Watchdog | None = None) -> None:
    """Raise `FileRefused` when an open h5py file holds something that is not safe to read.

    Parameters
    ----------
    file
        The open `h5py.File`.
    memory_bytes
        Memory that reading may take; no single block of a data set may be larger.
    watch
        Told of every part that is looked at; None watches nothing.
    """
    heaps = Heaps(Path(os.fsdecode(file.filename)), file.userblock_size)
    size, watch = file.id.get_filesize(), watch or Watchdog()
    walk = _Walk(memory_bytes, size, watch, heaps, todo=[(file, "", 0)], looked_at=[file.id])
    _check_attributes(file.id, b".", "")
    while walk.todo:
        group, path, depth = walk.todo.pop()
        if depth > MAX_DEPTH:
            raise _refused(f"groups inside groups, {depth} deep", path)
        walk.n_objects += group.id.get_num_objs()
        if walk.n_objects > MAX_OBJECTS:
            raise _refused(f"more than {MAX_OBJECTS:,} parts", path)
        for name in group:
            walk.watch.step()
            _check_member(walk, group, name, path, depth)
    for part in walk.looked_at:  # at the end: they share their texts' places with data sets
        walk.watch.step()
        _touch_attributes(part)


def _check_member(walk: _Walk, group: Any, name: str | bytes, path: str, depth: int) -> None:
    from h5py import h5l, h5o

    if isinstance(name, bytes):  # what h5py gives for a name that is not UTF-8
        raise _refused("a part whose name is no text", path)
    here = f"{path}/{name}"
    key = name.encode("utf-8", "surrogateescape")
    kind = group.id.links.get_info(key).type
    if kind == h5l.TYPE_EXTERNAL:
        raise _refused("a link to a file outside itself", here)
    if kind != h5l.TYPE_HARD:
        raise _refused("a soft link, which .h5ad files do not have", here)
    info = _check_attributes(group.id, key, here)
    if info.rc > 1:
        raise _refused(f"a part that is linked {info.rc} times", here)
    if info.type == h5o.TYPE_GROUP:
        walk.todo.append((group[name], here, depth + 1))
        walk.looked_at.append(walk.todo[-1][0].id)
    elif info.type == h5o.TYPE_DATASET:
        dataset = h5o.open(group.id, key)
        walk.looked_at.append(dataset)
        _check_dataset(dataset, here, walk.memory_bytes)
        walk.n_text_bytes += text_bytes(dataset, here, walk.heaps)
        if walk.n_text_bytes > walk.file_bytes:
            raise _refused("texts that share one place, longer together than the file", here)


def _check_attributes(parent: Any, key: bytes, here: str) -> Any:
    """Return HDF5's facts about a part, whose attributes have to be few and small."""
    from h5py import h5o

    info = h5o.get_info(parent, key)
    n_bytes = info.hdr.space.total + info.meta_size.attr.heap_size
    if info.num_attrs > MAX_ATTRIBUTES or n_bytes > MAX_ATTRIBUTE_BYTES:
        raise _refused(f"a part with {info.num_attrs:,} attributes of {n_bytes:,} bytes", here)
    return info


def _touch_attributes(part: Any) -> None:
    """Read the attributes of text: loops and bombs in them meet the watch, and no reader."""
    import numpy as np
    from h5py import h5a, h5t, string_dtype

    text = None
    for number in range(h5a.get_num_attrs(part)):
        attribute = h5a.open(part, index=number)
        kind = attribute.get_type()
        if kind.get_class() == h5t.STRING and kind.is_variable_str():
            shape = attribute.shape
            if shape is not None:
                text = text or h5t.py_create(string_dtype())
                attribute.read(np.empty(shape, object), mtype=text)


def _check_dataset(dataset: Any, here: str, memory_bytes: float) -> None:
    from h5py import h5d, h5t

    plist = dataset.get_create_plist()
    if plist.get_layout() == h5d.CHUNKED and dataset.shape:
        dataset.get_num_chunks()  # walks the list of its blocks, or fails
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
    ratio = declared / max(stored, 1)
    table = len(dataset.shape or ()) > 1 and declared > TABLE_RATIO_FROM_BYTES
    if declared > RATIO_FROM_BYTES and ratio > (MAX_TABLE_RATIO if table else MAX_RATIO):
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
