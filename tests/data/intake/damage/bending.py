"""Sound HDF5 files of every kind, bent in one place: a part or an attribute is something else.

Unlike random damage, this leaves files that HDF5 reads without complaint, and of which a reader
has to find out by itself that they are not what it takes them for.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.data.intake.damage import bad_inputs as bad

TEXT = h5py.string_dtype()


def sound(folder: Path) -> Path:
    """Write an .h5ad file with every kind of column and matrix."""
    path = bad.sound(folder / "x.h5ad")
    with h5py.File(path, "r+") as file:
        file["layers/dense"], file["obsm/X_pca"] = bad.counts(), np.ones((60, 2), "f4")
        file["obs/number"], file["obs/text"] = np.arange(60.0), np.array(["a"] * 60, "S")
        nullable = file.create_group("obs/nullable")
        nullable.attrs.update({"encoding-type": "nullable-integer", "encoding-version": "0.1.0"})
        nullable["values"], nullable["mask"] = np.arange(60), np.zeros(60, bool)
        file.create_group("raw").attrs.update({"encoding-type": "raw"})
        bad.write_sparse(file, "raw/X", bad.counts())
        bad.write_frame(file, "raw/var", bad.names("g", 40))
    return path


def of_0_5(folder: Path) -> Path:
    """Write tables as compound arrays, as anndata did before 0.7."""
    path = folder / "x.h5ad"
    cells = np.zeros(60, [("index", "S4"), ("kind", "i1"), ("number", "f4"), ("word", "S3")])
    cells["index"], cells["kind"] = bad.names("c", 60), [0, 1] * 30
    genes = np.array([(name,) for name in bad.names("g", 40)], [("index", "S4")])
    with h5py.File(path, "w") as file:
        file["X"], file["obs"], file["var"] = bad.counts(), cells, genes
        file["uns/kind_categories"] = np.array(["A", "B"], "S")
        file["obsm"] = np.zeros(60, [("X_pca", "f4", (2,))])
    return path


def of_0_7(folder: Path) -> Path:
    """Keep categories apart from their columns, as anndata 0.7 did."""
    path = bad.sound(folder / "x.h5ad")
    with h5py.File(path, "r+") as file:
        del file["obs/cell_type"]
        file["obs/__categories/cell_type"] = np.array(["A", "B"], "S")
        file["obs/cell_type"] = np.array([0, 1] * 30, "i1")
        file["obs/cell_type"].attrs["categories"] = "by reference"
    return path


def tenx_v2(folder: Path) -> Path:
    """Write the sound counts as Cell Ranger 2 does."""
    path = bad.tenx(folder)
    with h5py.File(path, "r+") as file:
        file.move("matrix", "hg19")
        file.move("hg19/features/id", "hg19/genes")
        file.move("hg19/features/name", "hg19/gene_names")
    return path


def loom(folder: Path) -> Path:
    """Write a loom file with a layer and attributes of every width."""
    path = bad.loom(folder)
    with h5py.File(path, "r+") as file:
        file["layers/a"] = bad.counts().T
        for width in (1, 2):
            file[f"col_attrs/{width} wide"] = np.ones((60, width))
        file["col_attrs/number"] = np.ones(60)
    return path


KINDS = {
    "h5ad": sound, "anndata 0.5": of_0_5, "anndata 0.7": of_0_7, "10x": bad.tenx,
    "10x of version 2": tenx_v2, "loom": loom, "h5mu": bad.h5mu,
}  # fmt: skip


def _other_parts(n: int) -> dict[str, Any]:
    """Return what a part with `n` values may be instead."""
    return {
        "gone": None, "a group": dict, "a stored type": np.dtype("f8"),
        "empty": h5py.Empty("f4"), "an empty text": h5py.Empty(TEXT), "one number": 3,
        "one text": "abc", "of no length": np.zeros(0), "texts": np.array(["w"] * n, object),
        "not numbers": np.full(n, np.nan), "negative": np.full(n, -5), "large": np.full(n, 2**40),
        "shorter": np.arange(n - 1), "2 dimensions": np.ones((n, 3)),
        "3 dimensions": np.ones((n, 3, 2)), "complex": np.ones(n) + 1j,
        "records": np.zeros(n, [("a", "i4"), ("b", "S3")]),
        "opaque": np.zeros(n, "V4"), "of a type without numpy": h5py.h5t.UNIX_D32LE,
    }  # fmt: skip


OTHER_ATTRIBUTES: dict[str, Any] = {
    "gone": None, "a number": 5, "numbers": np.arange(3), "empty": h5py.Empty("f4"),
    "a text": "odd", "texts": np.array(["a", "b"], object), "not numbers": np.full(2, np.nan),
    "negative": np.array([-1, -2]), "records": np.zeros(2, [("a", "i4")]),
    "bytes": np.bytes_(b"\xff\xfe"), "huge": np.full(2, 2**60),
    "of a type without numpy": h5py.h5t.UNIX_D32LE,
}  # fmt: skip


def bends(path: Path) -> list[tuple[str, str | None, str]]:
    """Return every (part, attribute or None, what it becomes) of a file."""
    parts: list[str] = []
    with h5py.File(path) as file:
        file.visit(parts.append)
        attributes = [(part, name) for part in ("/", *parts) for name in file[part].attrs]
    return [(part, None, other) for part in parts for other in _other_parts(2)] + [
        (part, name, other) for part, name in attributes for other in OTHER_ATTRIBUTES
    ]


def bent(path: Path, folder: Path, bend: tuple[str, str | None, str]) -> Path:
    """Return a copy of a file in which one thing is another."""
    part, attribute, other = bend
    target = folder / f"bent{path.suffix}"
    shutil.copy(path, target)
    with h5py.File(target, "r+") as file:
        if attribute is None:
            _replace(file, part, other)
        else:
            _replace_attribute(file[part], attribute, OTHER_ATTRIBUTES[other])
    return target


def _replace(file: h5py.File, part: str, other: str) -> None:
    shape = getattr(file[part], "shape", None)
    value = _other_parts(shape[0] if shape else 5)[other]
    kept = dict(_readable(file[part]))
    del file[part]
    if value is None:
        return
    if value is dict:
        file.create_group(part)
    elif isinstance(value, h5py.h5t.TypeID):
        h5py.h5d.create(file.id, part.encode(), value, h5py.h5s.create_simple((5,)))
    else:
        file[part] = value
    if not isinstance(value, np.dtype):
        file[part].attrs.update(kept)


def _readable(node: Any) -> Iterator[tuple[str, Any]]:
    return iter([(name, node.attrs[name]) for name in node.attrs])


def _replace_attribute(node: Any, name: str, value: Any) -> None:
    del node.attrs[name]
    if isinstance(value, h5py.h5t.TypeID):
        h5py.h5a.create(node.id, name.encode(), value, h5py.h5s.create_simple((2,)))
    elif value is not None:
        node.attrs[name] = value
