"""What a project file may hold: every file by its name, how large it may be, what is left out.

A project file is one zip file with the files of a project folder. Those that can be worked out
again are not in it; those of earlier versions had them, so they are known and left out.
"""

import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scanvi_core.errors import FileRefused, ProjectError
from scanvi_core.plurals import sizes
from scanvi_core.project.records import Settings, run_kinds
from scanvi_core.runtime import home

MAX_MEMBERS = 20_000
MAX_RATIO = 60  # of all members together: counts and probabilities reach some 15
FREE_BYTES = 64 * 2**20  # small projects may well be mostly zeros
KEPT_FREE = 64 * 2**20  # of the disk, for the labels of those who work meanwhile
TEXT_BYTES = 64 * 2**20  # of one JSON file
TABLE_BYTES = 2**40  # of one that grows with the cells: the disk is the limit
SOURCE = "source/cells.h5ad"  # the user's file, where its name cannot be kept
HINT = "Choose a file from “Save as one file” on the Open page."

_RUN = r"runs/[0-9]{4,8}/"  # there is room for runs to come
MEMBERS = {
    r"settings\.json": 2**22,
    r"project\.db": TABLE_BYTES,
    r"dataset/manifest\.json": TEXT_BYTES,
    r"dataset/(obs|var)\.parquet": TABLE_BYTES,
    r"dataset/counts_(data|indices|indptr)\.npy": TABLE_BYTES,
    r"dataset/obsm_[0-9]{1,4}\.npy": TABLE_BYTES,
    r"source/[^/]{1,255}": TABLE_BYTES,
    _RUN + r"run\.json": TEXT_BYTES,
    _RUN + r"status": 2**20,
    _RUN + r"summary\.json": 2**22,
    _RUN + r"metrics\.jsonl": TEXT_BYTES,
    _RUN + rf"({'|'.join(run_kinds({}, None))})\.npy": TABLE_BYTES,
    _RUN + r"model/annotator\.json": TEXT_BYTES,
    _RUN + r"model/(model|companions)\.safetensors": 2**33,
    r"derived/(base_map|clusters|card_cluster|card_distance)-[0-9a-f]{12}\.npy": TABLE_BYTES,
    r"derived/doublets-[0-9a-f]{12}-[0-9a-f]{8}\.npy": TABLE_BYTES,
    r"derived/doublets-[0-9a-f]{12}-[0-9a-f]{8}\.json": 2**22,
}
LEFT_OUT = (
    r"dataset/by_gene_(data|indices|indptr)\.npy",
    r"dataset/(totals|n_genes_by_counts|pct_counts_mt)\.npy",
    r"dataset/(variable_genes|rows_of)_[A-Za-z0-9_.]+",
    r"dataset/cut_[0-9a-f]{16}/[a-z.]+",
    r"source/.+/.+",
    _RUN + r"(README\.txt|submit-[a-z]+\.(sh|yaml)|processes\.log|progress\.json|alive|stop"
    r"|checkpoint\.safetensors)",
    _RUN + r"preview_[a-z]+\.npy",
    r"derived/map_scores_[0-9]+\.json",
    r"derived/genes-[0-9a-f]{12}-[0-9a-f]{8}\.parquet",
    r"(.+/)?\.[^/]+",  # what was being written
)
_MEMBERS = [(re.compile(pattern), most) for pattern, most in MEMBERS.items()]
_LEFT_OUT = [re.compile(pattern) for pattern in LEFT_OUT]
_NEEDED = frozenset({"settings.json", "dataset/manifest.json"})
_WINDOWS = re.compile(
    r'(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*[<>:"|?*\x00-\x1f].*|.*[. ]'
)
DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
PLACE = frozenset({"question", "answers", "awaited", "archived"})  # settings that stay behind
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def is_member(name: str) -> bool:
    """Tell whether a file of a project, by its path in it, belongs into its project file."""
    left_out = any(pattern.fullmatch(name) for pattern in _LEFT_OUT)
    odd = any(_is_odd(part) for part in name.split("/"))
    return _most_bytes(name) is not None and not left_out and not odd


def portable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a project that go with it to another place."""
    known = {key: settings[key] for key in Settings.__annotations__ if key in settings}
    return {key: value for key, value in known.items() if key not in PLACE}


def plain_files(root: Path) -> Iterator[Path]:
    """Yield the files in a folder and below: no link, nor anything behind one."""
    if root.is_symlink() or not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            yield from plain_files(path)
        elif stat.S_ISREG(kind):
            yield path


def checked_members(packed: zipfile.ZipFile, n_bytes: int, folder: Path) -> list[zipfile.ZipInfo]:
    """Return the members of a project file to be unpacked into a folder, before any is read.

    `n_bytes` is the length of the file: members may share bytes.

    Raises
    ------
    FileRefused
        If it holds a name, a link, a size or a ratio that none has.
    ProjectError
        If the disk of the folder has no room for it.
    """
    entries = [entry for entry in packed.infolist() if not entry.is_dir()]
    if len(entries) > MAX_MEMBERS:
        raise no_project_file(f"it holds {len(entries):,} files")
    chosen = [entry for entry in entries if _check_entry(entry, n_bytes)]
    names = [entry.filename for entry in chosen]
    if len({name.casefold() for name in names}) < len(names):
        raise no_project_file("it holds two files of one name")
    if not set(names) >= _NEEDED:
        raise no_project_file("it holds no data set")
    size = sum(entry.file_size for entry in chosen)
    if size > FREE_BYTES + MAX_RATIO * n_bytes:
        raise cannot_open(f"it would grow from {n_bytes / 1e6:,.1f} MB to {size / 1e6:,.0f} MB")
    check_free(folder, 2 * size)  # counts are kept by gene as well
    return chosen


def unpack_member(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
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
            raise cannot_open(f"{entry.filename} in it is damaged") from error
    if left:
        raise cannot_open(f"{entry.filename} in it is cut off")


def check_free(folder: Path, n_bytes: int) -> None:
    """Raise `ProjectError` where a disk has no room for so many bytes."""
    needed, free = n_bytes + KEPT_FREE, shutil.disk_usage(folder).free
    if needed > free:
        asked, there = sizes(needed, free)
        raise ProjectError(
            f"The project needs {asked} of disk in {home()}; {there} are free.",
            "Free some space.",
        )


def no_project_file(why: str) -> FileRefused:
    """Return the error for a file that is no project file."""
    return FileRefused(f"This is no project file: {why}.", HINT)


def cannot_open(why: str) -> FileRefused:
    """Return the error for a project file with something in it that is not as it has to be."""
    return FileRefused(
        f"This project file cannot be opened: {why}.",
        "Have it saved as one file once more, or copied again; it may also be made to do harm.",
    )


def _check_entry(entry: zipfile.ZipInfo, n_bytes: int) -> bool:
    """Find that a member may be there; tell whether it is to be unpacked."""
    name = entry.orig_filename
    if name != entry.filename or any(_is_odd(part) for part in name.split("/")):
        raise no_project_file(f"it holds {name[:60]!r}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise no_project_file(f"{name[:60]!r} in it is no plain file")
    if any(pattern.fullmatch(name) for pattern in _LEFT_OUT):
        return False
    most = _most_bytes(name)
    if most is None:
        raise no_project_file(f"it holds {name[:60]!r}")
    if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
        raise no_project_file(f"{name[:60]!r} in it is packed in an unknown way")
    if entry.file_size > most:
        raise cannot_open(f"{name} in it is too large")
    if not 0 <= entry.header_offset < n_bytes:
        raise cannot_open(f"{name} in it is damaged")
    return True


def _is_odd(part: str) -> bool:
    return part in ("", ".", "..") or "\\" in part or _WINDOWS.fullmatch(part) is not None


def _most_bytes(name: str) -> int | None:
    return next((most for pattern, most in _MEMBERS if pattern.fullmatch(name)), None)
