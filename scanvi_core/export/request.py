"""What is asked of the exporter."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from scanvi_core.errors import ExportError

Array = npt.NDArray[Any]
Column = Array | tuple[Array, list[str]]
"""A column of numbers, flags or words; or (codes, categories) with code -1 for "missing"."""
Text = str | list[str] | Mapping[str, "Text"]
"""What goes into uns: a text, a list of texts, or a mapping of those."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The user's file, and what it was like when it was loaded.

    Parameters
    ----------
    path
        Where it lies. It is read, never written.
    size, mtime_ns
        Bytes and modification time when it was loaded.
    sha256
        Hash of its bytes; decides when only the modification time differs (a copied file).
    """

    path: Path
    size: int
    mtime_ns: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class CountsLayer:
    """Recovered counts as the three .npy arrays of a CSR matrix [cells, genes]."""

    data: Path
    indices: Path
    indptr: Path
    shape: tuple[int, int]

    def nbytes(self) -> int:
        """Return the bytes of the three files."""
        return sum(file.stat().st_size for file in (self.data, self.indices, self.indptr))


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """The project's own copy of the data, from which a whole new file is written.

    Parameters
    ----------
    obs, var
        Tables as parquet: the names, then the columns by position.
    obs_columns, var_columns
        Their true names.
    counts
        Written as X; or, with `submission`, as raw.X beside X = log1p of counts per 10,000.
    obsm
        Embeddings by name, .npy files.
    rows, genes
        The cells and genes to write, by position; None: all.
    gene_ids
        Other names for `genes`; the names they had become the column ``author_gene_name``.
    submission
        Keep to the rules for files that go to CELLxGENE, see `scanvi_core.export.cellxgene`;
        what the user calls as we do gets another name then.
    """

    obs: Path
    var: Path
    obs_columns: list[str]
    var_columns: list[str]
    counts: CountsLayer
    obsm: Mapping[str, Path] = field(default_factory=dict)
    rows: Array | None = None
    genes: Array | None = None
    gene_ids: list[str] | None = None
    submission: bool = False


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One annotated file to write.

    Parameters
    ----------
    source
        The user's file, copied byte for byte before anything is added; never written.
    target
        The file to write; replaced only once the new one is whole and verified.
    obs
        Columns by name, one value per cell of the source, in its order.
    obsm
        Arrays [cells, d] by name.
    uns
        Texts, lists of texts, or mappings of those, by name.
    counts
        Recovered counts to add as ``layers["counts"]``.
    own_copy
        Write the file from these instead of copying the source.
    keep
        Entries of uns that stay as they are where the source has them.
    replace
        True: keys of the source with our names are replaced. False: all of ours get the same
        suffix ``_2``, ``_3``... as soon as one name is taken.
    """

    source: SourceFile
    target: Path
    obs: Mapping[str, Column] = field(default_factory=dict)
    obsm: Mapping[str, Array] = field(default_factory=dict)
    uns: Mapping[str, Text] = field(default_factory=dict)
    counts: CountsLayer | None = None
    own_copy: OwnCopy | None = None
    keep: tuple[str, ...] = ()
    replace: bool = False

    def nbytes(self) -> int:
        """Return the bytes that will be added to the copy of the source, about."""
        columns = [c[0] if isinstance(c, tuple) else c for c in self.obs.values()]
        texts = sum(len(str(text)) for text in self.uns.values())
        arrays = sum(array.nbytes for array in [*columns, *self.obsm.values()])
        return arrays + texts + (self.counts.nbytes() if self.counts else 0)

    def base_nbytes(self) -> int:
        """Return the bytes of what is added to: the source, or the file written from our copy."""
        own = self.own_copy
        if own is None:
            return self.source.path.stat().st_size
        files = [own.obs, own.var, *own.obsm.values()]
        matrices = 2 if own.submission else 1
        return sum(f.stat().st_size for f in files) + matrices * own.counts.nbytes()


def check_names(request: ExportRequest) -> None:
    """Raise `ExportError` for a name that an .h5ad file cannot hold."""
    for name in [*request.obs, *request.obsm, *request.uns]:
        if not name.strip() or "/" in name or "\0" in name or name in {"_index", "."}:
            raise ExportError(
                f"{name!r} cannot be the name of a column.",
                "Choose a name of at least one letter, without a slash.",
            )


def check_unchanged(source: SourceFile) -> None:
    """Raise `ExportError` if the source is not the file that was loaded."""
    status = source.path.stat()
    same = status.st_size == source.size
    if same and status.st_mtime_ns != source.mtime_ns:
        with source.path.open("rb") as handle:
            same = hashlib.file_digest(handle, "sha256").hexdigest() == source.sha256
    if not same:
        raise ExportError(
            f"{source.path.name} is not the file that was loaded: it has changed since.",
            "Put the loaded file back, or make a new project with the changed one.",
        )
