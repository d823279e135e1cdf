"""What may be opened below the data folder: one folder at a time, the newest first."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from scanvi_core import runtime
from scanvi_core.data.formats.matrices.roles import is_role
from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.signatures import HDF5_AT, HDF5_MAGIC
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import bytes_in_words
from scanvi_core.services.paths import allowed_path

MOST = 2_000  # entries of a folder that are looked at
FOLDER, PACKED = "folder", ", packed"
KINDS = {
    ".h5ad": "AnnData", ".h5mu": "MuData", ".loom": "loom", ".h5": "10x or other HDF5",
    ".zarr": "zarr", ".zarr.zip": "zarr", ".zip": "zip", ".csv": "table", ".tsv": "table",
    ".txt": "text", ".tab": "table", ".mtx": "matrix", ".h5seurat": "h5Seurat", ".rds": "R object",
}  # fmt: skip

HDF5_KINDS = {KINDS[ending] for ending in (".h5ad", ".h5mu", ".loom", ".h5", ".h5seurat")}
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK"
HEAD_BYTES = HDF5_AT[-1] + len(HDF5_MAGIC)

SAMPLE_DEPTH = 2  # sample/outs/filtered_feature_bc_matrix
SAMPLE_KINDS = HDF5_KINDS | {KINDS[".rds"]}
NO_SAMPLE = re.compile(r"(.*[._-])?((raw|unfiltered)([._-].*)?|molecule_info)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder.

    Attributes
    ----------
    name
        Of it alone.
    path
        From the data folder on, as it is written into the box for paths.
    kind
        By its name, in words.
    size
        In words; empty for folders.
    changed
        When it was last written, in local time.
    is_folder
        Whether one can look into it.
    may_open
        Whether it may be data: a file, or a folder that holds a matrix or a zarr store.
    """

    name: str
    path: str
    kind: str
    size: str
    changed: datetime
    is_folder: bool
    may_open: bool


def listing(folder: str = "") -> list[Entry]:
    """Return what lies in a folder below the data folder and may be data, the newest first.

    Raises
    ------
    FileRefused
        If there is no such folder, or it may not be read.
    """
    root = runtime.data_root().resolve()
    place = allowed_path(folder, folders=True) if folder else root
    try:
        entries = list(_entries(root, place))
    except OSError as error:
        raise FileRefused(
            f"{place.name} cannot be looked into.", "Check the permissions of the folder."
        ) from error
    return sorted(entries, key=lambda entry: entry.changed, reverse=True)


def looked_into(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries whose kind says so where the first bytes of a file are of another kind."""
    root = runtime.data_root().resolve()
    return [entry if entry.is_folder else _told(root, entry) for entry in entries]


def _told(root: Path, entry: Entry) -> Entry:
    try:
        with open_regular(root / entry.path) as file:
            head = file.read(HEAD_BYTES)
    except (OSError, FileRefused):  # a link, a store of several files: its name must do
        return entry
    if not head:
        return replace(entry, kind="empty")
    if _fits(entry.kind, head):
        return entry
    return replace(entry, kind=f"named {_ending(entry.name)}, but something else")


def _fits(kind: str, head: bytes) -> bool:
    """Tell whether the first bytes of a file may be those of a kind."""
    is_hdf5 = any(head[at : at + len(HDF5_MAGIC)] == HDF5_MAGIC for at in HDF5_AT)
    if kind.endswith(PACKED):
        return head.startswith(GZIP_MAGIC)
    if kind in HDF5_KINDS:
        return is_hdf5
    if kind in (KINDS[".zip"], KINDS[".zarr"]):
        return head.startswith(ZIP_MAGIC)
    if kind == KINDS[".rds"]:  # packed in one of several ways
        return not (is_hdf5 or head.startswith(ZIP_MAGIC))
    return not (is_hdf5 or head.startswith((GZIP_MAGIC, ZIP_MAGIC)))


def samples_in(folder: Path) -> list[Path]:
    """Return the samples that lie in a folder, each a file, or a folder that holds a matrix.

    A folder whose parts are the matrices of one sample, as programs that count write them, has
    none; nor has one that is a data set itself. Raw barcodes are no sample beside the cells.
    """
    if _kind_of_folder(folder) != FOLDER:
        return []
    items = _items(folder)
    folders = [item for item in items if item.is_dir() and _holds_matrix(item, SAMPLE_DEPTH)]
    if any(is_role(item.name) for item in folders):
        return []
    files = [item for item in items if item.is_file() and _kind(item.name) in SAMPLE_KINDS]
    return [item for item in files if _is_sample(item.name)] + folders


def _is_sample(name: str) -> bool:
    """Tell whether a file is named after a sample, not after a part of what one program wrote."""
    stem = name.casefold().removesuffix(_ending(name))
    return not is_role(stem) and not NO_SAMPLE.fullmatch(stem)


def _items(folder: Path) -> list[Path]:
    """Return what lies in a folder, hidden files aside; nothing where it may not be read."""
    try:
        found = sorted(islice(folder.iterdir(), MOST))
    except OSError:
        return []
    return [item for item in found if not item.name.startswith(".")]


def _holds_matrix(folder: Path, depth: int) -> bool:
    if folder.is_symlink() or not os.access(folder, os.R_OK | os.X_OK):
        return False
    if _kind_of_folder(folder) != FOLDER:
        return True
    return depth > 0 and any(
        item.is_dir() and _holds_matrix(item, depth - 1) for item in _items(folder)
    )


def above(folder: str) -> list[tuple[str, str]]:
    """Return the folders that lead to one, from the data folder on: name and path of each."""
    parts = Path(folder).parts
    steps = [(part, Path(*parts[: i + 1]).as_posix()) for i, part in enumerate(parts)]
    return [(runtime.data_root().resolve().name or "/", ""), *steps]


def _entries(root: Path, place: Path) -> Iterator[Entry]:
    with os.scandir(place) as found:
        for _, item in zip(range(MOST), found, strict=False):
            with suppress(OSError, FileRefused):  # gone meanwhile, a link to elsewhere
                if not item.name.startswith(".") and _is_data(item):
                    allowed_path(item.path, folders=True)
                    yield _entry(root, item)


def _is_data(item: "os.DirEntry[str]") -> bool:
    return item.is_dir() or bool(_kind(item.name))


def _entry(root: Path, item: "os.DirEntry[str]") -> Entry:
    about, is_folder = item.stat(), item.is_dir()
    kind = _kind_of_folder(Path(item.path)) if is_folder else _kind(item.name)
    return Entry(
        name=item.name,
        path=Path(item.path).relative_to(root).as_posix(),
        kind=kind,
        size="" if is_folder else bytes_in_words(about.st_size),
        changed=datetime.fromtimestamp(about.st_mtime).astimezone(),
        is_folder=is_folder and kind != KINDS[".zarr"],
        may_open=kind != FOLDER,
    )


def _kind(name: str) -> str:
    """Return what a file is by its name; empty for what is never data."""
    words = KINDS.get(_ending(name).removesuffix(".gz"), "")
    return f"{words}{PACKED}" if words and name.casefold().endswith(".gz") else words


def _ending(name: str) -> str:
    """Return the ending of a file's name that says what it is; empty for any other."""
    name = name.casefold()
    plain = name.removesuffix(".gz")
    fitting = [ending for ending in KINDS if plain.endswith(ending)]
    return max(fitting, key=len, default="") + name[len(plain) :] if fitting else ""


def _kind_of_folder(folder: Path) -> str:
    if any((folder / name).exists() for name in (".zgroup", ".zattrs", "zarr.json")):
        return KINDS[".zarr"]
    if any((folder / f"matrix.mtx{packed}").exists() for packed in ("", ".gz")):
        return "matrix with lists of genes and cells"
    return FOLDER
