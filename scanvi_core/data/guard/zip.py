"""Look at the list of a zip archive, and unpack nothing, before any of it is read.

Archives are read in place, entry by entry, never unpacked into a folder; names that would leave
the folder, links, and bombs are refused all the same, because nobody honest writes them.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import check_ratio
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

MAX_ENTRIES = 200_000
MAX_ENTRY_RATIO = 1_100  # deflate reaches 1,032 at most
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)
OUTSIDE = re.compile(r"(^|/)\.\.(/|$)|^/|^[A-Za-z]:|\\|\x00")
UNPACK = "Only open files from a source you trust. If you do: unpack it and open what is inside."


@contextmanager
def opened_zip(path: Path, memory_bytes: float) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose list of entries is safe to read from.

    Parameters
    ----------
    path
        A regular file.
    memory_bytes
        Memory that reading may take; all entries unpacked may not be larger than twenty times it,
        and no packed one larger than it.

    Raises
    ------
    FileRefused
        If it is damaged, encrypted, a bomb, or holds names or links that lead outside.
    """
    with open_regular(path) as raw:
        try:
            archive = zipfile.ZipFile(raw)
        except (*DAMAGE, ValueError, OSError) as bad:
            raise FileRefused(f"{path.name} is a damaged zip archive.", FETCH_AGAIN) from bad
        with archive:
            check_entries(archive, path.name, memory_bytes)
            try:
                yield archive
            except DAMAGE as bad:  # met while an entry was read
                raise FileRefused(f"{path.name} is a damaged zip archive.", FETCH_AGAIN) from bad


def check_entries(archive: zipfile.ZipFile, name: str, memory_bytes: float) -> None:
    """Raise `FileRefused` when the entries of an open archive are not safe to read."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise FileRefused(f"{name} holds more than {MAX_ENTRIES:,} entries.", UNPACK)
    for entry in entries:
        _check_entry(entry, name, memory_bytes)
    _check_overlap(entries, name)
    total = sum(entry.file_size for entry in entries)
    check_ratio(name, sum(entry.compress_size for entry in entries), total)
    if total > 20 * memory_bytes:
        raise FileRefused(
            f"{name} unpacks to {total / 2**30:,.1f} GiB.",
            "Open it on a machine with more memory.",
        )


def _check_entry(entry: zipfile.ZipInfo, name: str, memory_bytes: float) -> None:
    here = f"{name} ({entry.orig_filename[:80]!r})"
    if OUTSIDE.search(entry.orig_filename):
        raise FileRefused(f"{here} has an entry whose name leads outside. Refused.", UNPACK)
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise FileRefused(f"{here} holds a link to another file. Refused.", UNPACK)
    if entry.flag_bits & 0x1:
        raise FileRefused(f"{here} is encrypted.", "Unpack it with its password first.")
    if entry.compress_type not in METHODS:
        raise FileRefused(f"{here} is packed with a method that is not enabled.", UNPACK)
    stored_as_is = entry.compress_type == zipfile.ZIP_STORED
    if stored_as_is and entry.file_size != entry.compress_size:
        raise FileRefused(f"{name} is a damaged zip archive: sizes do not agree.", FETCH_AGAIN)
    if entry.file_size > MAX_ENTRY_RATIO * max(entry.compress_size, 1) or (
        not stored_as_is and entry.file_size > memory_bytes
    ):
        raise FileRefused(
            f"{here} unpacks from {entry.compress_size:,} bytes to "
            f"{entry.file_size / 2**30:,.1f} GiB. Refused.",
            "The archive is damaged or made to exhaust the memory. Copy it again from its source.",
        )


def _check_overlap(entries: list[zipfile.ZipInfo], name: str) -> None:
    """Refuse entries that share bytes: the way small archives unpack to petabytes."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise FileRefused(f"{name} holds entries that overlap. Refused.", UNPACK)
        end = entry.header_offset + 30 + entry.compress_size
