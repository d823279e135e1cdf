"""Choose the genes a model reads: the most variable ones, never looking at labels."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core import config
from scanvi_core.arrays import Kind, open_array
from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.blocks.mapped import entries, let_go, parts_of
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes import how_chosen
from scanvi_core.data.genes.how_chosen import FLAVORS, SPANS
from scanvi_core.data.genes.seurat import SingularFit, most_variable
from scanvi_core.data.guard.child_process import free_memory_mb, run_child
from scanvi_core.data.normalization import TARGET_SUM, log_normalized
from scanvi_core.errors import DataDamaged, ProgramFault, ScanviError
from scanvi_core.runtime import replacing

MIN_DETECTED = 3  # a gene seen in fewer cells tells nothing
TIMEOUT_S = 1_800.0
logger = logging.getLogger(__name__)


def variable_genes(
    dataset_folder: Path | str,
    n_top: int,
    batch_key: str | None = None,
    rows: np.ndarray | None = None,
) -> np.ndarray:
    """Return the positions of the most variable genes, sorted.

    Genes seen in fewer than three cells are left out. When no more than `n_top` remain, all are
    taken. Otherwise ``seurat_v3`` (Stuart et al. 2019, 10.1016/j.cell.2019.05.031) ranks them
    within each batch, with a wider local fit where the published one is singular. It runs in a
    child process, because its fit of small or constant data can end a process; ``seurat`` on
    log-normalized counts follows, and plain variance last.
    The answer is kept in the data set's folder; `told_of_genes` says where another way was taken.

    Parameters
    ----------
    dataset_folder
        Folder of a :class:`~scanvi_core.data.dataset.Dataset`.
    n_top
        How many genes.
    batch_key
        Column of obs; batches of fewer than `config.MIN_BATCH_CELLS` cells are pooled.
    rows
        Cells to look at, bool [n_obs]; None: all. Donors that were set aside are not looked at.

    Raises
    ------
    ColumnMissing
        If there is no such column.
    """
    dataset = Dataset.open(dataset_folder)
    if rows is not None and rows.all():
        rows = None
    detected = detected_genes(dataset, rows)
    if len(detected) <= n_top:
        return detected
    if batch_key is not None and batch_key not in dataset.manifest["obs_columns"]:
        dataset.values(batch_key)  # says what there is
    cache = _cache_path(dataset.folder, n_top, batch_key, rows)
    if cache.exists():
        try:
            return open_array(cache, Kind(("int64",), (None,), 0, dataset.n_vars - 1))
        except DataDamaged as error:
            logger.warning("They are chosen anew: %s", error)
    request: dict[str, Any] = {"folder": str(dataset.folder), "n_top": n_top, "rows": None}
    if rows is not None:
        request["rows"] = str(cache.with_name(f"rows_of_{cache.name}"))
        _save(Path(request["rows"]), rows)
    found, said = _ask(request | {"batch_key": batch_key})
    positions = np.array(found, dtype=np.int64)
    how_chosen.keep(cache, said)
    _save(cache, positions)
    return positions


def told_of_genes(
    dataset_folder: Path | str,
    n_top: int,
    batch_key: str | None = None,
    rows: np.ndarray | None = None,
) -> str:
    """Say what `variable_genes` had to do otherwise than published; empty where nothing.

    Nothing is chosen for it: where that was not done yet, there is nothing to say.
    """
    rows = None if rows is None or rows.all() else rows
    return how_chosen.read(_cache_path(Path(dataset_folder), n_top, batch_key, rows))


def remember(
    dataset_folder: Path, n_top: int, batch_key: str | None, positions: np.ndarray
) -> None:
    """Keep an answer that was computed elsewhere, where `variable_genes` of all cells finds it."""
    _save(_cache_path(dataset_folder, n_top, batch_key, None), np.sort(positions).astype(np.int64))


def _cache_path(folder: Path, n_top: int, batch_key: str | None, rows: np.ndarray | None) -> Path:
    chosen = b"" if rows is None else np.packbits(rows).tobytes()
    key = hashlib.sha256(f"{n_top}\0{batch_key}\0".encode() + chosen).hexdigest()[:16]
    return folder / f"variable_genes_{key}.npy"


def _save(path: Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)


def detected_genes(dataset: Dataset, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the genes seen in at least three cells; all genes when those would be too few."""
    by_gene = dataset.counts_by_gene
    n_cells = np.diff(by_gene.indptr)
    if rows is not None:
        for start, stop in row_blocks(by_gene.indptr):
            starts = by_gene.indptr[start : stop + 1]
            _, cells = entries(by_gene, start, stop)
            before = np.append(0, np.cumsum(rows[cells]))
            n_cells[start:stop] = np.diff(before[starts - starts[0]])
            let_go(*parts_of(by_gene))
    detected = np.flatnonzero(n_cells >= MIN_DETECTED)
    return detected if len(detected) >= config.MIN_GENES else np.arange(dataset.n_vars)


def choose_genes(request: dict[str, Any]) -> dict[str, Any]:
    """Rank the genes of a data set with one method. Runs in the child process.

    Parameters
    ----------
    request
        ``folder``, ``n_top``, ``batch_key``, ``flavor``, and ``rows``: a file with the cells to
        look at, or None.

    Returns
    -------
    dict
        ``genes``: sorted positions, `n_top` of them; ``span``: the share of the genes in each
        local fit, None where there is no such fit.
    """
    dataset, flavor, n_top = Dataset.open(request["folder"]), request["flavor"], request["n_top"]
    rows = None if request["rows"] is None else np.load(request["rows"], allow_pickle=False)
    detected = detected_genes(dataset, rows)
    full = np.flatnonzero(dataset.totals > 0 if rows is None else rows & (dataset.totals > 0))
    batch_key = request["batch_key"]
    pooled = None if batch_key is None else pool_batches(dataset.values(batch_key).iloc[full])
    batches = np.zeros(full.size, dtype=np.int64) if pooled is None else pooled
    span = None
    if flavor == "seurat_v3":
        chosen, span = _rank_with_wider_span(dataset, detected, (full, batches), n_top)
    elif flavor == "seurat":
        chosen = _by_scanpy(dataset.counts[full][:, detected], batches, n_top)
    else:
        counts = dataset.counts[full][:, detected]
        chosen = np.argsort(-_log_variance(counts, dataset.totals[full]), kind="stable")[:n_top]
    return {"genes": [int(position) for position in np.sort(detected[chosen])], "span": span}


def pool_batches(column: pd.Series) -> np.ndarray | None:
    """Return batch codes in which every batch has enough cells to be ranked by itself.

    Small batches and cells without a batch are put together; if those are still too few, they
    join the smallest large batch. None when one batch is left.
    """
    codes, _ = pd.factorize(column.astype(object))
    codes = np.where(codes < 0, codes.max() + 1, codes)
    sizes = np.bincount(codes)
    small = sizes[codes] < config.MIN_BATCH_CELLS
    large = np.flatnonzero(sizes >= config.MIN_BATCH_CELLS)
    if not large.size:
        return None
    enough = np.count_nonzero(small) >= config.MIN_BATCH_CELLS
    codes = np.where(small, sizes.size if enough else large[np.argmin(sizes[large])], codes)
    return codes if np.unique(codes).size > 1 else None


def _ask(request: dict[str, Any]) -> tuple[list[int], str]:
    """Return the genes, and what is to be said of how they were chosen."""
    request |= {"task": "genes", "memory_mb": free_memory_mb(), "timeout_s": TIMEOUT_S}
    for flavor in FLAVORS[:-1]:
        try:
            found = run_child({**request, "flavor": flavor})
            return found["genes"], how_chosen.sentence(flavor, found["span"])
        except (DataDamaged, ProgramFault):
            raise
        except ScanviError as error:
            logger.warning("Variable genes by %s did not work", flavor, exc_info=error)
    found = run_child({**request, "flavor": FLAVORS[-1]})
    return found["genes"], how_chosen.sentence(FLAVORS[-1], None)


def _rank_with_wider_span(
    dataset: Dataset, genes: np.ndarray, cells: tuple[np.ndarray, np.ndarray], n_top: int
) -> tuple[np.ndarray, float]:
    """Rank by seurat_v3; where its fit is singular (few cells, equal means), fit more widely.

    Returns the genes and the span of the fit that worked.
    """
    rows, batches = cells
    batch = np.full(dataset.n_obs, -1, dtype=np.int64)
    batch[rows] = np.unique(batches, return_inverse=True)[1]
    for span in SPANS[:-1]:
        try:
            return most_variable(dataset.counts_by_gene, genes, batch, n_top, span), span
        except SingularFit:
            logger.info("seurat_v3 has no solution with span %s: a wider one is tried.", span)
    return most_variable(dataset.counts_by_gene, genes, batch, n_top, SPANS[-1]), SPANS[-1]


def _by_scanpy(counts: sp.csr_matrix, batches: np.ndarray, n_top: int) -> np.ndarray:
    import anndata
    import scanpy

    obs = pd.DataFrame({"batch": pd.Categorical(batches.astype(str))})
    adata = anndata.AnnData(counts, obs=obs.set_axis([str(at) for at in obs.index]))
    scanpy.pp.normalize_total(adata, target_sum=TARGET_SUM)
    scanpy.pp.log1p(adata)
    key = "batch" if obs["batch"].nunique() > 1 else None
    scanpy.pp.highly_variable_genes(adata, n_top_genes=n_top, flavor="seurat", batch_key=key)
    return np.flatnonzero(adata.var["highly_variable"].to_numpy())


def _log_variance(counts: sp.csr_matrix, totals: np.ndarray) -> np.ndarray:
    """Return the variance of log1p of counts per 10,000, per gene."""
    logs = log_normalized(counts, totals).astype(np.float64)
    mean = np.asarray(logs.mean(axis=0)).ravel()
    return np.asarray(logs.power(2).mean(axis=0)).ravel() - mean**2
