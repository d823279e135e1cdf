"""The built-in example, as a file and in memory, and a piece of it to bend."""

import anndata
import numpy as np
import pytest

from scanvi_core.annotation.layout import embedding


@pytest.fixture(scope="session")
def whole(example):
    return anndata.read_h5ad(example)


@pytest.fixture
def cells(whole):
    """200 cells of the example with 300 genes, to bend; about two in five are labeled."""
    return whole[:200, :300].copy()


@pytest.fixture
def flat_map(monkeypatch):
    """The first two coordinates in place of UMAP: the tests with it are not about the picture."""
    monkeypatch.setattr(
        embedding, "umap_of", lambda z, **_: np.ascontiguousarray(z[:, :2], dtype=np.float32)
    )
