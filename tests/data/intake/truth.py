"""Counts per cell of a file as other libraries read them, to hold ours against."""

import gzip
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse
import zarr

# Matrices of ln(1 + counts / total * 10,000): the column of obs that holds the totals.
NORMALIZED = {
    "anndata_v0.5.0/adata.h5ad": "n_counts",
    "tiledbsoma/pbmc-small.h5ad": "nCount_RNA",
}
ROUNDED = {"derived/few_noninteger_counts.h5ad"}  # to whole numbers, as is agreed there
TURNED = {"derived/transposed_genes_by_cells.h5ad"}  # whose rows are the genes
SAME_CELLS = {"derived/lognorm_only_no_counts.h5ad": "csc.h5ad"}  # whose counts they were


def totals(path: Path, source: str) -> np.ndarray:
    """Return the sum of every cell in the matrix `source`, read with a library of others."""
    name = f"{path.parent.name}/{path.name}"
    if name in SAME_CELLS:
        return totals(path.with_name(SAME_CELLS[name]), "X")
    if name in TURNED:
        return _sums(_matrix(_anndata(path), source).T)
    if name in ROUNDED:
        values = _matrix(_anndata(path), source)
        values.data = np.rint(values.data)
        return _sums(values)
    if name in NORMALIZED:
        opened = _anndata(path)
        depth = opened[0](opened[1]["obs"])[NORMALIZED[name]]
        depth = np.asarray(depth, dtype=float)[:, None]
        values = _matrix(opened, source)
        values = values.toarray() if scipy.sparse.issparse(values) else np.asarray(values)
        return np.rint(np.expm1(values.astype(float)) * depth / 1e4).sum(axis=1)
    if path.is_file() and path.suffix == ".zip" and ".zarr" not in path.suffixes:
        with tempfile.TemporaryDirectory() as folder:
            zipfile.ZipFile(path).extractall(folder)
            return _triple(next(Path(folder).rglob("matrix.mtx*")))
    if path.suffix == ".loom":
        with h5py.File(path) as file:
            return file["matrix"][:].sum(axis=0)
    if path.suffix == ".h5":  # scanpy does not read all of them
        with h5py.File(path) as file:
            group = next(part for part in file.values() if "indptr" in part)
            parts = [group[name][:] for name in ("data", "indices", "indptr")]
            return _sums(scipy.sparse.csc_matrix(tuple(parts), shape=group["shape"][:]).T)
    if path.suffix in {".h5ad", ".zarr", ".zip"}:
        return _sums(_matrix(_anndata(path), source))
    if "counts" in path.name or "count" in path.name:
        sep = "\t" if ".tsv" in path.suffixes else ","
        table = pd.read_csv(path, sep=sep, index_col=0)
        return table.sum(axis=1 if table.index.name == "barcode" else 0).to_numpy()
    return _triple(next((path if path.is_dir() else path.parent).glob("matrix.mtx*")))


def _anndata(path: Path) -> Any:
    """Return raw X, X and layers; parts that the library cannot read are not asked for."""
    if path.suffix == ".h5ad":
        return anndata.io.read_elem, h5py.File(path)
    if path.suffix == ".zip":
        store = zarr.storage.ZipStore(path, mode="r")
        names = zipfile.ZipFile(path).namelist()
        inside = "" if {".zgroup", "zarr.json"} & set(names) else names[0].split("/")[0]
        return anndata.io.read_elem, zarr.open_group(
            store, mode="r", path=inside, use_consolidated=False
        )
    return anndata.io.read_elem, zarr.open_group(path, mode="r")


def _matrix(opened: Any, source: str) -> Any:
    read, group = opened
    key = source.replace("raw.X", "raw/X")
    return read(group[key if key in group else source])


def _triple(path: Path) -> np.ndarray:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as handle:
        return _sums(scipy.io.mmread(handle).T)


def _sums(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
