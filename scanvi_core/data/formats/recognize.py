"""Tell by content what was brought, and turn it into an .h5ad file when it is something else.

What comes here has passed :func:`scanvi_core.data.guard.preflight.preflight`.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from scanvi_core.data.anndata_files.hdf5_file import opened
from scanvi_core.data.anndata_files.target import Request
from scanvi_core.data.blocks.nodes import Unreadable
from scanvi_core.data.formats import packed, zarr_store
from scanvi_core.data.formats.hdf5 import h5seurat, loom, mudata, tenx
from scanvi_core.data.formats.matrices import mtx
from scanvi_core.data.formats.r import rds
from scanvi_core.data.formats.text import delimited
from scanvi_core.data.formats.text.beside import Look, counts_among
from scanvi_core.data.guard import signatures
from scanvi_core.data.guard.preflight import preflight
from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import open_text
from scanvi_core.data.question import Option, Question, answer
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

HEAD_BYTES = 4096
MAX_FILES = 2_000
OF_PACK = {"pack.json", "model/annotator.json"}  # see scanvi_core.project.pack
MAX_DEPTH = 6  # cellranger multi: outs/per_sample_outs/NAME/count/sample_filtered_..._matrix
HDF5 = {
    "h5mu": ("a MuData file (.h5mu)", mudata.convert),
    "h5seurat": ("an h5Seurat file", h5seurat.convert),
    "loom": ("a loom file", loom.convert),
    "10x": ("a 10x Genomics file (.h5)", tenx.convert_v3),
    "10x-v2": ("a 10x Genomics file (.h5, version 2)", tenx.convert_v2),
}
OPEN_ONE = (
    "Open an .h5ad, .h5, .h5mu, .h5Seurat, .rds, .loom, .csv or .tsv file, a zarr store, or a "
    "folder with matrix, features and barcodes."
)


@dataclass(slots=True)
class Made:
    """What became of a file.

    Attributes
    ----------
    kind
        What it was, in words; None for an .h5ad file, which is read as it is.
    notes
        What was chosen or left aside.
    """

    kind: str | None
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Listing:
    """Files of a folder by what they hold."""

    matrices: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)


def as_h5ad(request: Request) -> Made:
    """Write ``request.target`` unless the file is .h5ad already.

    Raises
    ------
    ChoiceNeeded
        If its owner must say what is meant.
    FileRefused
        If it is of no known kind, damaged, or not safe to read.
    """
    if request.path.is_dir():
        return _folder(request)
    head = _head(request.path)
    if head.startswith(b"PK\x03\x04"):
        return _zip(request)
    if rds.is_rds(head) or rds.is_packed_rds(request.path.name, head):
        return Made(rds.KIND, rds.convert(request))
    if not head.startswith(b"\x1f\x8b"):
        return _plain(request, head)
    inner = _inner_head(request.path)
    if rds.is_rds(inner):
        return Made(rds.KIND, rds.convert(request))
    return _gzip(request) if _is_hdf5(inner) else _plain(request, inner)


def _plain(request: Request, head: bytes) -> Made:
    if _is_hdf5(head):
        return _hdf5(request)
    if mtx.is_mtx(head):
        return _triple([request.path], _listed(request.path.parent).texts, request)
    if not signatures.is_text(head):
        signatures.check_is_hdf5(request.path, head, request.path.stat().st_size)
    beside = _listed(request.path.parent)
    try:
        return Made("a table of text", delimited.convert(request, beside.texts))
    except FileRefused:
        own = [path for path in beside.matrices if _belongs(request, path, beside.texts)]
        if not own:
            raise
        return _triple(own, beside.texts, request)


def _belongs(request: Request, matrix: Path, texts: list[Path]) -> bool:
    try:
        triple = mtx.find_lists(matrix, texts, request.memory_bytes)
    except FileRefused:
        return False
    return request.path in triple.paths


def _hdf5(request: Request) -> Made:
    with opened(request.path) as (file, _):
        kind = signatures.hdf5_kind(file, request.path.name)
        if kind == "h5ad":
            return Made(None)
        words, convert = HDF5[kind]
        try:
            return Made(words, convert(file, request))
        except Unreadable as error:
            raise FileRefused(
                f"{request.path.name} is {words}, but a part of it is missing or damaged.",
                FETCH_AGAIN,
            ) from error


def _triple(matrices: list[Path], texts: list[Path], request: Request) -> Made:
    return Made("a matrix with lists of genes and cells", mtx.convert(matrices, texts, request))


def _zip(request: Request) -> Made:
    names = packed.names_in_zip(request.path, request.memory_bytes)
    if set(names) >= OF_PACK:
        raise FileRefused(
            f"{request.path.name} is a pack: an annotation without cells.",
            "Open the cells it is to name, then choose “A pack” on the Labels page.",
        )
    signatures.check_zip(request.path.name, names)
    root = zarr_store.root_in(names)
    if root is not None:
        return Made("a zarr store (.zip)", zarr_store.convert(request, root))
    with _scratch(request) as folder:
        packed.unpack_zip(request.path, folder, request.memory_bytes)
        return _unpacked(request, folder)


def _gzip(request: Request) -> Made:
    with _scratch(request) as folder:
        return _unpacked(request, packed.unpack_gzip(request.path, folder))


def _unpacked(request: Request, path: Path) -> Made:
    """Convert what came out of an archive; an .h5ad file itself becomes the target."""
    only = _only_file(path) if path.is_dir() else path
    preflight(only, request.memory_bytes)
    made = as_h5ad(replace(request, path=only))
    if made.kind is None:
        shutil.move(only, request.target)
    return Made(f"{made.kind or 'an .h5ad file'}, unpacked", made.notes)


def _folder(request: Request) -> Made:
    names = {item.name for item in request.path.iterdir()}
    if names & zarr_store.ROOTS:
        return Made("a zarr store", zarr_store.convert(request))
    signatures.check_directory(request.path, names)
    listing = _listed(request.path, MAX_DEPTH)
    if listing.matrices:
        made = _triple(listing.matrices, listing.texts, request)
        made.notes += _left_aside(listing.damaged)
        return made
    only = _only_file(request.path)
    if only != request.path:
        preflight(only, request.memory_bytes)
        return as_h5ad(replace(request, path=only))
    tables = [] if any(map(_is_data, listing.others)) else counts_among(listing.texts)
    if tables:
        made = _table_of(request, tables)
        made.notes += _left_aside(listing.damaged)
        return made
    shown = ", ".join(sorted(names)[:4]) or "nothing"
    raise FileRefused(
        f"The folder {request.path.name} holds no data known here: {shown}.", OPEN_ONE
    )


def _table_of(request: Request, tables: list[Look]) -> Made:
    """Convert the one of several tables that is meant; those beside it may describe its cells."""
    inside = {look.path.relative_to(request.path).as_posix(): look for look in tables}
    options = tuple(
        Option(name, name, f"{len(look.titles):,} columns") for name, look in inside.items()
    )
    text = "It holds several tables of numbers. Which one is the counts?"
    largest = max(inside, key=lambda name: len(inside[name].titles))
    question = Question("sample", text, options, largest)
    chosen = answer(question, request.answers, request.path.name)
    made = as_h5ad(replace(request, path=inside[chosen].path))
    left = [name for name in inside if name != chosen]
    if left:
        listed = ", ".join(left[:6]) + (", …" if len(left) > 6 else "")
        made.notes.insert(0, f"{chosen} was read; left aside: {listed}.")
    return made


def _left_aside(damaged: list[Path]) -> list[str]:
    return [f"{path.name} is damaged or cannot be read: it was left aside." for path in damaged]


def _is_data(path: Path) -> bool:
    head = _head(path)
    return _is_hdf5(head) or rds.is_rds(head) or rds.is_packed_rds(path.name, head)


def _only_file(folder: Path) -> Path:
    """Return the file that is alone in a folder, or in its only folder; else the folder."""
    items = [item for item in sorted(folder.iterdir()) if not item.name.startswith(".")]
    if len(items) != 1 or items[0].is_symlink():
        return folder
    return _only_file(items[0]) if items[0].is_dir() else items[0]


def _listed(folder: Path, depth: int = 0) -> _Listing:
    """Sort the files of a folder, and of those in it down to a depth, by what they hold."""
    listing = _Listing()
    todo = [(folder, depth)]
    n_files = 0
    while todo:
        here, left = todo.pop(0)
        for item in sorted(here.iterdir()):
            n_files += 1
            if item.name.startswith(".") or item.is_symlink() or n_files > MAX_FILES:
                continue
            if item.is_dir():
                todo += [(item, left - 1)] if left else []
            elif item.is_file():
                _sort_in(listing, item)
    return listing


def _sort_in(listing: _Listing, path: Path) -> None:
    try:
        head = _head(path)
        head = _inner_head(path) if head.startswith(b"\x1f\x8b") else head
    except FileRefused:  # not among what is looked for
        listing.damaged.append(path)
        return
    if mtx.is_mtx(head):
        listing.matrices.append(path)
    elif head and signatures.is_text(head):
        listing.texts.append(path)
    elif signatures.was_text(head):
        listing.damaged.append(path)
    else:
        listing.others.append(path)


def _head(path: Path) -> bytes:
    with open_regular(path) as stream:
        return stream.read(HEAD_BYTES)


def _inner_head(path: Path) -> bytes:
    with open_text(path, HEAD_BYTES**2) as stream:
        return stream.read(HEAD_BYTES)


def _is_hdf5(head: bytes) -> bool:
    return any(head[at : at + 8] == signatures.HDF5_MAGIC for at in signatures.HDF5_AT)


@contextmanager
def _scratch(request: Request) -> Iterator[Path]:
    request.target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.target.parent, prefix=".unpacked-") as folder:
        yield Path(folder)
