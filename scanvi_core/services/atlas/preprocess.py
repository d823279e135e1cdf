"""Quality, variable genes and components of data larger than memory, by scanpy on Dask."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scanvi_core import ending
from scanvi_core.config import TrainConfig
from scanvi_core.errors import ExportError, SettingInvalid, reason_of
from scanvi_core.runtime import Report, replacing, worker_threads
from scanvi_core.services.atlas.cluster import NEED_DASK, check_workers, cluster
from scanvi_core.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from scanvi_core.data.out_of_core.arrays import Lazy
    from scanvi_core.data.out_of_core.passes import Measurements
    from scanvi_core.data.qc.metrics import Quality

CELLS, GENES, COMPONENTS = "cells.parquet", "genes.parquet", "pca.npy"
SUMMARY = "preprocess.json"  # written last: a folder without it is not complete
N_COMPS = 50
BLOCKS_PER_WORKER = 4  # in memory at a time while components are computed and written
LIBRARIES = ("scanpy", "anndata", "dask", "numpy", "scipy")


@dataclass(frozen=True, slots=True)
class PreprocessRequest:
    """What to read, where to write, and what to choose.

    Attributes
    ----------
    sources
        See :func:`scanvi_core.data.out_of_core.arrays.open_lazy`.
    folder
        Where the results go; all workers have to see it.
    batch_key
        Column of obs within which genes are ranked.
    matrix
        The matrix with the counts; None finds it.
    n_top_genes, n_comps
        How many genes to choose, and how many components to compute.
    """

    sources: tuple[Path, ...]
    folder: Path
    batch_key: str | None = None
    matrix: str | None = None
    n_top_genes: int = TrainConfig().n_top_genes
    n_comps: int = N_COMPS

    def __post_init__(self) -> None:
        TrainConfig(n_top_genes=self.n_top_genes)  # has to be what a training may ask for


@dataclass(frozen=True, slots=True)
class Workers:
    """Who computes: `n` threads here, or the Dask cluster whose scheduler has this address."""

    n: int = field(default_factory=worker_threads)
    scheduler: str | None = None


def preprocess(
    request: PreprocessRequest,
    workers: Workers,
    report: Callable[[float, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Measure cells, choose variable genes, compute components; write all into a folder.

    The genes chosen for a project's data set are also kept there: its trainings take them.

    ``cells.parquet`` holds ``total_counts``, ``n_genes_by_counts`` and ``pct_counts_mt`` of every
    cell (missing where no gene is mitochondrial by its name), ``genes.parquet`` which genes were
    chosen and how they rank, ``pca.npy`` the components (float32 [cells, n_comps], to be
    memory-mapped), ``preprocess.json`` what was done.

    Returns
    -------
    dict
        The content of ``preprocess.json``.

    Raises
    ------
    InputError
        If a file or a setting cannot be used; see :mod:`scanvi_core.errors`.
    ExportError
        If the folder cannot be written.
    """
    began = time.monotonic()
    # in full: workers run in folders of their own
    sources = tuple(path.absolute() for path in request.sources)
    request = replace(request, sources=sources, folder=request.folder.absolute())
    try:
        with _computing(workers, report) as n, _folder(request.folder):
            if workers.scheduler is not None:
                check_workers([path for path in sources if path.exists()], request.folder)
            summary = _work(request, n, report)
            summary["seconds"] = round(time.monotonic() - began, 1)
            text = json.dumps(summary, indent=1, ensure_ascii=False)
            (request.folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"The results could not be written: {reason_of(error)}.",
            f"Check the free space and the permissions of {request.folder}.",
        ) from error
    return summary


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder, and take it away again where nothing came of it; one that was there stays."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with ending.unfinished(made[-1]) if made else nullcontext():
        try:
            yield
        except BaseException:
            if made:
                shutil.rmtree(made[-1], ignore_errors=True)
            raise


def _work(
    request: PreprocessRequest, n_workers: int, report: Callable[[float, str], None]
) -> dict[str, Any]:
    from scanvi_core.data.normalization import TARGET_SUM
    from scanvi_core.data.out_of_core import passes
    from scanvi_core.data.out_of_core.arrays import open_lazy

    report(0.0, "Opening")
    lazy = open_lazy(request.sources, request.matrix)
    counts = lazy.counts
    batch = None if request.batch_key is None else lazy.column(request.batch_key)
    (request.folder / SUMMARY).unlink(missing_ok=True)
    report(0.02, "Measuring cells")
    measured = passes.measure(counts, lazy.symbols, lazy.var_names)
    _write_cells(lazy, measured.quality, request.folder / CELLS)
    report(0.25, "Choosing variable genes")
    genes = _choose_genes(request, lazy, measured, batch)
    report(0.6, "Computing components")
    n_comps = min(request.n_comps, len(genes), counts.shape[0] - 1)
    at_once = n_workers * BLOCKS_PER_WORKER
    pca, shares = passes.components(counts, genes, n_comps, at_once)
    report(0.8, "Writing components")
    passes.write_blocks(pca, request.folder / COMPONENTS, at_once)
    return {
        **_about_data(lazy, measured.quality),
        "batch_key": request.batch_key,
        "n_batches_ranked": _n_batches(measured.quality.totals, batch),
        "n_genes_chosen": len(genes),
        "n_comps": n_comps,
        "variance_ratio": [round(float(share), 6) for share in shares],
        "target_sum": TARGET_SUM,
        "versions": {"scanvi": __version__, **{name: version(name) for name in LIBRARIES}},
    }


def _choose_genes(
    request: PreprocessRequest, lazy: "Lazy", measured: "Measurements", batch: "pd.Series | None"
) -> np.ndarray:
    """Return the positions of the variable genes, once they are written and remembered."""
    from scanvi_core.data.dataset import MANIFEST
    from scanvi_core.data.genes.choose import remember
    from scanvi_core.data.out_of_core.genes import variable_table

    table = variable_table(lazy.counts, measured, batch, request.n_top_genes, request.folder)
    genes = np.flatnonzero(table["highly_variable"])
    table.set_axis(lazy.var_names, axis=0).to_parquet(request.folder / GENES)
    if len(request.sources) == 1 and (request.sources[0] / MANIFEST).is_file():
        remember(request.sources[0], request.n_top_genes, request.batch_key, genes)
    return genes


def _about_data(lazy: "Lazy", quality: "Quality") -> dict[str, Any]:
    """Return what the summary says about the data."""
    return {
        "sources": [str(part.path) for part in lazy.parts],
        "matrix": sorted({part.matrix for part in lazy.parts}),
        "n_obs": lazy.counts.shape[0],
        "n_vars": lazy.counts.shape[1],
        "n_mt_genes": quality.n_mt_genes,
        "n_empty_cells": int(np.count_nonzero(quality.totals == 0)),
    }


def _n_batches(totals: np.ndarray, batch: "pd.Series | None") -> int:
    """Return within how many batches genes were ranked."""
    from scanvi_core.data.out_of_core.genes import batch_codes

    return int(batch_codes(totals, batch).max()) + 1


def _write_cells(lazy: "Lazy", quality: "Quality", path: Path) -> None:
    """Write the numbers per cell, one part after the other: names take much memory."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    first, columns = 0, ("totals", "n_genes", "pct_mt")
    with replacing(path) as temporary:
        writer: Any = None
        for part in lazy.parts:
            here = slice(first, first := first + part.n_obs)
            frame = pd.DataFrame(
                {name: getattr(quality, name)[here] for name in columns},
                index=pd.Index(part.obs_names(), dtype=object, name="cell"),
            ).set_axis(["total_counts", "n_genes_by_counts", "pct_counts_mt"], axis=1)
            if quality.n_mt_genes == 0:  # nobody could tell
                frame["pct_counts_mt"] = np.nan
            rows = pa.Table.from_pandas(frame)
            writer = writer or pq.ParquetWriter(temporary, rows.schema)
            writer.write_table(rows)
        writer.close()


@contextmanager
def _computing(workers: Workers, report: Report) -> Iterator[int]:
    """Let Dask compute in threads here, or on a cluster; yield how many blocks at once.

    Threads, not processes: nearly all of the work is in libraries that let other threads run, and
    the covariances of the blocks (32 MB each for 2,000 genes) need not be copied.
    """
    try:
        import dask
    except ImportError as error:
        raise SettingInvalid("Dask is not installed.", NEED_DASK) from error
    if workers.n < 1:
        raise SettingInvalid(f"{workers.n} workers cannot work.", "Take 1 or more.")
    if workers.scheduler is not None:
        with cluster(workers.scheduler, report) as n:
            yield n
        return
    with dask.config.set(scheduler="threads", num_workers=workers.n):
        yield workers.n
