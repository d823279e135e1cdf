"""CellTypist trained on the labels it is shown, run by the interpreter it is installed for.

``PYTHON -P celltypist.py IN.npz OUT.npz``; `benchmarks.accuracy.bridge` says what the files hold.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import anndata
import celltypist
import numpy as np
import pandas as pd
import scanpy
from scipy import sparse


def main(source: str, target: str) -> None:
    """Answer the question in `source`."""
    given = np.load(source)
    start = np.array([time.perf_counter(), time.process_time()])
    counts = sparse.csr_matrix(
        (given["data"], given["indices"], given["indptr"]), shape=given["shape"]
    )
    cells = anndata.AnnData(
        counts,
        obs=pd.DataFrame(index=[f"c{i}" for i in range(counts.shape[0])]),
        var=pd.DataFrame(index=[f"g{i}" for i in range(counts.shape[1])]),
    )
    scanpy.pp.normalize_total(cells, target_sum=1e4)
    scanpy.pp.log1p(cells)
    y = given["y"]
    names = np.array([f"type{code}" for code in range(y.max() + 1)])
    labeled = cells[y >= 0].copy()
    model = celltypist.train(labeled, labels=names[y[y >= 0]], use_SGD=False, n_jobs=1)
    found = celltypist.annotate(cells, model=model).probability_matrix[names]
    seconds = np.array([time.perf_counter(), time.process_time()]) - start
    np.savez(
        target,
        probabilities=found.to_numpy(np.float32),
        seconds=seconds,
        versions=json.dumps({name: version(name) for name in ("celltypist", "scikit-learn")}),
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
