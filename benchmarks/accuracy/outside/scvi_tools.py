"""scvi-tools' default SCANVI recipe, run by the interpreter it is installed for.

``PYTHON -P scvi_tools.py IN.npz OUT.npz``; `benchmarks.accuracy.bridge` says what the files hold.
SCVI is trained on all cells for the default number of epochs, SCANVI goes on from it with its own
default. The SCVI model, which no label has touched, is kept in the folder named by ``cache``, and
its seconds are added to those of every SCANVI that starts from it. Where the question names a
file as ``path``, reading it and choosing genes are done here and timed, and nothing is kept.
"""

import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import scanpy
import scvi
import torch
from scipy import sparse

UNKNOWN, N_GENES = "Unknown", 2_000


def clocks() -> np.ndarray:
    """Return seconds on the wall and seconds of computing."""
    return np.array([time.perf_counter(), time.process_time()])


def cells(given: Any, labels: np.ndarray, batch: np.ndarray) -> anndata.AnnData:
    """Return the cells, from the file of the question or from its counts."""
    obs = {"label": labels, "batch": pd.Categorical(batch.astype(str))}
    if "path" not in given:
        counts = sparse.csr_matrix(
            (given["data"], given["indices"], given["indptr"]), shape=given["shape"]
        )
        names = [str(i) for i in range(len(labels))]
        return anndata.AnnData(counts, obs=pd.DataFrame(obs, index=names))
    adata = anndata.read_h5ad(str(given["path"]))
    adata.obs = pd.DataFrame(obs, index=adata.obs_names)
    if adata.n_vars <= N_GENES:
        return adata
    key = "batch" if batch.max() > 0 else None
    scanpy.pp.highly_variable_genes(adata, n_top_genes=N_GENES, flavor="seurat_v3", batch_key=key)
    return adata[:, adata.var["highly_variable"]].copy()


def pretrained(
    adata: anndata.AnnData, has_batches: bool, folder: Path | None
) -> tuple[scvi.model.SCVI, np.ndarray]:
    """Return the SCVI model in `folder`, trained if it is not there, and its seconds."""
    record = folder / "seconds.json" if folder else None
    if folder and record and record.exists():
        return scvi.model.SCVI.load(folder, adata), np.array(json.loads(record.read_text()))
    start = clocks()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch" if has_batches else None)
    model = scvi.model.SCVI(adata)
    model.train(accelerator="cpu", enable_progress_bar=False)
    seconds = clocks() - start
    if folder and record:
        model.save(folder, overwrite=True)
        record.write_text(json.dumps(seconds.tolist()))
    return model, seconds


def main(source: str, target: str) -> None:
    """Answer the question in `source`."""
    given = np.load(source)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    scvi.settings.seed = int(given["seed"])
    y, batch = given["y"], given["batch"]
    labels = np.where(y < 0, UNKNOWN, np.char.add("type", y.astype(str)))
    start = clocks()
    adata = cells(given, labels, batch)
    reading = clocks() - start
    folder = Path(str(given["cache"])) / f"scvi_{given['seed']}" if "path" not in given else None
    model, before = pretrained(adata, batch.max() > 0, folder)
    start = clocks()
    scanvi = scvi.model.SCANVI.from_scvi_model(
        model, unlabeled_category=UNKNOWN, labels_key="label", adata=adata
    )
    scanvi.train(accelerator="cpu", enable_progress_bar=False)
    names = [f"type{code}" for code in range(y.max() + 1)]
    found = scanvi.predict(soft=True)[names].to_numpy(np.float32)
    seconds = reading + before + clocks() - start
    np.savez(
        target,
        probabilities=found,
        seconds=seconds,
        versions=json.dumps({"scvi-tools": scvi.__version__, "torch": torch.__version__}),
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
