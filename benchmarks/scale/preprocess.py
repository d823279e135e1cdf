"""Quality, variable genes by batch and components: in memory with scanpy, and on Dask.

``python -m benchmarks.scale.preprocess`` writes an .h5ad of 200,000 simulated cells and 5,000
genes, runs every way in processes of its own, and holds the chosen genes and the components
against each other. The last rows time the variable genes of scanpy's ``seurat`` flavour by batch,
in memory and on Dask, of a tenth as many cells, their batches mixed (scverse/scanpy#3736).
``--scale 0.1`` takes a tenth of all.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.results_file import Cell, Result, write
from benchmarks.watched import measured, tell

N_OBS, N_VARS, N_BATCHES, N_TYPES = 200_000, 5_000, 8, 12
N_TOP, N_COMPS, DEPTH = 2_000, 50, 700.0
BLOCK = 2_000
WAYS = {
    "memory": "scanpy in memory",
    "dask 1": "on Dask, 1 worker",
    "dask 2": "on Dask, 2 workers",
    "seurat memory": "`seurat` by batch, in memory",
    "seurat dask": "`seurat` by batch, scanpy on Dask",
}
COLUMNS = ("way", "seconds", "of the processor", "anonymous, MB")


def make(path: Path, n_obs: int, *, mixed: bool = False) -> None:
    """Write counts of gamma-Poisson genes; batches lie together, as donors do, or mixed."""
    import anndata
    import pandas as pd

    random = np.random.default_rng(0)
    rates = random.lognormal(0, 2, N_VARS) * random.lognormal(0, 0.7, (N_TYPES, N_VARS))
    rates *= DEPTH / rates.sum(axis=1, keepdims=True)
    shifts = random.lognormal(0, 0.2, (N_BATCHES, N_VARS))
    batch = random.integers(0, N_BATCHES, n_obs)
    batch = batch if mixed else np.sort(batch)
    blocks = []
    for start in range(0, n_obs, BLOCK):
        here = batch[start : start + BLOCK]
        own = rates[random.integers(0, N_TYPES, len(here))] * shifts[here]
        blocks.append(sp.csr_matrix(random.poisson(own).astype(np.float32)))
    names = pd.Categorical.from_codes(batch, [f"donor {k}" for k in range(N_BATCHES)])
    obs = pd.DataFrame({"batch": names}, index=[f"cell {i}" for i in range(n_obs)])
    var = pd.DataFrame(index=[f"MT-{i}" if i < 13 else f"GENE{i}" for i in range(N_VARS)])
    anndata.AnnData(sp.vstack(blocks, format="csr"), obs, var).write_h5ad(path)


def in_memory(path: Path, out: Path) -> None:
    """Do with scanpy in memory what `on_dask` does."""
    import anndata
    import scanpy

    adata = anndata.read_h5ad(path)
    adata.var["mt"] = adata.var_names.str.startswith("MT-")
    scanpy.pp.calculate_qc_metrics(
        adata, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True
    )
    seen = np.flatnonzero(adata.var["n_cells_by_counts"] >= 3)  # of others nobody can tell much
    some = adata if len(seen) == adata.n_vars else adata[:, seen].copy()
    ranked = scanpy.pp.highly_variable_genes(
        some, n_top_genes=N_TOP, flavor="seurat_v3", batch_key="batch", inplace=False
    )
    chosen = np.zeros(adata.n_vars, dtype=bool)
    chosen[seen] = ranked["highly_variable"]
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    scanpy.pp.pca(adata, n_comps=N_COMPS, mask_var=chosen)
    _keep(out, chosen, adata.obsm["X_pca"])


def on_dask(path: Path, out: Path, n_workers: int) -> None:
    """Run the command."""
    import pandas as pd

    from scanvi_core.services.atlas.preprocess import PreprocessRequest, Workers, preprocess

    request = PreprocessRequest((path,), out / "out", "batch", None, N_TOP, N_COMPS)
    preprocess(request, Workers(n_workers), tell)
    genes = pd.read_parquet(out / "out" / "genes.parquet")
    _keep(out, genes["highly_variable"].to_numpy(), np.load(out / "out" / "pca.npy"))


def seurat(path: Path, *, lazily: bool) -> float:
    """Return the seconds scanpy takes for its `seurat` genes by batch, without any import."""
    import anndata
    import h5py
    import scanpy
    from anndata.experimental import read_elem_lazy

    adata = anndata.read_h5ad(path)
    if lazily:
        with h5py.File(path) as file:
            adata.X = read_elem_lazy(file["X"], chunks=(BLOCK, -1))
    began = time.monotonic()
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    scanpy.pp.highly_variable_genes(adata, n_top_genes=N_TOP, flavor="seurat", batch_key="batch")
    return time.monotonic() - began


def _keep(out: Path, chosen: np.ndarray, pca: np.ndarray) -> None:
    np.savez(out / "found.npz", chosen=chosen, pca=pca)


def work(way: str, folder: Path) -> None:
    """Do one thing; the child's part."""
    out = folder / way.replace(" ", "_")
    out.mkdir(exist_ok=True)
    kind, _, more = way.partition(" ")
    if kind == "seurat":
        seconds = seurat(folder / "few.h5ad", lazily=more == "dask")
        (out / "seconds").write_text(str(seconds))
    elif kind == "dask":
        on_dask(folder / "cells.h5ad", out, int(more))
    else:
        in_memory(folder / "cells.h5ad", out)


def measure(way: str, folder: Path) -> list[Cell]:
    """Run one way in a process of its own; return its row.

    Raises
    ------
    RuntimeError
        If it failed.
    """
    sys.stdout.write(f"{way}\n")
    took = measured("benchmarks.scale.preprocess", ["--way", way, "--folder", str(folder)])
    own = folder / way.replace(" ", "_") / "seconds"
    seconds = float(own.read_text()) if own.exists() else took.seconds
    row: list[Cell] = [WAYS[way], round(seconds, 1), round(took.processor_s, 1)]
    row.append(round(took.anonymous_mb))
    sys.stdout.write(f"  {row}\n")
    return row


def compare(folder: Path) -> list[str]:
    """Say whether genes and components are those found in memory."""
    from scipy.linalg import subspace_angles

    expected = np.load(folder / "memory" / "found.npz")
    said = []
    for way in ("dask_1", "dask_2"):
        found = np.load(folder / way / "found.npz")
        same = int(np.count_nonzero(found["chosen"] & expected["chosen"]))
        n_clear = N_TYPES + N_BATCHES - 2  # the rest is noise, where close values may swap
        angle = float(subspace_angles(found["pca"][:, :n_clear], expected["pca"][:, :n_clear])[0])
        said.append(
            f"{WAYS[way.replace('_', ' ')]}: {same:,} of {int(expected['chosen'].sum()):,} genes "
            f"are those in memory; the space of the first {n_clear} components is turned by at "
            f"most {angle:.0e} rad."
        )
    return said


def main() -> None:
    """Measure all ways and write the table; or, as a child, do one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--way", choices=WAYS)
    asked = parser.parse_args()
    if asked.way:
        work(asked.way, asked.folder)
        return
    n_obs = round(N_OBS * asked.scale)
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="scanvi-preprocess-") as name:
        folder = Path(name)
        make(folder / "cells.h5ad", n_obs)
        make(folder / "few.h5ad", n_obs // 10, mixed=True)
        rows = [measure(way, folder) for way in WAYS]
        notes = compare(folder)
    ratios = {
        "2 workers take {} of the time of 1.": (2, 1),
        "scanpy's own `seurat` by batch takes {} times as long on Dask as in memory.": (4, 3),
    }
    notes += [
        words.format(f"{float(rows[a][1] or 0) / float(rows[b][1] or 1):.2g}")
        for words, (a, b) in ratios.items()
    ]
    command = "python -m benchmarks.scale.preprocess" + (
        f" --scale {asked.scale}" if asked.scale != 1 else ""
    )
    title = f"Preprocessing {n_obs:,} cells and {N_VARS:,} genes of {N_BATCHES} batches"
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else 0.0
    if load > (os.cpu_count() or 1) + 1:
        notes.append(f"Other programs ran meanwhile (load {load:.0f}): seconds say little.")
    more = {"cells": n_obs, "load": load}
    path = write("preprocess", Result(title, command, COLUMNS, rows, notes, more=more))
    sys.stdout.write(json.dumps(json.loads(path.read_text()), indent=1))


if __name__ == "__main__":
    main()
