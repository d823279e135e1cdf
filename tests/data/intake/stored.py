"""Small .h5ad files of counts, stored in every way."""

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

SHAPES = [(60, 80), (257, 61), (1_000, 70)]
STORED = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "dense": lambda found: found.toarray()}


def make(path, shape, stored="csr"):
    """Write counts with an empty cell at the end and an unused gene; return them."""
    random = np.random.default_rng(shape[0])
    found = random.poisson(0.6, shape).astype(np.float32)
    found[-1], found[:, 3] = 0, 0
    counts = sp.csr_matrix(found)
    obs = pd.DataFrame(index=[f"c{i}" for i in range(shape[0])])
    var = pd.DataFrame(index=[f"G{i}" for i in range(shape[1])])
    ad.AnnData(STORED[stored](counts), obs, var).write_h5ad(path)
    return counts
