"""Tell from its content what a file is, and refuse what cannot be opened."""

import re
from pathlib import Path
from typing import Any

from scanvi_core.data.blocks.nodes import attribute
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
HDF5_AT = (0, 512, 1024, 2048)  # a user block of 512 · 2^k bytes may come before
FIRST_OF_TEXT = 9  # a tab; the bytes before it are in no text
PLAIN_TEXT = frozenset(b"\t\n\r" + bytes(range(32, 127)))
MOSTLY = 0.9  # share of the bytes of a text that are plain
SAVE_AS_H5AD = "Open it in scanpy and save it with adata.write_h5ad('name.h5ad'), then open that."

ENDINGS = re.compile(
    r"\.(h5ad|h5mu|h5seurat|h5|rds|loom|csv|tsv|tab|txt|mtx|zarr|zip|gz)$", re.IGNORECASE
)

# First bytes -> (what it is, what to do).
AS_UTF8 = "Save it again as UTF-8: in a spreadsheet as CSV UTF-8, in an editor by its encoding."
SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer (a note about a file, not the file)",
     "Fetch the real file with `git lfs pull`."),
    (b"%%MatrixMarket", "a Matrix Market (.mtx) table", SAVE_AS_H5AD),
    (b"\x1f\x8b", "a gzip archive", "Unpack it with gunzip and open what is inside."),
    (b"PK\x03\x04", "a zip archive", "Unpack it and open what is inside."),
    (b"PK\x05\x06", "an empty zip archive", FETCH_AGAIN),
    (b"\xff\xfe", "text in UTF-16", AS_UTF8),
    (b"\xfe\xff", "text in UTF-16", AS_UTF8),
    (b"BZh", "a bzip2 archive", "Unpack it and open what is inside."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it and open what is inside."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it and open what is inside."),
    (b"\x80", "a Python pickle, which may run code when opened", "Ask its author for an .h5ad."),
    (b"RDX", "an R data file", "Convert it in R, for example with zellkonverter::writeH5AD."),
    (b"PAR1", "a parquet table", SAVE_AS_H5AD),
)  # fmt: skip

# Parts of an HDF5 file -> (what it is, what to do).
OTHER_HDF5 = (
    ({"barcode_idx", "umi"}, "10x Genomics molecule information",
     "Open filtered_feature_bc_matrix.h5 of the same run."),
    ({"model_weights"}, "a Keras model", "Choose a file with cells and genes."),
)  # fmt: skip

# Newest version of each encoding that anndata 0.12 writes.
NEWEST = {
    "anndata": "0.1.0", "dataframe": "0.2.0", "csr_matrix": "0.1.0", "csc_matrix": "0.1.0",
    "array": "0.2.0",
}  # fmt: skip


def check_is_hdf5(path: Path, head: bytes, size: int) -> None:
    """Raise `FileRefused` unless `head`, the first kB of the file, is that of an HDF5 file.

    The name of the file plays no part: content decides.
    """
    if size == 0:
        raise FileRefused(
            f"{path.name} is empty (0 bytes): the copy or upload was cut off.", FETCH_AGAIN
        )
    if any(head[at : at + 8] == HDF5_MAGIC for at in HDF5_AT):
        return
    what, hint = _describe(head)
    raise FileRefused(f"{path.name} is not a file of single cells: it is {what}.", hint)


def plain_name(name: str) -> str:
    """Return the name of a file without the endings that tell its kind."""
    while (shorter := ENDINGS.sub("", name)) and shorter != name:
        name = shorter
    return name


def is_text(head: bytes) -> bool:
    """Tell whether the first bytes of a file may be those of a table of text."""
    if not head or _is_web_page(head) or any(byte < FIRST_OF_TEXT for byte in head):
        return False
    return not any(head.startswith(start) for start, _, _ in SIGNATURES)


def was_text(head: bytes) -> bool:
    """Tell whether the first bytes of a file are text but for some that are in none."""
    rest = bytes(byte for byte in head if byte >= FIRST_OF_TEXT)
    if rest == head or len(rest) < len(head) / 2 or not is_text(rest):
        return False
    plain = sum(byte in PLAIN_TEXT for byte in rest)
    return plain >= MOSTLY * len(rest)


def check_directory(path: Path, names: set[str]) -> None:
    """Raise `FileRefused` for a folder of a known kind that cannot be read, by what is in it."""
    if any(name.startswith("__tiledb") or name.endswith(".tdb") for name in names):
        raise FileRefused(
            f"{path.name} is a TileDB-SOMA store.",
            "Save it with tiledbsoma.io.to_h5ad(experiment, 'name.h5ad', measurement_name='RNA') "
            "and open that.",
        )


def check_zip(name: str, entries: list[str]) -> None:
    """Raise `FileRefused` for archives that are documents of another kind."""
    if "[Content_Types].xml" in entries:
        raise FileRefused(f"{name} is an Excel workbook.", "Save the sheet as .csv and open that.")
    if {"settings.json", "dataset/manifest.json"} <= set(entries):
        raise FileRefused(
            f"{name} is a project of this program, not a data set.",
            "Open it under “Projects” below, with “Open a project file”.",
        )
    if not entries:
        raise FileRefused(f"{name} is an empty zip archive.", FETCH_AGAIN)


def hdf5_kind(file: Any, name: str) -> str:
    """Return what an open HDF5 file is: h5ad, h5mu, h5seurat, loom, 10x or 10x-v2.

    Raises
    ------
    FileRefused
        If it is something else.
    """
    keys = set(file)
    if "mod" in keys:
        return "h5mu"
    if {"row_attrs", "col_attrs", "matrix"} <= keys:
        return "loom"
    if {"obs", "var"} <= keys:
        return "h5ad"
    if {"cell.names", "assays"} <= keys:
        return "h5seurat"
    groups = {key: set(file[key]) for key in keys if hasattr(file[key], "keys")}
    if "features" in groups.get("matrix", ()):
        return "10x"
    if any({"barcodes", "data", "indices", "indptr"} <= parts for parts in groups.values()):
        return "10x-v2"
    for parts, what, hint in OTHER_HDF5:
        if parts <= keys:
            raise FileRefused(f"{name} is {what}, which cannot be opened.", hint)
    if keys & {"obs", "var", "X"}:
        missing = " and ".join(sorted({"obs", "var"} - keys))
        raise FileRefused(
            f"{name} is incomplete: {missing} is missing. Its writing was interrupted.",
            FETCH_AGAIN,
        )
    raise FileRefused(
        f"{name} is an HDF5 file but not AnnData: it has no obs and var tables.", SAVE_AS_H5AD
    )


def check_is_anndata(file: Any, name: str) -> None:
    """Raise `FileRefused` unless an open HDF5 file is AnnData of a version known here."""
    kind = hdf5_kind(file, name)
    if kind != "h5ad":
        raise FileRefused(f"{name} is a file of the kind {kind}, not .h5ad.", SAVE_AS_H5AD)
    for part in ("/", "obs", "var", "X"):
        if part not in file:
            continue
        stated, encoding = (
            str(attribute(file[part], f"encoding-{what}", "")) for what in ("version", "type")
        )
        known = NEWEST.get(encoding)
        if known and re.fullmatch(r"\d+(\.\d+)*", stated) and _parts(stated) > _parts(known):
            raise FileRefused(
                f"{name} was written by a newer anndata than this program knows "
                f"({part}: {encoding} {stated}).",
                "Update this program, or save the file with anndata 0.12: "
                "adata.write_h5ad('name.h5ad').",
            )


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def explain_open_failure(path: Path, error: Exception) -> FileRefused:
    """Turn HDF5's message about a file that will not open or read into a sentence."""
    text = str(error)
    cut = re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", text)
    if cut:
        here, whole = (int(number) for number in cut.groups())
        return FileRefused(
            f"{path.name} is cut off: {here:,} of {whole:,} bytes are here.",
            "Copy or download it again.",
        )
    if "lock file" in text:
        return FileRefused(
            f"Another program is writing {path.name}.", "Close it there and try again."
        )
    return FileRefused(
        f"{path.name} is damaged: its inner structure cannot be read.",
        FETCH_AGAIN,
    )


def _is_web_page(head: bytes) -> bool:
    return head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head"))


def _describe(head: bytes) -> tuple[str, str]:
    for start, what, hint in SIGNATURES:
        if head.startswith(start):
            return what, hint
    if _is_web_page(head):
        return "a web page", "The download link asked for a login or has expired: fetch it anew."
    if not any(byte < FIRST_OF_TEXT for byte in head):
        line = head[:30].decode("utf-8", "replace").split("\n")[0]
        return f"a text file that starts with {line!r}", SAVE_AS_H5AD
    if not any(head):
        return "filled with zeros, so its copy failed", FETCH_AGAIN
    return "of an unknown kind", "Choose a file saved by scanpy or anndata (.h5ad)."
