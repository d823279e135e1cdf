"""Where labels are few, a regression on the states speaks for SCANVI."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import FEW_LABELS, ModelConfig, TrainConfig

MODEL = ModelConfig(n_hidden=16, n_latent=4, input_dropout_rate=0.1)
TRAIN = TrainConfig(batch_size=64, labeled_batch_size=32, max_epochs=15, device="cpu")
NAMES = ("B", "NK", "T")
N = 240


def cells(n_labeled):
    """240 cells of three types, of each of which the first `n_labeled` are labeled."""
    random, truth = np.random.default_rng(0), np.arange(N) % 3
    counts = random.poisson(random.gamma(1.0, 3.0, size=(3, 40))[truth]).astype(np.float32)
    y = np.where(np.arange(N) < 3 * n_labeled, truth, -1)
    genes = tuple(f"gene{i}" for i in range(40))
    return Inputs(sparse.csr_matrix(counts), genes, y, NAMES, np.zeros(N, np.int64), ("a",))


@pytest.fixture(scope="module")
def few():
    return cells(3)


@pytest.fixture(scope="module")
def model(few):
    return Annotator.fit(few, MODEL, TRAIN)


def test_it_is_the_regression_of_the_labels_on_standardized_states(few, model):
    told = model.predict(few.counts)
    scaled = (told.z1 - told.z1.mean(axis=0)) / told.z1.std(axis=0)
    labeled = few.y >= 0
    wanted = LogisticRegression(C=1.0).fit(scaled[labeled], few.y[labeled])
    assert np.allclose(told.scanvi, wanted.predict_proba(scaled), atol=0.02)
    by_classifier = model.module.classify(torch.tensor(few.counts.toarray())).detach().numpy()
    assert not np.allclose(told.scanvi, by_classifier, atol=0.02)


def test_enough_labels_leave_the_word_to_the_classifier():
    many = cells(FEW_LABELS)
    fitted = Annotator.fit(many, MODEL, TRAIN)
    assert fitted.linear_models.state is None
    fewer = replace(many, y=np.where(np.arange(N) == 0, -1, many.y))
    assert Annotator.fit(fewer, MODEL, TRAIN).linear_models.state is not None


def test_it_is_kept_with_the_model(few, model, tmp_path):
    model.save(tmp_path)
    again = Annotator.load(tmp_path, device="cpu")
    assert np.array_equal(again.predict(few.counts).scanvi, model.predict(few.counts).scanvi)


def test_soft_labels_are_what_it_learns(few, model):
    soft = np.full((N, 3), 1 / 3, dtype=np.float32)  # nothing is known
    unsure = Annotator.fit(replace(few, soft=soft), MODEL, TRAIN).predict(few.counts).scanvi
    assert np.allclose(unsure, 1 / 3, atol=0.05)
    assert model.predict(few.counts).scanvi.max() > 0.8


def test_a_type_without_a_label_of_its_own_keeps_the_classifiers_word(few):
    inputs = replace(
        few, y=np.where(few.y == 2, 3, few.y), groups={"NK": "lymphocytes", "T": "lymphocytes"}
    )
    fitted = Annotator.fit(inputs, MODEL, TRAIN)
    assert fitted.linear_models.state.codes.tolist() == [0, 1]
    told = fitted.predict(few.counts).scanvi
    assert told[:, 2].max() > 0.01 and np.allclose(told.sum(axis=1), 1, atol=1e-5)
