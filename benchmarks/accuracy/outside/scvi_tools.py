"""scvi-tools' default SCANVI recipe, run by the interpreter it is installed for.

``PYTHON -P scvi_tools.py IN.npz OUT.npz``; `benchmarks.accuracy.bridge` says what the files hold.
SCVI is trained on all cells for the default number of epochs, SCANVI goes on from it with its own
default. The SCVI model, which no label has touched, is kept in the folder named by ``cache``, and
its seconds are added to those of every SCANVI that starts from it.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scvi
import torch
from scipy import sparse

UNKNOWN = "Unknown"


def clocks() -> np.ndarray:
    """Return seconds on the wall and seconds of computing."""
    return np.array([time.perf_counter(), time.process_time()])


def pretrained(
    adata: anndata.AnnData, has_batches: bool, folder: Path
) -> tuple[scvi.model.SCVI, np.ndarray]:
    """Return the SCVI model in `folder`, trained if it is not there, and its seconds."""
    record = folder / "seconds.json"
    if record.exists():
        return scvi.model.SCVI.load(folder, adata), np.array(json.loads(record.read_text()))
    start = clocks()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch" if has_batches else None)
    model = scvi.model.SCVI(adata)
    model.train(accelerator="cpu", enable_progress_bar=False)
    seconds = clocks() - start
    model.save(folder, overwrite=True)
    record.write_text(json.dumps(seconds.tolist()))
    return model, seconds


def main(source: str, target: str) -> None:
    """Answer the question in `source`."""
    given = np.load(source)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    scvi.settings.seed = int(given["seed"])
    counts = sparse.csr_matrix(
        (given["data"], given["indices"], given["indptr"]), shape=given["shape"]
    )
    y, batch = given["y"], given["batch"]
    obs = pd.DataFrame(
        {
            "label": np.where(y < 0, UNKNOWN, np.char.add("type", y.astype(str))),
            "batch": pd.Categorical(batch.astype(str)),
        },
        index=[str(i) for i in range(len(y))],
    )
    adata = anndata.AnnData(counts, obs=obs)
    folder = Path(str(given["cache"])) / f"scvi_{given['seed']}"
    model, before = pretrained(adata, batch.max() > 0, folder)
    start = clocks()
    scanvi = scvi.model.SCANVI.from_scvi_model(
        model, unlabeled_category=UNKNOWN, labels_key="label", adata=adata
    )
    scanvi.train(accelerator="cpu", enable_progress_bar=False)
    names = [f"type{code}" for code in range(y.max() + 1)]
    found = scanvi.predict(soft=True)[names].to_numpy(np.float32)
    seconds = before + clocks() - start
    np.savez(
        target,
        probabilities=found,
        seconds=seconds,
        versions=json.dumps({"scvi-tools": scvi.__version__, "torch": torch.__version__}),
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
