"""A data set folder from elsewhere: looked through, and what can be worked out is worked out anew.

Runs in a child process: what reads the tables and arrays is compiled code.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.arrays import damaged, open_array
from scanvi_core.data.anndata_files.guess_columns import describe_columns
from scanvi_core.data.anndata_files.h5ad import MAX_EMBEDDING
from scanvi_core.data.blocks.progress import TURNING, VERIFYING
from scanvi_core.data.blocks.write import hash_rows, read_rows, write_by_gene
from scanvi_core.data.dataset import NAMES, read_table, write_table
from scanvi_core.data.manifest import MANIFEST, Manifest, check_complete, kinds_of, read_manifest
from scanvi_core.data.qc.metrics import Meter, Quality
from scanvi_core.errors import is_of_the_machine
from scanvi_core.typed import taken

BLOCK = 2**22  # counts at a time
TEXT_BYTES, TEXT_BYTES_PER_ROW = 2**26, 512  # of a table: texts may share a place in its file


def take_in(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Check a data set folder, and write what follows from its counts and tables.

    Returns
    -------
    manifest, genes
        Its manifest, with nothing that this program does not know (it is not written yet), and
        the names of its genes.

    Raises
    ------
    DataDamaged
        If something in it is not as it has to be.
    """
    manifest: dict[str, Any] = taken(read_manifest(folder), Manifest)
    check_complete(folder, manifest)
    _check_arrays(folder, manifest)
    obs = _table(folder / "obs.parquet", manifest["n_obs"], list(manifest["obs_columns"]))
    var = _table(folder / "var.parquet", manifest["n_vars"], manifest["var_columns"])
    _check_names(folder / MANIFEST, manifest)
    quality = _counts(folder, manifest, _symbols(folder, var, manifest["symbol_column"]), var)
    manifest["obs_columns"] = describe_columns(obs)
    manifest["n_mt_genes"] = quality.n_mt_genes
    write_by_gene(folder, (manifest["n_obs"], manifest["n_vars"]), tell=TURNING.tell)
    for name, values in (
        ("totals", quality.totals),
        ("n_genes_by_counts", quality.n_genes),
        ("pct_counts_mt", quality.pct_mt),
    ):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    return manifest, var.index.tolist()


def _check_arrays(folder: Path, manifest: dict[str, Any]) -> None:
    """Find that the arrays are there and of the lengths that the manifest says."""
    kinds = kinds_of(manifest)
    strange = sorted(path.name for path in folder.glob("*.npy") if path.stem not in kinds)
    if strange:
        raise damaged(folder / MANIFEST, f"it does not name {strange[0]}")
    for name, kind in kinds.items():
        if name.startswith("obsm_"):
            width = open_array(folder / f"{name}.npy", kind, mapped=True).shape[1]
            if not 0 < width <= MAX_EMBEDDING:
                raise damaged(folder / f"{name}.npy", f"it has {width:,} columns")
    data, indices, indptr = (
        open_array(folder / f"counts_{part}.npy", kinds[f"counts_{part}"], mapped=True)
        for part in ("data", "indices", "indptr")
    )
    if not len(data) == len(indices) == indptr[-1]:
        raise damaged(folder / "counts_indptr.npy", "it tells of other values than there are")


def _table(path: Path, n_rows: int, columns: list[str]) -> pd.DataFrame:
    """Check a table and write it anew, so that nothing but this reads what came from elsewhere."""
    import pyarrow.parquet as pq

    expected = [NAMES, *(str(at) for at in range(len(columns)))]
    try:
        about = pq.read_metadata(path)
    except Exception as error:  # a damaged file fails in ways that no list foresees
        if is_of_the_machine(error):
            raise
        raise damaged(path, "it cannot be read") from error
    if about.num_rows != n_rows or about.schema.names != expected:
        raise damaged(path, "its rows or columns are not those of the manifest")
    frame = read_table(path, n_rows).set_index(NAMES).rename_axis(None)
    if list(frame) != expected[1:] or len(set(columns)) < len(columns):
        raise damaged(path, "its columns are not those of the manifest")
    n_bytes = _text_bytes(path, frame.index.to_series().astype(object))
    if frame.index.has_duplicates or frame.index.hasnans:
        raise damaged(path, "it lacks a name, or holds one twice")
    for name in frame:
        n_bytes += _text_bytes(path, frame[name])
    if n_bytes > TEXT_BYTES + TEXT_BYTES_PER_ROW * n_rows * len(expected):
        raise damaged(path, f"its texts take {n_bytes / 1e6:,.0f} MB")
    frame = frame.set_axis(columns, axis=1)
    write_table(path, frame)
    return frame


def _text_bytes(path: Path, column: pd.Series) -> int:
    """Return how long the texts of a column are together; it holds texts, numbers or truths."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _text_bytes(path, column.cat.categories.to_series())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return 0
    values = column.dropna().tolist()
    if not all(type(value) is str for value in values):
        raise damaged(path, f"a column holds {column.dtype}")
    return sum(map(len, values))


def _check_names(path: Path, manifest: dict[str, Any]) -> None:
    known = set(manifest["obs_columns"])
    for candidate in (*manifest["labels_candidates"], *manifest["batch_candidates"]):
        if candidate["key"] not in known:
            raise damaged(path, f"it names a column {candidate['key'][:40]!r} that is not there")
    if len(set(manifest["obsm"])) < len(manifest["obsm"]):
        raise damaged(path, "it names an embedding twice")
    parts = manifest.get("origin", {}).get("parts")
    if parts is not None:
        if sum(part["n_obs"] for part in parts) != manifest["n_obs"]:
            raise damaged(path, "its cells are not those of the files it was joined from")
        if len({part["name"].casefold() for part in parts}) < len(parts):
            raise damaged(path, "it names a file it was joined from twice")


def _symbols(folder: Path, var: pd.DataFrame, key: str | None) -> np.ndarray:
    if key is None:
        return var.index.to_numpy()
    if key not in var:
        raise damaged(folder / MANIFEST, f"it names a column {key[:40]!r} that is not there")
    return var[key].astype(str).to_numpy()


def _counts(
    folder: Path, manifest: dict[str, Any], symbols: np.ndarray, var: pd.DataFrame
) -> Quality:
    """Look at every count, find that they are those of the manifest, and measure the cells."""
    meter = Meter(manifest["n_obs"], symbols, var.index.to_numpy())
    for first, block in read_rows(folder, manifest["n_vars"], BLOCK):
        _check_block(folder, block)
        meter.add(block)
        VERIFYING.tell((first + block.shape[0]) / manifest["n_obs"])
    if hash_rows(folder, (manifest["n_obs"], manifest["n_vars"])) != manifest["counts_sha256"]:
        raise damaged(folder / "counts_data.npy", "its counts are not those of the manifest")
    return meter.finish()


def _check_block(folder: Path, block: sp.csr_matrix) -> None:
    if not block.has_canonical_format:
        raise damaged(folder / "counts_indices.npy", "its positions are not in order")
    if block.nnz and not (np.isfinite(block.data).all() and block.data.min() > 0):
        raise damaged(folder / "counts_data.npy", "it holds values that are no counts")
