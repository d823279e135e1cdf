"""Small and lopsided data: it trains, it predicts better than guessing, it does not overclaim."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig, TrainConfig

GENES = 150


@dataclass(frozen=True)
class Case:
    n_obs: int
    n_labels: int
    n_batches: int = 1
    shown: int = 3  # labeled cells per type
    lone: bool = False  # the last type has one cell only, and it is labeled


CASES = {
    "100 cells, 3 labeled per type": Case(100, 4),
    "a type with one cell": Case(150, 4, lone=True),
    "50 types": Case(600, 50),
    "40 batches of 10 cells": Case(400, 4, n_batches=40),
}


@pytest.fixture(params=CASES, scope="module")
def fitted(request):
    torch.set_num_threads(1)
    case, random = CASES[request.param], np.random.default_rng(3)
    types = np.arange(case.n_obs) % case.n_labels
    batch = random.permutation(case.n_obs) % case.n_batches
    means = random.gamma(0.4, 2.0, (case.n_labels, GENES))
    counts = random.poisson(means[types] * random.uniform(0.5, 2.0, (case.n_obs, 1)))
    if case.lone:
        last = np.flatnonzero(types == case.n_labels - 1)
        types[last[1:]] = -2  # of no type that is known
    y = np.full(case.n_obs, -1)
    for label in range(case.n_labels):
        rows = np.flatnonzero(types == label)
        y[rows[: case.shown]] = label
    data = Inputs(
        sparse.csr_array(counts, dtype=np.float32),
        tuple(f"gene {i}" for i in range(GENES)),
        y,
        tuple(f"type {i}" for i in range(case.n_labels)),
        batch,
        tuple(f"batch {i}" for i in range(case.n_batches)),
    )
    config = TrainConfig(max_epochs=-(-120 * 128 // case.n_obs), device="cpu")
    return case, types, y, Annotator.fit(data, ModelConfig(n_hidden=64), config), data


def test_every_cell_gets_probabilities(fitted):
    _, _, _, model, data = fitted
    found = model.predict(data.counts)
    for table in (found.probabilities, found.scanvi):
        assert np.isfinite(table).all()
        np.testing.assert_allclose(table.sum(1), 1, atol=1e-4)


def test_hidden_cells_are_named_far_better_than_by_guessing(fitted):
    _, types, y, model, data = fitted
    hidden = (y < 0) & (types >= 0)
    right = model.predict(data.counts).probabilities.argmax(1) == types
    largest = np.bincount(types[hidden]).max() / hidden.sum()
    assert right[hidden].mean() > largest + 0.5 * (1 - largest)


def test_confidence_is_called_uncalibrated_where_labels_are_few(fitted):
    case, _, y, model, _ = fitted
    judged = int((~np.isnan(model.out_of_fold).any(axis=1)).sum())
    assert judged == (y >= 0).sum() - case.lone  # a lone cell cannot be judged
    assert model.calibration.note.startswith("Uncalibrated") == (judged < 30)
