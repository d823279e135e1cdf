"""Kang et al. 2018: control cells as the reference, interferon-stimulated ones as the query."""

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.query import map_query
from scanvi_core.config import ModelConfig, TrainConfig
from tests import SHARED

FILE = SHARED / "data" / "kang_ifnb_2800.h5ad"
pytestmark = [
    pytest.mark.skipif(not FILE.exists(), reason="needs ../shared/data"),
    pytest.mark.slow,
]
N_GENES = 800


@pytest.fixture(scope="module")
def blood():
    torch.set_num_threads(1)
    return pytest.importorskip("anndata").read_h5ad(FILE)


@pytest.fixture(scope="module")
def control(blood):
    return (blood.obs["batch"] == "CTRL").to_numpy()


@pytest.fixture(scope="module")
def types(blood):
    return blood.obs["cell_type"].astype(str).to_numpy()


@pytest.fixture(scope="module")
def reference(blood, control, types):
    """Trained for a few passes on the control cells, with the most variable genes among them."""
    own = sparse.csr_array(blood.X[control])
    logs = own.copy()
    logs.data = np.log1p(logs.data)
    variance = logs.power(2).mean(axis=0) - logs.mean(axis=0) ** 2
    chosen = np.union1d(np.argsort(-variance)[:N_GENES], blood.var_names.get_indexer(["CD79A"]))
    names, codes = np.unique(types[control], return_inverse=True)
    cells = Inputs(
        own[:, chosen], tuple(blood.var_names[chosen]), codes, tuple(names),
        np.zeros(len(codes), dtype=np.int64), ("CTRL",),
    )  # fmt: skip
    return Annotator.fit(cells, ModelConfig(), TrainConfig(max_epochs=15, device="cpu"))


@pytest.fixture(scope="module")
def mapped(reference, blood, control):
    query = ~control
    batches = blood.obs["batch"].astype(str).to_numpy()[query]
    return map_query(reference, sparse.csr_array(blood.X[query]), blood.var_names, batches)


def test_stimulated_cells_are_named_by_what_control_cells_taught(
    mapped, reference, blood, control, types
):
    counts = sparse.csr_array(blood.X[~control])
    found = mapped.predict(counts, blood.var_names)
    assert (found.probabilities.argmax(1) == _codes(mapped, types[~control])).mean() > 0.8
    before = reference.predict(counts, blood.var_names)
    assert found.probabilities.tobytes() == before.probabilities.tobytes()


def test_the_mapping_explains_the_stimulated_cells(mapped, blood, control):
    counts = mapped.align(sparse.csr_array(blood.X[~control]), blood.var_names)
    dense = counts.toarray()
    observed = (dense / dense.sum(1, keepdims=True)).mean(0) + 1e-5
    control_like, own = (
        mapped.get_normalized_expression(counts, transform_batch=[name]).mean(0) + 1e-5
        for name in ("CTRL", "STIM")
    )
    error, before = (np.abs(np.log2(found / observed)).mean() for found in (own, control_like))
    assert error < 0.9 * before
    ratio = dict(zip(mapped.genes, np.log2(own / control_like), strict=True))
    assert ratio["ISG15"] > 0.4  # interferon's work, as far as frozen heads can show it


def test_known_markers_tell_b_cells_from_monocytes(mapped, blood, types):
    batches = blood.obs["batch"].astype(str).to_numpy()
    groups = (types == "B", types == "CD14 Mono")
    table = mapped.differential_expression(
        sparse.csr_array(blood.X), groups, blood.var_names, batches=batches
    )
    assert table.loc["CD79A", "different"] and table.loc["CD79A", "lfc_mean"] > 1
    for gene in ("S100A8", "FCN1", "TYROBP"):
        assert table.loc[gene, "different"] and table.loc[gene, "lfc_mean"] < -1


def _codes(model, names):
    order = {name: code for code, name in enumerate(model.label_names)}
    return np.array([order.get(name, -1) for name in names])
