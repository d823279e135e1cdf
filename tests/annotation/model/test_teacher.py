"""What the network is taught halfway, and that it helps where labels are few."""

import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.model import annotator
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.linear_models import DECIDED_WEIGHT, TAUGHT_WEIGHT, ensemble
from scanvi_core.annotation.model.teacher import Teacher
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.datasets.simulation import simulate
from scanvi_core.train.history import Hooks
from scanvi_core.train.loader import TrainingData

K, SHOWN = 6, 3
ALLOWED = np.vstack([np.eye(K, dtype=bool), [True, True, False, False, False, False]])


@pytest.fixture(scope="module")
def cells():
    """Counts of hard types, true codes, and codes of which three per type are shown."""
    drawn = simulate(600, 300, 1, K, marker_fold=2.0, random=np.random.default_rng(0))
    types = np.asarray(drawn.labels).ravel()
    y = np.full(len(types), -1)
    for code in range(K):
        y[np.flatnonzero(types == code)[:SHOWN]] = code
    return sparse.csr_array(drawn.X, dtype=np.float32), types, y


def taught(counts, y, alone, validation=None):
    none = np.zeros(len(y), dtype=bool)
    watched = none if validation is None else validation
    data = TrainingData(counts, np.zeros(len(y), np.int64), 1, y, K, watched)
    return Teacher(data, ALLOWED, 0, None)(alone)


@pytest.fixture(scope="module")
def unsure(cells):
    return np.full((len(cells[1]), K), 1 / K, np.float32)


def test_known_types_are_taught_as_they_are_and_others_by_all_models(cells, unsure):
    counts, types, y = cells
    table = taught(counts, y, unsure)
    assert table.dtype == np.float32 and np.allclose(table.sum(axis=1), 1.0, atol=1e-5)
    assert np.array_equal(table[y >= 0], np.eye(K, dtype=np.float32)[y[y >= 0]])
    hidden = np.flatnonzero(y < 0)
    assert (table[hidden].argmax(axis=1) == types[hidden]).mean() > 2 / K
    sure = unsure.copy()
    sure[hidden] = np.where(np.eye(K)[types[hidden]] > 0, 0.99, 0.002)
    by_network = taught(counts, y, sure)[hidden].argmax(axis=1) == types[hidden]
    assert by_network.mean() > 0.9  # the network's own word is a part of the answer


def test_a_cell_of_a_group_is_taught_a_type_of_the_group(cells, unsure):
    counts, _, y = cells
    some = np.flatnonzero(y < 0)[:50]
    grouped = y.copy()
    grouped[some] = K
    table = taught(counts, grouped, unsure)[some]
    assert (table[:, 2:] == 0).all() and np.allclose(table.sum(axis=1), 1.0, atol=1e-5)
    assert (table[:, :2] > 0).all()


def test_labels_that_are_watched_are_not_shown_to_the_teacher(cells, unsure):
    counts, _, y = cells
    watched = np.zeros(len(y), dtype=bool)
    watched[np.flatnonzero(y >= 0)[::SHOWN]] = True
    seen = taught(counts, y, unsure, watched)
    assert np.array_equal(seen, taught(counts, np.where(watched, -1, y), unsure))


def fitted(cells, soft=None, **hooks):
    counts, _, y = cells
    names = tuple(map(str, range(K)))
    genes = tuple(map(str, range(counts.shape[1])))
    inputs = Inputs(counts, genes, y, names, np.zeros(len(y), np.int64), ("one",), soft=soft)
    config = TrainConfig(max_epochs=30, device="cpu")
    return Annotator.fit(inputs, ModelConfig(n_hidden=64), config, hooks=Hooks(**hooks))


def test_a_network_that_is_taught_is_more_often_right_with_few_labels(cells, monkeypatch):
    counts, types, y = cells

    def right():
        alone = fitted(cells).predict(counts).scanvi
        return float((alone.argmax(axis=1) == types)[y < 0].mean())

    with_teacher = right()
    monkeypatch.setattr(Teacher, "__call__", lambda _, alone: alone)
    assert with_teacher > right() + 0.05


def test_a_taught_network_counts_more_than_the_linear_models(cells, tmp_path):
    counts = cells[0]
    model = fitted(cells)
    said, linear = model.predict(counts), model.linear_models.predict(counts)
    half = TAUGHT_WEIGHT / 2  # 150 of 300 steps
    expected = ensemble(said.scanvi, *linear, weight=half)
    np.testing.assert_allclose(
        said.probabilities, model.calibration.apply(expected), rtol=1e-4, atol=1e-6
    )
    model.save(tmp_path)
    assert Annotator.load(tmp_path).scanvi_weight == half


def test_one_that_was_stopped_before_counts_as_much_as_each_of_them(cells):
    calls = iter(range(10_000))
    model = fitted(cells, should_stop=lambda: next(calls) > 10)
    assert model.history.stopped and model.scanvi_weight == 1.0


def test_one_that_learned_soft_labels_counts_twice_as_much(cells, monkeypatch):
    asked = []
    monkeypatch.setattr(Teacher, "__call__", lambda *_: asked.append(1))
    soft = np.full((len(cells[1]), K), 1 / K, np.float32)
    assert fitted(cells, soft).scanvi_weight == DECIDED_WEIGHT and not asked


def test_a_model_of_an_earlier_version_answers_as_it_did(cells, tmp_path):
    import json

    model = fitted(cells)
    model.save(tmp_path)
    path = tmp_path / "annotator.json"
    record = json.loads(path.read_text())
    del record["scanvi_weight"]
    path.write_text(json.dumps(record))
    assert Annotator.load(tmp_path).scanvi_weight == 1.0


def test_cells_of_a_store_are_not_all_read_for_a_teacher(cells, monkeypatch):
    asked = []
    monkeypatch.setattr(annotator, "StoredCounts", sparse.csr_array)
    monkeypatch.setattr(Teacher, "__call__", lambda *_: asked.append(1))
    assert fitted(cells).scanvi_weight == 1.0 and not asked
