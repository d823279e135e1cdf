"""The project's own copy of a data set: a folder of memory-mapped arrays and a manifest."""

import json
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.arrays import Kind, damaged, open_array
from scanvi_core.data.blocks.columns import cached_cut, row_blocks
from scanvi_core.data.blocks.mapped import columns_at, over_files
from scanvi_core.data.blocks.write import hash_rows, write_by_gene, write_csr
from scanvi_core.data.manifest import FORMAT, MANIFEST, Manifest, kinds_of, read_manifest
from scanvi_core.data.normalization import log_normalized
from scanvi_core.data.qc.metrics import Quality
from scanvi_core.errors import ColumnMissing, is_of_the_machine

NAMES = "names"
__all__ = ["FORMAT", "MANIFEST", "NAMES", "Dataset", "write_dataset", "write_rest"]


class Dataset:
    """Counts, tables and embeddings of one data set, read from its folder when asked for.

    Use :meth:`open`. Arrays are memory-mapped and read-only: opening costs next to nothing,
    whatever the size.

    Attributes
    ----------
    folder
        Where it lies.
    manifest
        What was found and mended at import; see
        :func:`scanvi_core.data.intake.import_file.import_file`.
    n_obs, n_vars
        Number of cells and genes.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.n_obs = int(manifest["n_obs"])
        self.n_vars = int(manifest["n_vars"])

    @classmethod
    def open(cls, folder: Path | str) -> "Dataset":
        """Open a folder written by :func:`write_dataset`.

        Raises
        ------
        ProjectError
            If there is no data set in it, one of a newer version, or a damaged one.
        """
        folder = Path(folder)
        return cls(folder, read_manifest(folder))

    @cached_property
    def counts(self) -> sp.csr_matrix:
        """Counts, cells × genes, CSR float32 over the files on disk."""
        return over_files(sp.csr_matrix, self._parts("counts"), (self.n_obs, self.n_vars))

    @cached_property
    def counts_by_gene(self) -> sp.csc_matrix:
        """The same counts as CSC, for looking up genes."""
        return over_files(sp.csc_matrix, self._parts("by_gene"), (self.n_obs, self.n_vars))

    @cached_property
    def obs(self) -> pd.DataFrame:
        """The table of cells; index = unique cell names."""
        return self._frame("obs", self.n_obs, list(self.manifest["obs_columns"]))

    @cached_property
    def var(self) -> pd.DataFrame:
        """The table of genes; index = unique gene names."""
        return self._frame("var", self.n_vars, self.manifest["var_columns"])

    @cached_property
    def obs_names(self) -> np.ndarray:
        """Unique cell names, as str objects."""
        frame = read_table(self.folder / "obs.parquet", self.n_obs, [NAMES])
        return frame[NAMES].to_numpy(dtype=object)

    @cached_property
    def var_names(self) -> np.ndarray:
        """Unique gene names, as str objects."""
        return self.var.index.to_numpy(dtype=object)

    @cached_property
    def symbols(self) -> np.ndarray:
        """Names of the genes for display: symbols where the file has them, else `var_names`."""
        key = self.manifest["symbol_column"]
        if key is None:
            return self.var_names
        symbols = self.var[key].astype(object).to_numpy()
        return np.where(pd.isna(symbols) | (symbols == ""), self.var_names, symbols)

    @property
    def totals(self) -> np.ndarray:
        """Counts per cell, float64 [n_obs]."""
        return self._array("totals")

    @property
    def n_genes_by_counts(self) -> np.ndarray:
        """Genes with counts per cell, int64 [n_obs]."""
        return self._array("n_genes_by_counts")

    @property
    def pct_counts_mt(self) -> np.ndarray:
        """Percent of counts in mitochondrial genes, float64 [n_obs]."""
        return self._array("pct_counts_mt")

    @property
    def obsm_keys(self) -> tuple[str, ...]:
        """Names of the embeddings that came with the file."""
        return tuple(self.manifest["obsm"])

    def obsm(self, key: str) -> np.ndarray:
        """Return one embedding, float32 [n_obs, d].

        Raises
        ------
        ColumnMissing
            If the file had none of this name.
        """
        if key not in self.obsm_keys:
            raise ColumnMissing(
                f"There is no embedding {key}.", f"There is {', '.join(self.obsm_keys) or 'none'}."
            )
        return self._array(f"obsm_{self.obsm_keys.index(key)}")

    def column(self, name: str) -> pd.Series:
        """Return one column of obs by cell name, without loading the others.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """
        return self.values(name).set_axis(pd.Index(self.obs_names))

    def values(self, name: str) -> pd.Series:
        """Return one column of obs by row number; the names of all cells are not read.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """
        names = list(self.manifest["obs_columns"])
        if name not in names:
            raise ColumnMissing(
                f"The table of cells has no column {name}.",
                f"It has {', '.join(names) or 'none'}.",
            )
        key = str(names.index(name))
        frame = read_table(self.folder / "obs.parquet", self.n_obs, [key])
        return frame[key].rename(name)

    def genes_matrix(self, var_index: np.ndarray) -> sp.csr_matrix:
        """Return the counts of some genes, by position: CSR float32 [n_obs, len(var_index)].

        The values lie in files that are written at the first call and found at the next, so that
        no copy of them is held in memory; see :func:`scanvi_core.data.blocks.columns.cached_cut`.
        """
        return cached_cut(self.folder, self.counts, np.asarray(var_index))

    def gene(self, name: str) -> np.ndarray:
        """Return one gene in every cell as log1p of counts per 10,000, float32 [n_obs].

        Parameters
        ----------
        name
            Gene name, or symbol; the first gene of that symbol.

        Raises
        ------
        ColumnMissing
            If there is no such gene.
        """
        position = self._gene_positions.get(name)
        if position is None:
            raise ColumnMissing(
                f"There is no gene {name}.", "Check its spelling, capitals included."
            )
        return self.gene_at(position)

    def gene_at(self, position: int) -> np.ndarray:
        """Return the gene at a position in every cell; see `gene`."""
        column = columns_at(self.counts_by_gene, [position])
        return log_normalized(column, self.totals).toarray().ravel()

    @cached_property
    def _gene_positions(self) -> dict[str, int]:
        places = dict[str, int]()
        for names in (self.var_names, self.symbols):
            for position, name in enumerate(names):
                places.setdefault(name, position)
        return places

    def _parts(self, prefix: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        data, indices, indptr = (
            self._array(f"{prefix}_{part}", mapped=True) for part in ("data", "indices", "indptr")
        )
        return data, indices, indptr

    def _array(self, name: str, *, mapped: bool = False) -> np.ndarray:
        return open_array(self.folder / f"{name}.npy", self._kinds[name], mapped=mapped)

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return kinds_of(self.manifest)

    def _frame(self, name: str, n_rows: int, columns: Sequence[str]) -> pd.DataFrame:
        path = self.folder / f"{name}.parquet"
        frame = read_table(path, n_rows).set_index(NAMES).rename_axis(None)
        if frame.shape[1] != len(columns):
            raise damaged(path, f"it has {frame.shape[1]} columns, not {len(columns)}")
        return frame.set_axis(columns, axis=1)


def write_dataset(
    folder: Path,
    counts: sp.csr_matrix,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    obsm: dict[str, np.ndarray],
    quality: Quality,
    manifest: dict[str, Any],
) -> dict[str, Any]:
    """Write a data set folder and return its completed manifest.

    The manifest is written last, so a folder that was interrupted cannot be opened.

    Parameters
    ----------
    folder
        A new folder; must not exist.
    counts
        CSR float32 with sorted positions.
    tables
        obs and var, tidy, with unique names as index.
    obsm
        Embeddings, float32 [n_obs, d].
    quality
        Numbers per cell.
    manifest
        What is known so far; format, shapes, names and hash are added.
    """
    folder.mkdir(parents=True)
    try:
        blocks = (counts[start:stop] for start, stop in row_blocks(counts.indptr))
        write_csr(blocks, folder)
        write_by_gene(folder, counts.shape)
        return write_rest(folder, tables, obsm, quality, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_rest(
    folder: Path,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    obsm: dict[str, np.ndarray],
    quality: Quality,
    manifest: dict[str, Any],
) -> dict[str, Any]:
    """Write all but the counts, which lie in the folder by row and by gene, as `write_dataset`."""
    obs, var = tables
    arrays = {
        "totals": quality.totals,
        "n_genes_by_counts": quality.n_genes,
        "pct_counts_mt": quality.pct_mt,
    }
    arrays |= {f"obsm_{at}": values for at, values in enumerate(obsm.values())}
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    write_table(folder / "obs.parquet", obs)
    write_table(folder / "var.parquet", var)
    shape = len(obs), len(var)
    manifest = {
        "format": FORMAT,
        "n_obs": shape[0],
        "n_vars": shape[1],
        **manifest,
        "var_columns": list(var),
        "obsm": list(obsm),
        "n_mt_genes": quality.n_mt_genes,
        "counts_sha256": hash_rows(folder, shape),
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table; its columns by position, whatever the user called them."""
    plain = frame.set_axis([str(at) for at in range(frame.shape[1])], axis=1)
    plain.insert(0, NAMES, frame.index.to_numpy(dtype=object))
    plain.to_parquet(path, index=False, write_page_checksum=True)


def read_table(path: Path, n_rows: int, columns: list[str] | None = None) -> pd.DataFrame:
    """Return some columns of a table that `write_table` wrote; None: all of them.

    Raises
    ------
    DataDamaged
        If it cannot be read, or has another number of rows.
    """
    try:
        frame = pd.read_parquet(path, columns=columns, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise damaged(path, "it is not there") from error
    except Exception as error:  # a damaged file fails in ways that no list foresees
        if is_of_the_machine(error):
            raise
        raise damaged(path, "it cannot be read") from error
    missing = [name for name in columns or [NAMES] if name not in frame]
    if missing:
        raise damaged(path, f"it has no column {missing[0]}")
    if len(frame) != n_rows:
        raise damaged(path, f"it has {len(frame):,} rows, not {n_rows:,}")
    return frame
