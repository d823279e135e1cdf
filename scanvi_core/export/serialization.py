"""How a request crosses into the writing process.

Arrays cross as .npy files beside a ``request.json`` (no pickle), so that a request of any size
costs no more memory than its largest array.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.export.request import Array, CountsLayer, ExportRequest, OwnCopy, SourceFile


def save_request(request: ExportRequest, folder: Path) -> None:
    """Write the request into an empty folder as ``request.json`` and .npy files."""
    files = 0

    def save(array: Array) -> str:
        nonlocal files
        files += 1
        plain = array.astype(np.str_) if array.dtype.kind == "O" else array
        np.save(folder / f"{files}.npy", plain, allow_pickle=False)
        return f"{files}.npy"

    content = {
        "source": _source_json(request.source),
        "target": str(request.target),
        "replace": request.replace,
        "keep": list(request.keep),
        "obs": {
            name: [save(np.asarray(column[0])), list(column[1])]
            if isinstance(column, tuple)
            else [save(np.asarray(column)), None]
            for name, column in request.obs.items()
        },
        "obsm": {name: save(np.asarray(array)) for name, array in request.obsm.items()},
        "uns": dict(request.uns),
        "counts": request.counts and _layer_json(request.counts),
        "own_copy": request.own_copy and _own_json(request.own_copy, save),
    }
    (folder / "request.json").write_text(json.dumps(content), encoding="utf-8")


def _source_json(source: SourceFile) -> list[Any]:
    return [str(source.path), source.size, source.mtime_ns, source.sha256]


def _layer_json(layer: CountsLayer) -> list[Any]:
    return [str(layer.data), str(layer.indices), str(layer.indptr), *layer.shape]


def _own_json(own: OwnCopy, save: Callable[[Array], str]) -> dict[str, Any]:
    return {
        "obs": str(own.obs),
        "var": str(own.var),
        "obs_columns": own.obs_columns,
        "var_columns": own.var_columns,
        "counts": _layer_json(own.counts),
        "obsm": {name: str(path) for name, path in own.obsm.items()},
        "rows": None if own.rows is None else save(own.rows),
        "genes": None if own.genes is None else save(own.genes),
        "gene_ids": own.gene_ids,
        "submission": own.submission,
    }


def _load_layer(data: str, indices: str, indptr: str, *shape: int) -> CountsLayer:
    n_obs, n_vars = shape
    return CountsLayer(Path(data), Path(indices), Path(indptr), (n_obs, n_vars))


def _load_own(content: dict[str, Any], load: Callable[[str], Array]) -> OwnCopy:
    return OwnCopy(
        **content
        | {
            "obs": Path(content["obs"]),
            "var": Path(content["var"]),
            "counts": _load_layer(*content["counts"]),
            "obsm": {name: Path(path) for name, path in content["obsm"].items()},
            "rows": content["rows"] and load(content["rows"]),
            "genes": content["genes"] and load(content["genes"]),
        }
    )


def load_request(folder: Path) -> ExportRequest:
    """Read what `save_request` wrote; arrays are memory-mapped."""

    def load(name: str) -> Array:
        # Seen as a plain array: anndata has no writer for the class memmap.
        return np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False))

    content = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    path, *rest = content["source"]
    layer, own = content["counts"], content["own_copy"]
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
        own_copy=own and _load_own(own, load),
        keep=tuple(content["keep"]),
        replace=content["replace"],
    )
