"""The counts that every written file holds."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tests.data.formats.reading import CELLS, GENES, IDS, N_CELLS, N_GENES, TYPES


@pytest.fixture(scope="session")
def truth():
    """Counts [cells, genes] that every written file holds."""
    return sp.csr_matrix(np.random.default_rng(0).poisson(0.7, (N_CELLS, N_GENES)))


@pytest.fixture(scope="session")
def cells(truth):
    """The same as AnnData, with labels and a layer."""
    obs = pd.DataFrame({"cell_type": pd.Categorical(TYPES)}, index=CELLS)
    var = pd.DataFrame({"gene_ids": IDS}, index=GENES)
    adata = anndata.AnnData(truth.astype(np.float32), obs=obs, var=var)
    adata.layers["twice"] = adata.X * 2
    adata.obsm["X_pca"] = np.arange(N_CELLS * 2, dtype=np.float32).reshape(-1, 2)
    return adata
