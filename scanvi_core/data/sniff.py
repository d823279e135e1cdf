"""Tell from its content what a file is, and refuse what cannot be opened."""

import re
from pathlib import Path
from typing import Any

from scanvi_core.errors import FileRefused

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
SAVE_AS_H5AD = "Open it in scanpy and save it with adata.write_h5ad('name.h5ad'), then open that."
DOWNLOAD_AGAIN = "Download or copy the file again and compare its size with the source."

# First bytes -> (what it is, what to do).
SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer (a note about a file, not the file)",
     "Fetch the real file with `git lfs pull`."),
    (b"%%MatrixMarket", "a Matrix Market (.mtx) table", SAVE_AS_H5AD),
    (b"\x1f\x8b", "a gzip archive", "Unpack it with gunzip and open the .h5ad inside."),
    (b"PK\x03\x04", "a zip archive", "Unpack it; a zarr store has to be saved as .h5ad first."),
    (b"PK\x05\x06", "an empty zip archive", DOWNLOAD_AGAIN),
    (b"BZh", "a bzip2 archive", "Unpack it and open the .h5ad inside."),
    (b"\xfd7zXZ", "an xz archive", "Unpack it and open the .h5ad inside."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it and open the .h5ad inside."),
    (b"\x80", "a Python pickle, which may run code when opened", "Ask its author for an .h5ad."),
    (b"RDX", "an R data file", "Convert it in R, for example with zellkonverter::writeH5AD."),
    (b"PAR1", "a parquet table", SAVE_AS_H5AD),
)  # fmt: skip


def check_is_hdf5(path: Path, head: bytes, size: int) -> None:
    """Raise `FileRefused` unless `head`, the first kB of the file, is that of an HDF5 file.

    The name of the file plays no part: content decides.
    """
    if size == 0:
        raise FileRefused(
            f"{path.name} is empty (0 bytes): the copy or upload was cut off.", DOWNLOAD_AGAIN
        )
    # HDF5 allows a user block of 512 · 2^k bytes before its magic number.
    if any(head[at : at + 8] == HDF5_MAGIC for at in (0, 512, 1024, 2048)):
        return
    what, hint = _describe(head)
    raise FileRefused(f"{path.name} is not an .h5ad file: it is {what}.", hint)


def check_directory(path: Path) -> None:
    """Raise `FileRefused` for a folder, naming the format it holds."""
    names = {item.name for item in path.iterdir()}
    what = "a folder"
    if names & {".zgroup", ".zattrs", "zarr.json"}:
        what = "a zarr store"
    elif names & {"matrix.mtx", "matrix.mtx.gz"}:
        what = "a 10x Genomics matrix folder"
    raise FileRefused(f"{path.name} is {what}; only .h5ad files can be opened yet.", SAVE_AS_H5AD)


def check_is_anndata(file: Any, name: str) -> None:
    """Raise `FileRefused` unless an open HDF5 file has the parts of an AnnData file."""
    keys = set(file)
    known = (
        ({"mod"}, "a MuData (.h5mu) file", "Save one modality: mdata['rna'].write_h5ad(...)."),
        ({"row_attrs", "col_attrs"}, "a loom file", SAVE_AS_H5AD),
        ({"cell.names", "assays"}, "an h5Seurat file", "Convert it with SeuratDisk or anndataR."),
        ({"matrix"}, "a 10x Genomics .h5 file", SAVE_AS_H5AD),
        ({"model_weights"}, "a Keras model", "Choose a file with cells and genes."),
    )
    if {"obs", "var"} <= keys and "mod" not in keys:
        return
    for parts, what, hint in known:
        if parts <= keys:
            raise FileRefused(f"{name} is {what}, not .h5ad.", hint)
    if any(
        "barcodes" in file[key] for key in keys if file.get(key, getclass=True) is type(file["/"])
    ):
        raise FileRefused(
            f"{name} is a 10x Genomics .h5 file (version 2), not .h5ad.", SAVE_AS_H5AD
        )
    if keys & {"obs", "var", "X"}:
        missing = " and ".join(sorted({"obs", "var"} - keys))
        raise FileRefused(
            f"{name} is incomplete: {missing} is missing. Its writing was interrupted.",
            DOWNLOAD_AGAIN,
        )
    raise FileRefused(
        f"{name} is an HDF5 file but not AnnData: it has no obs and var tables.", SAVE_AS_H5AD
    )


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
        "Compare its checksum with the source, or copy it again.",
    )


def _describe(head: bytes) -> tuple[str, str]:
    for start, what, hint in SIGNATURES:
        if head.startswith(start):
            return what, hint
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page", "The download link asked for a login or has expired: fetch it anew."
    if not any(byte < 9 for byte in head):
        line = head[:30].decode("utf-8", "replace").split("\n")[0]
        return f"a text file that starts with {line!r}", SAVE_AS_H5AD
    if not any(head):
        return "filled with zeros, so its copy failed", DOWNLOAD_AGAIN
    return "of an unknown kind", "Choose a file saved by scanpy or anndata (.h5ad)."
