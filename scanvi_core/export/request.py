"""What is asked of the exporter, and how the request crosses into the writing process.

Arrays cross as .npy files beside a ``request.json`` (no pickle), so that a request of any size
costs no more memory than its largest array.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.errors import ExportError

Array = npt.NDArray[Any]
Column = Array | tuple[Array, list[str]]
"""A column of numbers, flags or words; or (codes, categories) with code -1 for "missing"."""


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

    @classmethod
    def of(cls, path: Path) -> "SourceFile":
        """Describe the file as it is now."""
        status = path.stat()
        return cls(path, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class CountsLayer:
    """Recovered counts as the three .npy arrays of a CSR matrix [cells, genes]."""

    data: Path
    indices: Path
    indptr: Path
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One annotated file to write.

    Parameters
    ----------
    source
        The user's file, copied byte for byte before anything is added.
    target
        The file to write; replaced only once the new one is whole and verified.
    obs
        Columns by name, one value per cell of the source, in its order.
    obsm
        Arrays [cells, d] by name.
    uns
        Texts, or lists of texts, by name.
    counts
        Recovered counts to add as ``layers["counts"]``.
    replace
        True: keys of the source with our names are replaced. False: all of ours get the same
        suffix ``_2``, ``_3``... as soon as one name is taken.
    """

    source: SourceFile
    target: Path
    obs: Mapping[str, Column] = field(default_factory=dict)
    obsm: Mapping[str, Array] = field(default_factory=dict)
    uns: Mapping[str, str | list[str]] = field(default_factory=dict)
    counts: CountsLayer | None = None
    replace: bool = False

    def nbytes(self) -> int:
        """Return the bytes that will be added to the copy of the source, about."""
        columns = [c[0] if isinstance(c, tuple) else c for c in self.obs.values()]
        texts = sum(len(str(text)) for text in self.uns.values())
        layer = self.counts
        files = [layer.data, layer.indices, layer.indptr] if layer else []
        arrays = sum(array.nbytes for array in [*columns, *self.obsm.values()])
        return arrays + texts + sum(file.stat().st_size for file in files)


def check_names(request: ExportRequest) -> None:
    """Raise `ExportError` for a name that an .h5ad file cannot hold."""
    for name in [*request.obs, *request.obsm, *request.uns]:
        if not name.strip() or "/" in name or "\0" in name or name in {"_index", "."}:
            raise ExportError(
                f"{name!r} cannot be the name of a column.",
                "Choose a name of at least one letter, without a slash.",
            )


def save_request(request: ExportRequest, folder: Path) -> None:
    """Write the request into an empty folder as ``request.json`` and .npy files."""
    files = 0

    def save(array: Array) -> str:
        nonlocal files
        files += 1
        plain = array.astype(np.str_) if array.dtype.kind == "O" else array
        np.save(folder / f"{files}.npy", plain, allow_pickle=False)
        return f"{files}.npy"

    layer = request.counts
    content = {
        "source": _source_json(request.source),
        "target": str(request.target),
        "replace": request.replace,
        "obs": {
            name: [save(np.asarray(column[0])), list(column[1])]
            if isinstance(column, tuple)
            else [save(np.asarray(column)), None]
            for name, column in request.obs.items()
        },
        "obsm": {name: save(np.asarray(array)) for name, array in request.obsm.items()},
        "uns": dict(request.uns),
        "counts": layer and [str(layer.data), str(layer.indices), str(layer.indptr), *layer.shape],
    }
    (folder / "request.json").write_text(json.dumps(content), encoding="utf-8")


def _source_json(source: SourceFile) -> list[Any]:
    return [str(source.path), source.size, source.mtime_ns, source.sha256]


def _load_layer(data: str, indices: str, indptr: str, *shape: int) -> CountsLayer:
    n_obs, n_vars = shape
    return CountsLayer(Path(data), Path(indices), Path(indptr), (n_obs, n_vars))


def load_request(folder: Path) -> ExportRequest:
    """Read what `save_request` wrote; arrays are memory-mapped."""

    def load(name: str) -> Array:
        # Seen as a plain array: anndata has no writer for the class memmap.
        return np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False))

    content = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    path, *rest = content["source"]
    layer = content["counts"]
    return ExportRequest(
        source=SourceFile(Path(path), *rest),
        target=Path(content["target"]),
        obs={
            name: load(file) if categories is None else (load(file), categories)
            for name, (file, categories) in content["obs"].items()
        },
        obsm={name: load(file) for name, file in content["obsm"].items()},
        uns=content["uns"],
        counts=layer and _load_layer(*layer),
        replace=content["replace"],
    )
