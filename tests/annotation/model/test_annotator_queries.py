from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.datasets import simulate
from scanvi_core.errors import InputError, TrainingError
from scanvi_core.train import loop
from scanvi_core.train.history import Hooks

MODEL = ModelConfig(n_hidden=16, n_latent=4)
TRAIN = TrainConfig(batch_size=64, labeled_batch_size=32, max_epochs=6, device="cpu")


@pytest.fixture(scope="module")
def cells():
    torch.set_num_threads(1)
    data = simulate(240, 40, 2, 3, random=np.random.default_rng(0))
    y = np.where(np.arange(240) % 2 == 0, data.labels[:, 0], -1)
    batch = data.batch_indices[:, 0]
    counts = sparse.csr_array(data.X)
    return Inputs(counts, data.gene_names, y, data.cell_types, batch, ("a", "b"))


@pytest.fixture(scope="module")
def model(cells):
    return Annotator.fit(cells, MODEL, TRAIN)


def same_weights(a, b):
    weights = b.module.state_dict()
    return all(torch.equal(value, weights[k]) for k, value in a.module.state_dict().items())


def same_bytes(a, b):
    return all(
        getattr(a, part).tobytes() == getattr(b, part).tobytes()
        for part in ("probabilities", "scanvi", "z1", "z2")
    )


def test_permuted_genes_give_the_same_bytes(model, cells):
    order = np.random.default_rng(1).permutation(40)
    names = [cells.genes[i] for i in order]
    expected = model.predict(cells.counts, cells.genes)
    for counts in (cells.counts[:, order], sparse.csc_matrix(cells.counts[:, order])):
        assert same_bytes(model.predict(counts, names), expected)
    without_names = model.predict(cells.counts)
    assert np.allclose(without_names.z1, expected.z1, atol=1e-5)


def test_further_genes_of_the_query_change_nothing(model, cells):
    more = sparse.hstack([cells.counts * 3, cells.counts], format="csr")
    names = [*(f"other{i}" for i in range(40)), *cells.genes]
    assert same_bytes(model.predict(more, names), model.predict(cells.counts, cells.genes))


def test_missing_genes_are_read_as_zeros(model, cells):
    kept = np.arange(40) % 4 > 0
    names = [name for name, keep in zip(cells.genes, kept, strict=True) if keep]
    zeroed = cells.counts.toarray() * kept
    assert same_bytes(
        model.predict(cells.counts[:, kept], names),
        model.predict(sparse.csr_array(zeroed), cells.genes),
    )


def test_a_query_with_too_few_of_the_genes_is_refused_with_the_numbers(model, cells):
    with pytest.raises(InputError, match="19 of the model's 40 genes"):
        model.predict(cells.counts[:, :19], cells.genes[:19])


@pytest.mark.parametrize("warm", [False, True])
def test_a_run_that_broke_ends_as_an_unbroken_one(model, cells, tmp_path, monkeypatch, warm):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    start = model if warm else None
    train = replace(TRAIN, validation_fraction=0.3)
    file = tmp_path / "run.safetensors"
    whole = Annotator.fit(cells, MODEL, train, warm_start=start)

    def fall(record):
        if record.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Annotator.fit(
            cells, MODEL, train, warm_start=start, checkpoint=file, hooks=Hooks(on_epoch=fall)
        )
    seen = []
    resumed = Annotator.fit(
        cells, MODEL, train, warm_start=start, checkpoint=file, hooks=Hooks(on_epoch=seen.append)
    )
    assert 1 < seen[0].epoch <= 4  # one of the three before was kept
    assert same_weights(resumed, whole)
    assert same_bytes(resumed.predict(cells.counts), whole.predict(cells.counts))


def test_a_checkpoint_of_another_run_is_refused(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_EVERY_S", 0.0)
    file = tmp_path / "run.safetensors"
    Annotator.fit(cells, MODEL, TRAIN, checkpoint=file)
    with pytest.raises(TrainingError, match="other settings"):
        Annotator.fit(cells, MODEL, replace(TRAIN, max_epochs=2), checkpoint=file)
