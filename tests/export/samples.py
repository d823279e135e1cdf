"""A data set with every kind of part, what a run would add to it, and how parts are compared."""

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core import keys
from scanvi_core.export.request import ExportRequest, SourceFile

N_OBS, N_VARS = 60, 30


def small(matrix=sp.csr_matrix, *, seed=0):
    """A data set with every kind of column and part that users bring."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.7, (N_OBS, N_VARS)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "cell type/é": pd.Categorical(rng.choice(["B", "T ", "NK"], N_OBS)),
            "words": rng.choice(["x", "=1+1", ""], N_OBS).astype(object),
            "nullable": pd.array([None, 1, 2] * (N_OBS // 3), dtype="Int64"),
            "flag": pd.array([None, True, False] * (N_OBS // 3), dtype="boolean"),
            "number": rng.normal(size=N_OBS),
        },
        index=[f"cell{i}" for i in range(N_OBS)],
    ).rename(columns={"cell type/é": "cell type é"})
    obs.loc[obs.index[:5], "cell type é"] = np.nan
    data = ad.AnnData(matrix(counts), obs=obs)
    data.raw = data.copy()
    data.layers["scaled"] = rng.normal(size=data.shape)
    data.obsm["X_umap"] = rng.normal(size=(N_OBS, 2))
    data.obsp["graph"] = sp.eye(N_OBS, format="csr")
    data.uns["colors"] = np.array(["#fff", "#000"], dtype=object)
    return data


def results(n_obs, *, replace=False, seed=1):
    """What one training run would write for `n_obs` cells."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(n_obs)
    confidence[:2] = np.nan
    return {
        "obs": {
            keys.CURATED: (rng.integers(-1, 3, n_obs), ["B cell", "-CD3 T", "Ünï/=1"]),
            keys.CONFIDENCE: confidence,
            keys.HOLDOUT: rng.random(n_obs) < 0.2,
            "scanvi_reason": np.array(["ok", "novel"])[rng.integers(0, 2, n_obs)],
        },
        "obsm": {keys.LATENT_Z1: rng.normal(size=(n_obs, 4)).astype(np.float32)},
        "uns": {keys.UNS_RECORD: '{"a": 1}', keys.UNS_LOG: ['{"seq": 1}', '{"seq": 2}']},
        "replace": replace,
    }


def source_file(path):
    """Describe a file as it is now."""
    status = path.stat()
    return SourceFile(path, status.st_size, status.st_mtime_ns)


def request_for(source, target, n_obs=N_OBS, **changes):
    return ExportRequest(source_file(source), target, **(results(n_obs) | changes))


def saved(tmp_path, data, name="mine.h5ad"):
    path = tmp_path / name
    data.write_h5ad(path)
    return path


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def assert_user_parts_equal(before, after):
    pd.testing.assert_frame_equal(after.obs[before.obs.columns], before.obs)
    pd.testing.assert_frame_equal(after.var, before.var)
    for name in ("layers", "obsm", "obsp", "varm", "varp"):
        for key, value in getattr(before, name).items():
            assert_matrix_equal(getattr(after, name)[key], value)
    assert_matrix_equal(after.X, before.X)
    assert (before.raw is None) == (after.raw is None)
    if before.raw is not None:
        assert_matrix_equal(after.raw.X, before.raw.X)


def assert_matrix_equal(a, b):
    assert type(a) is type(b)
    if sp.issparse(b):
        assert a.format == b.format
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    elif isinstance(b, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    else:
        np.testing.assert_array_equal(a, b)
