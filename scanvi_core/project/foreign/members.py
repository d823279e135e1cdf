"""What a zip file of the program may hold: every file by its name, how large it may be."""

import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scanvi_core.errors import FileRefused, ProjectError
from scanvi_core.plurals import sizes
from scanvi_core.runtime import home

FREE_BYTES = 64 * 2**20  # small projects may well be mostly zeros
KEPT_FREE = 64 * 2**20  # of the disk, for the labels of those who work meanwhile
DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_WINDOWS = re.compile(
    r'(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*[<>:"|?*\x00-\x1f].*|.*[. ]'
)


@dataclass(frozen=True)
class Layout:
    """What one kind of zip file may hold.

    Attributes
    ----------
    what, whole
        What it is called: ``project file``; and what it holds: ``data set``.
    hint, again
        What to do with a file that is none, and with one that cannot be opened.
    sizes
        The files that may be in it: patterns of their names, and the most bytes.
    needed, left_out
        Files that must be in it, and patterns of those that are known and not wanted.
    most_members, most_ratio
        How many files, and how much larger all of them together than the file.
    room
        How much disk is needed for each byte.
    """

    what: str
    whole: str
    hint: str
    again: str
    sizes: Mapping[str, int]
    needed: frozenset[str]
    left_out: tuple[str, ...] = ()
    most_members: int = 20_000
    most_ratio: int = 60  # counts and probabilities reach some 15
    room: int = 1

    @cached_property
    def _sizes(self) -> list[tuple[re.Pattern[str], int]]:
        return [(re.compile(pattern), most) for pattern, most in self.sizes.items()]

    @cached_property
    def _left_out(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.left_out]

    def is_member(self, name: str) -> bool:
        """Tell whether a file of this name belongs into it."""
        odd = any(_is_odd(part) for part in name.split("/"))
        return self._most_bytes(name) is not None and not self._is_left_out(name) and not odd

    def checked(
        self, packed: zipfile.ZipFile, n_bytes: int, folder: Path
    ) -> list[zipfile.ZipInfo]:
        """Return the members to be unpacked into a folder, before any is read.

        `n_bytes` is the length of the file: members may share bytes.

        Raises
        ------
        FileRefused
            If it holds a name, a link, a size or a ratio that none has.
        ProjectError
            If the disk of the folder has no room for it.
        """
        entries = [entry for entry in packed.infolist() if not entry.is_dir()]
        if len(entries) > self.most_members:
            raise self.is_none(f"it holds {len(entries):,} files")
        chosen = [entry for entry in entries if self._check_entry(entry, n_bytes)]
        names = [entry.filename for entry in chosen]
        if len({name.casefold() for name in names}) < len(names):
            raise self.is_none("it holds two files of one name")
        if not set(names) >= self.needed:
            raise self.is_none(f"it holds no {self.whole}")
        size = sum(entry.file_size for entry in chosen)
        if size > FREE_BYTES + self.most_ratio * n_bytes:
            raise self.damaged(
                f"it would grow from {n_bytes / 1e6:,.1f} MB to {size / 1e6:,.0f} MB"
            )
        self.check_free(folder, self.room * size)
        return chosen

    def unpack(self, packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
        """Write one member into a folder, all of it and no byte more.

        Raises
        ------
        FileRefused
            If it is damaged.
        OSError
            If the disk refuses.
        """
        path, left = folder / entry.filename, entry.file_size
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as sink:
            try:
                with packed.open(entry) as source:
                    while block := source.read(2**20):
                        sink.write(block)
                        left -= len(block)
            except DAMAGE as error:
                raise self.damaged(f"{entry.filename} in it is damaged") from error
        if left:
            raise self.damaged(f"{entry.filename} in it is cut off")

    def check_free(self, folder: Path, n_bytes: int) -> None:
        """Raise `ProjectError` where a disk has no room for so many bytes."""
        needed, free = n_bytes + KEPT_FREE, shutil.disk_usage(folder).free
        if needed > free:
            asked, there = sizes(needed, free)
            raise ProjectError(
                f"The {self.what.split()[0]} needs {asked} of disk in {home()}; {there} are free.",
                "Free some space.",
            )

    def is_none(self, why: str) -> FileRefused:
        """Return the error for a file that is something else."""
        return FileRefused(f"This is no {self.what}: {why}.", self.hint)

    def damaged(self, why: str) -> FileRefused:
        """Return the error for a file with something in it that is not as it has to be."""
        return FileRefused(f"This {self.what} cannot be opened: {why}.", self.again)

    def _check_entry(self, entry: zipfile.ZipInfo, n_bytes: int) -> bool:
        """Find that a member may be there; tell whether it is to be unpacked."""
        name = entry.orig_filename
        if name != entry.filename or any(_is_odd(part) for part in name.split("/")):
            raise self.is_none(f"it holds {name[:60]!r}")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise self.is_none(f"{name[:60]!r} in it is no plain file")
        if self._is_left_out(name):
            return False
        most = self._most_bytes(name)
        if most is None:
            raise self.is_none(f"it holds {name[:60]!r}")
        if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
            raise self.is_none(f"{name[:60]!r} in it is packed in an unknown way")
        if entry.file_size > most:
            raise self.damaged(f"{name} in it is too large")
        if not 0 <= entry.header_offset < n_bytes:
            raise self.damaged(f"{name} in it is damaged")
        return True

    def _is_left_out(self, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self._left_out)

    def _most_bytes(self, name: str) -> int | None:
        return next((most for pattern, most in self._sizes if pattern.fullmatch(name)), None)


def _is_odd(part: str) -> bool:
    return part in ("", ".", "..") or "\\" in part or _WINDOWS.fullmatch(part) is not None
