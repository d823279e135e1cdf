"""Count the bytes of the texts of an HDF5 data set before any of them is read.

Texts of varying length lie apart from their data set, which holds (length, place) for each.
Nothing keeps a million of them from pointing to one place: a file of 200 kB then takes 200 GB to
read. Libraries write every text once: honest texts together are shorter than their file. The
layout is that of the HDF5 File Format Specification 3.0, section VIII.B (variable length).
"""

import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from scanvi_core.data.guard.hdf5_heaps import Heaps
from scanvi_core.errors import FileRefused

DEFLATE, SHUFFLE, FLETCHER = 1, 2, 3
CLEAN_COPY = (
    "Only open files from a source you trust. If you do: load it in scanpy where it was made and "
    "save it again with adata.write_h5ad."
)
PLACE = 16  # bytes: length 4, address 8, number 4
BLOCK = 256  # values read at a time where their places cannot be read as they are stored


def text_bytes(dataset: Any, here: str, heaps: Heaps | None = None) -> int:
    """Return the bytes that all texts of a data set have together once they are read.

    Parameters
    ----------
    dataset
        An `h5py.h5d.DatasetID`, already found to lie within its file.
    here
        Its path, for refusals.
    heaps
        Where the texts lie, to be looked into before any is read; None looks nowhere.

    Returns
    -------
    int
        0 for a data set without texts of varying length.

    Raises
    ------
    FileRefused
        If its blocks cannot be unpacked, or its texts lead round in circles.
    """
    from h5py import h5d

    itemsize, places = _stored(dataset.get_type())
    if not places or not dataset.shape or 0 in dataset.shape:
        return 0
    plist = dataset.get_create_plist()
    if plist.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        raise FileRefused(f"{here} repeats one text where none is stored. Refused.", CLEAN_COPY)
    layout = plist.get_layout()
    if layout == h5d.CONTIGUOUS and hasattr(os, "pread"):
        blocks = _contiguous(dataset, itemsize)
    elif layout == h5d.CHUNKED and _filters(plist) <= {DEFLATE, SHUFFLE, FLETCHER}:
        blocks = _chunks(dataset, plist, itemsize, here)
    else:
        return _by_reading(dataset)
    n_bytes = 0
    for block in blocks:
        table = _table(block, itemsize)
        n_bytes += _lengths(table, places)
        if heaps is not None:
            heaps.check(_addresses(table, places), here)
    return n_bytes


def _stored(kind: Any) -> tuple[int, list[tuple[int, int]]]:
    """Return the bytes of a value as stored, and (offset, bytes per unit) of each text in it.

    HDF5 itself tells the sizes in memory, where a text is a pointer.
    """
    from h5py import h5t

    what = kind.get_class()
    if what == h5t.STRING and kind.is_variable_str():
        return PLACE, [(0, 1)]
    if what == h5t.VLEN:
        return PLACE, [(0, kind.get_super().get_size())]
    size, places = int(kind.get_size()), []
    if what == h5t.COMPOUND:
        wider = 0
        for number in range(kind.get_nmembers()):
            member = kind.get_member_type(number)
            offset = kind.get_member_offset(number) + wider
            member_size, inside = _stored(member)
            places += [(offset + at, unit) for at, unit in inside]
            wider += member_size - member.get_size()
        size += wider
    return size, places


def _table(block: bytes, itemsize: int) -> np.ndarray:
    n_values = len(block) // itemsize
    return np.frombuffer(block, np.uint8, n_values * itemsize).reshape(n_values, itemsize)


def _lengths(table: np.ndarray, places: list[tuple[int, int]]) -> int:
    return sum(
        unit * int(np.ascontiguousarray(table[:, at : at + 4]).view("<u4").sum(dtype=np.uint64))
        for at, unit in places
    )


def _addresses(table: np.ndarray, places: list[tuple[int, int]]) -> set[int]:
    """Return the places of the collections that hold the texts."""
    found: set[int] = set()
    for at, _ in places:
        stated = np.ascontiguousarray(table[:, at + 4 : at + 12]).view("<u8")
        found.update(np.unique(stated).tolist())
    return found


def _contiguous(dataset: Any, itemsize: int) -> Iterator[bytes]:
    from h5py import h5i

    start, size = dataset.get_offset(), dataset.get_storage_size()
    if start is None:
        return
    handle = h5i.get_file_id(dataset).get_vfd_handle()
    step = max(1, 2**24 // itemsize) * itemsize
    for at in range(0, size, step):
        yield os.pread(handle, min(step, size - at), start + at)


def _filters(plist: Any) -> set[int]:
    return {plist.get_filter(number)[0] for number in range(plist.get_nfilters())}


def _chunks(dataset: Any, plist: Any, itemsize: int, here: str) -> Iterator[bytes]:
    order = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    whole = itemsize * int(np.prod(plist.get_chunk(), dtype=np.int64))
    offsets: list[tuple[int, ...]] = []
    dataset.chunk_iter(lambda info: offsets.append(info.chunk_offset))
    for offset in offsets:
        skipped, block = dataset.read_direct_chunk(offset)
        for number, code in reversed(list(enumerate(order))):
            if skipped & (1 << number):
                continue
            try:
                block = _undone(code, block, itemsize, whole)
            except (zlib.error, ValueError) as error:
                raise FileRefused(
                    f"{here} is damaged: it cannot be unpacked.",
                    "Compare the file's checksum with the source, or copy it again.",
                ) from error
        yield block


def _undone(code: int, block: bytes, itemsize: int, whole: int) -> bytes:
    """Return a block as it was before a filter; never longer than a whole block."""
    if code == FLETCHER:
        return block[:-4]
    if code == DEFLATE:
        return zlib.decompressobj().decompress(block, whole + 4)
    return np.frombuffer(block, np.uint8).reshape(itemsize, -1).T.tobytes()


def _by_reading(dataset: Any) -> int:
    """Count by reading some values at a time; stops when they are longer than the file."""
    import h5py

    values = h5py.Dataset(dataset)
    limit = h5py.h5i.get_file_id(dataset).get_filesize()
    n_bytes, rows = 0, max(1, BLOCK // max(1, int(np.prod(values.shape[1:]))))
    for start in range(0, values.shape[0] if values.shape else 0, rows):
        block = np.asarray(values[start : start + rows])
        names = block.dtype.names
        columns = [block[name] for name in names] if names else [block]
        n_bytes += sum(len(x) for part in columns if part.dtype == object for x in part.ravel())
        if n_bytes > limit:
            break
    return n_bytes
