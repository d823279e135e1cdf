"""Write the .h5ad file that a file of another kind becomes, some million values at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import settings
from anndata.io import write_elem

from scanvi_core.data.blocks.hdf5 import BLOCK_VALUES, Block
from scanvi_core.errors import FileRefused, ProjectError, reason_of
from scanvi_core.hints import FETCH_AGAIN
from scanvi_core.runtime import replacing

ORIGIN = "converted_from"  # attribute of the file: what it was made from, as JSON
ORIGIN_KEYS = ("name", "path", "kind", "notes", "answers", "sha256")
CHUNK = 2**17  # values; read and written whole
PACKED: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}


@dataclass(frozen=True, slots=True)
class Request:
    """One foreign file to convert.

    Attributes
    ----------
    path
        The file or folder; never changed.
    target
        The .h5ad file to write.
    answers
        Answers to questions, by `Question.key`.
    memory_bytes
        Memory that may be used.
    """

    path: Path
    target: Path
    answers: Mapping[str, str]
    memory_bytes: float


@dataclass(slots=True)
class Tables:
    """What is known about cells and genes.

    Attributes
    ----------
    obs, var
        Tables with the names as index.
    obsm
        Arrays [n_obs, d] by name.
    """

    obs: pd.DataFrame
    var: pd.DataFrame
    obsm: dict[str, np.ndarray] = field(default_factory=dict)


@contextmanager
def new_h5ad(target: Path) -> Iterator[h5py.File]:
    """Open a new .h5ad file that takes its place once it is whole; it may hold nullable text.

    Raises
    ------
    ProjectError
        If the disk refuses: what is read meanwhile is not to blame.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        nullable = settings.override(allow_write_nullable_strings=True)
        with nullable, replacing(target) as temporary, h5py.File(temporary, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            for slot in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
                write_elem(file, slot, {})
            yield file
    except OSError as error:
        raise ProjectError(
            f"The project's copy could not be written: {reason_of(error)}.",
            "Check the free space and the permissions of the project folder.",
        ) from error


def write_tables(file: h5py.File, tables: Tables) -> None:
    """Write obs, var and obsm."""
    for name, frame in (("obs", tables.obs), ("var", tables.var)):
        tidy = frame.rename(columns=lambda text: str(text).replace("/", "_")).rename_axis(None)
        write_frame(file, name, tidy)
    for name, values in tables.obsm.items():
        write_elem(file["obsm"], name, values)


def write_frame(file: h5py.File, name: str, frame: pd.DataFrame) -> None:
    """Write a table of cells or genes.

    Raises
    ------
    FileRefused
        If a text in it has a null character: no .h5ad file can hold one.
    """
    for values in (frame.index, frame.columns, *(frame[key] for key in frame)):
        kind = values.dtype
        words = kind.categories if isinstance(kind, pd.CategoricalDtype) else values
        if pd.api.types.is_numeric_dtype(words):
            continue
        broken = next((text for text in words if isinstance(text, str) and "\0" in text), None)
        if broken is not None:
            raise FileRefused(
                f"The file is damaged: {name} holds a null character ({broken!r:.60}).",
                FETCH_AGAIN,
            )
    write_elem(file, name, frame)


def write_matrix(
    file: h5py.File, name: str, blocks: Iterable[Block], shape: tuple[int, int], dtype: np.dtype
) -> None:
    """Write a matrix as CSR.

    Parameters
    ----------
    file
        The open new file.
    name
        ``X`` or ``layers/NAME``.
    blocks
        (rows, columns, values), rows rising from block to block and inside each.
    shape
        (cells, genes).
    dtype
        Type of the values.
    """
    group = file.create_group(name)
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
    group.attrs["shape"] = shape
    parts = {
        part: group.create_dataset(part, (0,), kind, maxshape=(None,), chunks=(CHUNK,), **PACKED)
        for part, kind in (("data", dtype), ("indices", np.dtype(np.int32)))
    }
    lengths = np.zeros(shape[0], np.int64)
    for rows, columns, values in blocks:
        for part, new in (("data", values), ("indices", columns)):
            at = parts[part].shape[0]
            parts[part].resize((at + new.size,))
            parts[part][at:] = new
        lengths += np.bincount(rows, minlength=shape[0])
    group["indptr"] = np.concatenate([[0], np.cumsum(lengths)])


def in_rows(matrix: sp.csr_matrix) -> Iterator[Block]:
    """Yield a CSR matrix [cells, genes] in blocks for :func:`write_matrix`."""
    lengths = np.diff(matrix.indptr)
    start = 0
    while start < matrix.shape[0]:
        low = matrix.indptr[start]
        stop = int(np.searchsorted(matrix.indptr, low + BLOCK_VALUES, side="right")) - 1
        stop = min(max(stop, start + 1), matrix.shape[0])
        high = matrix.indptr[stop]
        rows = np.repeat(np.arange(start, stop), lengths[start:stop])
        yield rows, matrix.indices[low:high], matrix.data[low:high]
        start = stop


def mark_origin(path: Path, origin: Mapping[str, Any]) -> None:
    """Note in a converted file what it was made from."""
    with h5py.File(path, "r+") as file:
        file.attrs[ORIGIN] = json.dumps(origin)


def origin_of(path: Path) -> dict[str, Any] | None:
    """Return what `mark_origin` noted; None for any other file."""
    with h5py.File(path, "r") as file:
        noted = file.attrs.get(ORIGIN)
    try:
        origin = json.loads(str(noted))
        return {key: origin[key] for key in ORIGIN_KEYS}
    except (ValueError, KeyError, TypeError):
        return None
