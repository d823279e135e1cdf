from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.calibration import fit_temperature
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.network import build, prior_of
from scanvi_core.config import RETRAIN_STEPS, ModelConfig, TrainConfig
from scanvi_core.errors import InputError, LabelsUnusable, ProjectError, SettingInvalid
from scanvi_core.train.history import Hooks
from scanvi_core.type_tree import TypeTree
from tests import SHARED

DATA = SHARED / "data"
MODEL = ModelConfig(n_hidden=16, n_latent=4, input_dropout_rate=0.1)
TRAIN = TrainConfig(batch_size=64, labeled_batch_size=32, max_epochs=25, device="cpu")
NAMES = ("B", "NK", "T")
EMPTY = 5


@pytest.fixture(scope="module")
def truth():
    torch.set_num_threads(1)
    return np.arange(240) % 3


@pytest.fixture(scope="module")
def cells(truth):
    """240 cells of three types, half of them labeled; one cell has no counts."""
    random = np.random.default_rng(0)
    means = random.gamma(1.0, 3.0, size=(3, 40))
    counts = random.poisson(means[truth]).astype(np.float32)
    counts[EMPTY] = 0
    y = np.where(random.random(240) < 0.5, truth, -1)
    genes = tuple(f"gene{i}" for i in range(40))
    batch = random.integers(0, 2, 240)
    return Inputs(sparse.csr_matrix(counts), genes, y, NAMES, batch, ("a", "b"))


@pytest.fixture(scope="module")
def model(cells):
    return Annotator.fit(cells, MODEL, replace(TRAIN, validation_fraction=0.3))


def some(cells, rows):
    """Return the inputs of some of the cells."""
    names = ("counts", "y", "batch_index", "rows", "holdout")
    return replace(cells, **{name: getattr(cells, name)[rows] for name in names})


def brief(cells, **settings):
    """Train for one pass only, where only the course of things matters."""
    return Annotator.fit(cells, MODEL, replace(TRAIN, max_epochs=1), **settings)


def same(a, b):
    weights = b.module.state_dict()
    return all(torch.equal(value, weights[k]) for k, value in a.module.state_dict().items())


def test_unlabeled_cells_get_their_type(model, cells, truth):
    found = model.predict(cells.counts)
    open_ = (cells.y < 0) & (np.arange(240) != EMPTY)
    for p in (found.probabilities, found.scanvi):
        assert (p.argmax(1) == truth)[open_].mean() > 0.95
        assert p.dtype == np.float32 and np.allclose(p[open_].sum(1), 1, atol=1e-5)
    assert found.z1.shape == found.z2.shape == (240, 4)


def test_cells_without_counts_get_nan_everywhere(model, cells):
    found = model.predict(cells.counts)
    for array in (found.probabilities, found.scanvi, found.z1, found.z2):
        assert np.flatnonzero(np.isnan(array).any(axis=1)).tolist() == [EMPTY]


def test_cells_without_counts_are_not_trained_on(cells):
    keep = np.arange(240) != EMPTY
    without = some(cells, keep)
    assert same(brief(cells), brief(without))


def test_rows_left_out_change_nothing(cells):
    rows = np.arange(240) < 200
    other = cells.counts.copy()
    other.data[other.indptr[210] :] += 1
    assert same(
        brief(replace(cells, rows=rows)),
        brief(replace(cells, rows=rows, counts=other, y=np.where(rows, cells.y, 0))),
    )


def test_predictions_do_not_depend_on_the_cells_beside(model, cells):
    found = model.predict(cells.counts).probabilities
    alone = model.predict(cells.counts[17:18]).probabilities
    assert np.allclose(found[17], alone[0], atol=1e-6)


def test_labels_are_watched_where_there_are_enough(model):
    assert model.validation.sum() >= 15
    assert not model.validation[EMPTY]
    assert model.history.records[-1].validation_accuracy > 0.9


def test_confidence_is_calibrated_on_every_labeled_cell_out_of_fold(model, cells):
    judged = ~np.isnan(model.out_of_fold).any(axis=1)
    assert np.array_equal(judged, (cells.y >= 0) & (np.arange(240) != EMPTY))
    assert model.calibration == fit_temperature(model.out_of_fold, cells.y)
    assert brief(cells, warm_start=model).calibration == model.calibration


def test_labels_probabilities_and_states_are_parts_of_the_prediction(model, cells, truth):
    found = model.predict(cells.counts)
    labels = model.predict_labels(cells.counts)
    open_ = np.arange(240) != EMPTY
    assert labels[EMPTY] is None
    assert (labels[open_] == np.array(NAMES)[found.probabilities[open_].argmax(1)]).all()
    proba = model.predict_proba(cells.counts)
    latent = model.get_latent_representation(cells.counts)
    assert np.array_equal(proba, found.probabilities, equal_nan=True)
    assert np.array_equal(latent, found.z1, equal_nan=True)


def test_a_saved_model_predicts_the_same(model, cells, tmp_path):
    model.save(tmp_path / "model")
    again = Annotator.load(tmp_path / "model", "cpu")
    before, after = model.predict(cells.counts), again.predict(cells.counts)
    assert np.array_equal(before.probabilities, after.probabilities, equal_nan=True)
    assert np.array_equal(before.z2, after.z2, equal_nan=True)
    assert again.label_names == NAMES and again.calibration == model.calibration
    suffixes = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert suffixes == {".safetensors", ".json"}


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ProjectError, match="No model"):
        Annotator.load(tmp_path)


def test_other_genes_are_refused(model, cells):
    with pytest.raises(InputError, match="39 genes"):
        model.predict(cells.counts[:, :39])


def test_one_type_is_refused_by_name(cells):
    with pytest.raises(LabelsUnusable, match="NK"):
        brief(replace(cells, y=np.where(cells.y == 1, 1, -1)))


def test_labels_on_empty_cells_only_do_not_count(cells):
    y = np.where(cells.y == 1, 1, -1)
    y[EMPTY] = 2
    with pytest.raises(LabelsUnusable):
        brief(replace(cells, y=y))


def test_a_type_with_one_cell_is_trained_on(cells, truth):
    y = np.where(truth == 2, -1, cells.y)
    y[np.flatnonzero(truth == 2)[5]] = 2
    found = brief(replace(cells, y=y)).predict(cells.counts)
    own, others = (found.probabilities[known, 2] for known in (truth == 2, truth != 2))
    assert np.nanmedian(own) > 2 * np.nanmedian(others)


def test_all_cells_labeled_can_be_trained_and_checked(cells, truth):
    found = brief(replace(cells, y=truth)).predict(cells.counts)
    assert np.isnan(found.probabilities).any(axis=1).sum() == 1


@pytest.mark.parametrize("n", [20, 64, 65, 66])
def test_any_number_of_cells_can_be_trained_on(cells, n):
    few = some(cells, slice(n))
    assert np.isfinite(brief(few).history.records[-1].loss)


def test_one_labeled_cell_of_each_of_two_types_is_enough(cells, truth):
    y = np.full(240, -1)
    y[[0, 1]] = truth[[0, 1]]
    model = brief(replace(cells, y=y))
    assert not model.validation.any() and model.calibration.temperature == 1.0
    assert model.predict(cells.counts).probabilities.shape == (240, 3)


def test_a_batch_of_one_cell_can_be_trained_on(cells):
    batch = np.where(np.arange(240) == 7, 2, cells.batch_index)
    settings = replace(MODEL, dispersion="gene-batch", use_observed_lib_size=False)
    one = replace(cells, batch_index=batch, batch_names=("a", "b", "c"))
    model = Annotator.fit(one, settings, replace(TRAIN, max_epochs=2))
    assert np.isfinite(model.history.records[-1].loss)


def test_retraining_goes_on_from_the_earlier_model(model, cells, truth):
    names = ("T", "B", "NK")  # the same types in another order
    y = np.where(cells.y >= 0, (cells.y + 1) % 3, -1)
    seen = []
    again = Annotator.fit(
        replace(cells, label_names=names, y=y),
        MODEL,
        TRAIN,
        hooks=Hooks(on_epoch=seen.append),
        warm_start=model,
    )
    assert seen[0].train_accuracy > 0.9  # it knows the types from the first step on
    assert seen[-1].step == RETRAIN_STEPS == seen[-1].n_steps
    found = again.predict(cells.counts).scanvi.argmax(1)
    open_ = np.arange(240) != EMPTY
    assert (found == (truth + 1) % 3)[open_].mean() > 0.95


def test_retraining_learns_a_new_type(model, cells, truth):
    names = (*NAMES, "T activated")
    y = np.where((cells.y == 2) & (cells.counts[:, [0]].toarray()[:, 0] > 2), 3, cells.y)
    again = Annotator.fit(replace(cells, label_names=names, y=y), MODEL, TRAIN, warm_start=model)
    assert again.predict(cells.counts).probabilities.shape == (240, 4)


def test_retraining_after_types_were_merged_knows_the_merged_type(model, cells, truth):
    names = ("B", "T and NK")
    y = np.minimum(cells.y, 1)
    seen = []
    again = Annotator.fit(
        replace(cells, label_names=names, y=y),
        MODEL,
        TRAIN,
        hooks=Hooks(on_epoch=seen.append),
        warm_start=model,
    )
    assert again.label_names == names and len(seen) > 1
    found = again.predict(cells.counts).scanvi
    open_ = np.arange(240) != EMPTY
    assert (found.argmax(1) == np.minimum(truth, 1))[open_].mean() > 0.95


def test_retraining_after_a_type_was_removed_names_its_cells_otherwise(model, cells, truth):
    y = np.where(cells.y == 2, -1, cells.y)
    again = Annotator.fit(
        replace(cells, label_names=NAMES[:2], y=y), MODEL, TRAIN, warm_start=model
    )
    found = again.predict(cells.counts).scanvi
    known = (truth < 2) & (np.arange(240) != EMPTY)
    assert found.shape == (240, 2)
    assert (found.argmax(1) == truth)[known].mean() > 0.95


@pytest.mark.parametrize("change", [{"batch_names": ("a", "c")}, {"genes": ("g",) * 40}])
def test_retraining_on_other_genes_or_batches_is_refused(model, cells, change):
    with pytest.raises(SettingInvalid, match="Train from the start"):
        brief(replace(cells, **change), warm_start=model)


def test_retraining_with_other_model_settings_is_refused(model, cells):
    with pytest.raises(SettingInvalid, match="model settings"):
        Annotator.fit(cells, replace(MODEL, n_latent=5), TRAIN, warm_start=model)


def test_the_seed_decides_the_model(cells):
    assert same(brief(cells), brief(cells))
    other = Annotator.fit(cells, MODEL, replace(TRAIN, max_epochs=1, seed=1))
    assert not same(brief(cells), other)


def test_cells_known_by_a_broader_type_teach_it(cells, truth):
    parents = {"NK": ("lymphocyte",), "T": ("lymphocyte",)}
    assert TypeTree(NAMES, parents).nodes == ("B", "lymphocyte")
    y = np.where((cells.y > 0) & (np.arange(240) % 2 == 0), 3 + 1, cells.y)
    model = Annotator.fit(replace(cells, y=y, parents=parents), MODEL, TRAIN)
    found = model.predict(cells.counts).probabilities
    lymphocytes = (truth > 0) & (np.arange(240) != EMPTY)
    assert found[lymphocytes, 1:].sum(1).mean() > 0.9


def test_a_type_known_only_through_its_broader_type_keeps_a_probability(cells):
    y = np.where(cells.y == 2, 4, cells.y)  # no cell is labeled T itself
    model = Annotator.fit(replace(cells, y=y, parents={"NK": ("L",), "T": ("L",)}), MODEL, TRAIN)
    found = model.predict(cells.counts)
    assert np.nanmax(found.probabilities[:, 2]) > 0.05


def test_a_new_type_begins_with_the_weights_of_the_nearest_one_it_stands_under(cells, model):
    names, parents = ("B", "NK", "naive T"), {"naive T": ("young T",), "young T": ("T",)}
    inputs = replace(cells, label_names=names, parents=parents)
    fresh = build(inputs, MODEL, TRAIN)
    model.hand_over(fresh, inputs, MODEL)
    output = [name for name in fresh.state_dict() if name.startswith("classifier.")][-2:]
    for name in output:
        assert torch.equal(fresh.state_dict()[name], model.module.state_dict()[name])


def test_types_left_out_of_the_prior_share_what_remains():
    assert prior_of(NAMES, {"B": 0.5}).tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert prior_of(NAMES, {"B": 1.0})[1:].min() > 0
    assert prior_of(NAMES, {"B": 2.0, "NK": 1.0, "T": 1.0}).tolist() == [0.5, 0.25, 0.25]


def test_the_prior_reaches_the_network(cells):
    model = brief(replace(cells, prior={"B": 0.6, "NK": 0.3, "T": 0.1}))
    assert model.module.y_prior[0].tolist() == pytest.approx([0.6, 0.3, 0.1])


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_a_short_run_names_blood_cells_from_a_tenth_of_the_labels():
    anndata = pytest.importorskip("anndata")
    adata = anndata.read_h5ad(DATA / "pbmc68k_reduced_counts.h5ad")
    labels = adata.obs["cell_type"].astype("category")
    truth, random = labels.cat.codes.to_numpy(), np.random.default_rng(0)
    y = np.full(len(truth), -1)
    for code in range(len(labels.cat.categories)):
        rows = random.permutation(np.flatnonzero(truth == code))
        y[rows[: max(3, round(0.1 * len(rows)))]] = code
    names, genes = tuple(labels.cat.categories), tuple(adata.var_names)
    one = np.zeros(len(truth), dtype=np.int64)
    cells = Inputs(sparse.csr_matrix(adata.X), genes, y, names, one, ("all",))
    model = Annotator.fit(cells, ModelConfig(), TrainConfig(max_epochs=15, device="cpu"))
    found = model.predict(cells.counts)
    right = (found.probabilities.argmax(1) == truth)[y < 0].mean()
    assert right > 0.72  # logistic regression alone: 0.76; the largest type: 0.34
    assert (found.scanvi.argmax(1) == truth)[y < 0].mean() > 0.65
