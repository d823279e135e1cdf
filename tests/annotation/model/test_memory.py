"""From files to predictions no dense copy of the counts is made, nor a second sparse one."""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.annotation.model import linear_models
from scanvi_core.annotation.model.align import select_columns
from scanvi_core.annotation.model.annotator import Annotator, warm_up
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.network import training_data
from scanvi_core.annotation.model.prediction import Predictions
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.blocks import rows
from scanvi_core.data.blocks.columns import row_blocks
from scanvi_core.data.dataset import Dataset, write_dataset
from scanvi_core.data.genes.choose import detected_genes
from scanvi_core.data.genes.seurat import most_variable
from scanvi_core.data.qc.metrics import Meter
from scanvi_core.train.history import Hooks

N, GENES, CHOSEN = 20_000, 500, 400
DENSE = 4 * N * CHOSEN  # bytes of a dense copy


@pytest.fixture(scope="module")
def y():
    return np.where(np.arange(N) % 5 == 0, np.arange(N) // 5 % 2, -1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    counts = sp.random(N, GENES, 0.05, format="csr", dtype=np.float32, random_state=0)
    counts.data = np.ceil(5 * counts.data)
    counts.sort_indices()
    var = pd.DataFrame(index=[f"G{i}" for i in range(GENES)])
    obs = pd.DataFrame(index=[f"c{i}" for i in range(N)])
    manifest = {"obs_columns": {}, "symbol_column": None}
    folder = tmp_path_factory.mktemp("memory") / "dataset"
    meter = Meter(N, var.index.to_numpy())
    meter.add(counts)
    write_dataset(folder, counts, (obs, var), {}, meter.finish(), manifest)
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def model(dataset, y):
    warm_up()  # imports are no cost of the data
    return fit(dataset, y)


def cells_of(dataset, y, **more):
    counts, one = dataset.genes_matrix(np.arange(CHOSEN)), np.zeros(N, dtype=np.int64)
    names = tuple(dataset.var_names[:CHOSEN])
    return Inputs(counts, names, y, ("a", "b"), one, ("x",), **more)


def fit(dataset, y):
    cells = cells_of(dataset, y)
    steps = iter([False] * 5 + [True])
    config = TrainConfig(preset="quick", device="cpu")
    hooks = Hooks(should_stop=lambda: next(steps))
    return Annotator.fit(cells, ModelConfig(n_hidden=16, n_latent=5), config, hooks=hooks)


@contextmanager
def at_most(n_bytes):
    """Fail when more is allocated in between, torch's own memory aside."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n_bytes, f"{peak / 1e6:.1f} MB of {n_bytes / 1e6:.1f} MB"


def n_bytes(counts):
    return sum(part.nbytes for part in (counts.data, counts.indices, counts.indptr))


def test_a_cut_to_disk_never_holds_the_counts(dataset, monkeypatch):
    monkeypatch.setattr(row_blocks, "__defaults__", (10_000,))
    with at_most(0.3 * n_bytes(dataset.counts)):
        dataset.genes_matrix(np.arange(1, CHOSEN + 1))


def test_a_cut_in_memory_needs_little_beside_its_result(dataset, monkeypatch):
    monkeypatch.setattr(row_blocks, "__defaults__", (10_000,))
    monkeypatch.setattr("scanvi_core.annotation.model.align.BLOCK", 10_000)
    counts, positions = sp.csr_array(dataset.counts), np.arange(CHOSEN)
    with at_most(1.3 * n_bytes(dataset.genes_matrix(positions))):
        select_columns(counts, positions)


def test_counting_cells_per_gene_never_holds_the_counts(dataset, monkeypatch):
    monkeypatch.setattr(row_blocks, "__defaults__", (10_000,))
    with at_most(0.3 * n_bytes(dataset.counts)):
        detected_genes(dataset, np.arange(N) % 3 > 0)


def test_ranking_genes_never_holds_the_counts(dataset, monkeypatch):
    monkeypatch.setattr(row_blocks, "__defaults__", (10_000,))
    batch = np.arange(N) % 2
    with at_most(0.5 * n_bytes(dataset.counts)):
        most_variable(dataset.counts_by_gene, np.arange(GENES), batch, 100, 0.3)


def test_training_makes_no_dense_copy(dataset, y, model):
    with at_most(0.5 * DENSE):
        fit(dataset, y)


def test_predicting_makes_no_dense_copy(dataset, model):
    counts = dataset.genes_matrix(np.arange(CHOSEN))
    with at_most(0.5 * DENSE):
        model.predict(counts)


def test_linear_models_normalize_only_the_cells_they_are_fitted_on(dataset, y, model, monkeypatch):
    monkeypatch.setattr(linear_models, "MAX_PCA_CELLS", 500)
    monkeypatch.setattr(linear_models, "MAX_TYPE_CELLS", 250)
    counts = dataset.genes_matrix(np.arange(CHOSEN))
    with at_most(0.5 * n_bytes(counts)):
        linear_models.fit_linear_models(counts, y, 2, np.random.default_rng(0))


@pytest.mark.parametrize("left_out", ["some cells", "empty cells"])
def test_training_on_some_rows_of_large_files_copies_none(dataset, y, monkeypatch, left_out):
    monkeypatch.setattr(row_blocks, "__defaults__", (10_000,))
    monkeypatch.setattr(rows, "LARGE", 0)
    chosen = None if left_out == "empty cells" else np.arange(N) % 11 > 0
    cells = cells_of(dataset, y, **({} if chosen is None else {"rows": chosen}))
    if chosen is None:
        starts = np.array(cells.counts.indptr)
        starts[1:3] = 0  # what the first two cells had goes to the third
        cells.counts.indptr = starts
    config = TrainConfig(device="cpu")
    with at_most(0.6 * n_bytes(cells.counts)):
        usable, data = training_data(cells, config)
    assert len(usable) == data.counts.shape[0] < N


def test_predictions_may_go_into_arrays_that_are_there(dataset, model, tmp_path):
    counts = dataset.genes_matrix(np.arange(CHOSEN))[:100]
    counts.data[counts.indptr[7] : counts.indptr[8]] = 0
    expected = model.predict(counts)
    files = [
        np.lib.format.open_memmap(tmp_path / f"{at}.npy", "w+", array.dtype, array.shape)
        for at, array in enumerate(expected.arrays)
    ]
    out = Predictions(*files)
    assert model.predict(counts, out=out) is out
    for at, array in enumerate(expected.arrays):
        assert np.isnan(array[7]).all() and not np.isnan(array[8]).any()
        assert np.array_equal(np.load(tmp_path / f"{at}.npy"), array, equal_nan=True)
    with pytest.raises(ValueError, match="shapes"):
        model.predict(counts[:50], out=out)
