"""One training run end to end: results, warm retrain, stop, failure, a hidden hold-out."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from scanvi_core import keys, runtime
from scanvi_core.config import RETRAIN_STEPS
from scanvi_core.data.dataset import Dataset
from scanvi_core.errors import LabelsUnusable, SettingInvalid
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services import jobs
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.runs import frozen_run, results
from scanvi_core.services.training import start, train_plan
from scanvi_core.services.workspace import set_batch_key, workspace

WAIT_S = 300.0  # machines are busy with other tests


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def state(project):
    return workspace(project).labels()


def run_of(project, run_id):
    return Run.open(workspace(project).project, run_id)


def test_a_run_leaves_sane_arrays_for_every_cell(trained):
    found = results.current(workspace(trained))
    p = found.probabilities
    assert p.shape == (700, 10) and p.dtype == np.float32
    assert np.allclose(p.sum(1), 1, atol=1e-5) and (p >= 0).all()
    assert (found.prediction == p.argmax(1)).all()
    assert np.array_equal(found.confidence, p.max(1))
    ordered = np.sort(p, axis=1)
    assert np.allclose(found.margin, ordered[:, -1] - ordered[:, -2], atol=1e-6)
    assert (found.second != found.prediction).all()
    for name, width in (("z1", 8), ("z2", 8), ("umap_z1", 2), ("umap_z2", 2)):
        array = found.run.array(name)
        assert array.shape == (700, width) and np.isfinite(array).all() and array.std() > 0


def test_a_run_predicts_better_than_the_commonest_type(trained):
    found = results.current(workspace(trained))
    expert = workspace(trained).dataset.obs["expert_label"].astype(str).to_numpy()
    unseen = (state(trained).codes < 0) | found.holdout
    predicted = np.array(found.names)[found.prediction]
    commonest = (expert == "Dendritic")[unseen].mean()
    assert (predicted == expert)[unseen].mean() > commonest + 0.2


def test_a_run_freezes_what_it_depends_on(trained, request_brief):
    settings = results.current(workspace(trained)) and workspace(trained).current_run().settings
    assert settings.labels_key == "cell_type"
    assert settings.batch_key == "batch"
    assert settings.labels_seq == state(trained).seq
    assert settings.model.n_hidden == request_brief.model.n_hidden
    assert set(settings.versions) == set(frozen_run.VERSIONS_OF)
    assert settings.threads >= 1 and settings.device == "cpu"
    run = workspace(trained).current_run()
    assert run.status.status == runs.DONE
    assert sorted({record["epoch"] for record in run.records()}) == list(range(1, 9))


def test_the_summary_scores_the_cells_set_aside(trained):
    summary = results.current(workspace(trained)).summary
    assert summary["holdout"]["n"] == state(trained).holdout.sum()
    assert (summary["number"], summary["warm"], summary["stopped"]) == (1, False, False)
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize("how", ["cells", "donor"])
def test_labels_set_aside_leave_no_trace_in_the_model(labeled, train_now, request_brief, how):
    """Shuffle the labels set aside: not one bit of what the model says may change."""
    if how == "donor":
        request = HoldoutRequest(holdout.GROUP, column="batch", values=("batch 3", "batch 5"))
        holdout.set_aside(workspace(labeled), request)
    said, scores = [], []
    for _ in range(2):
        run = run_of(labeled, train_now(labeled, request_brief))
        said.append(run.array("probabilities").tobytes() + run.array("z1").tobytes())
        scores.append(run.summary["holdout"]["accuracy"])
        _shuffle_labels_set_aside(labeled)
    assert said[0] == said[1]
    assert scores[0] > scores[1]  # and yet they are what it is scored on


def _shuffle_labels_set_aside(project):
    now = state(project)
    rows = np.flatnonzero(now.holdout & (now.codes >= 0))
    names = np.array(now.names, dtype=object)[now.codes[rows]]
    shuffled = np.random.default_rng(0).permutation(names)
    for name in np.unique(shuffled):
        edit.name_cells(workspace(project), rows[shuffled == name], name, "shuffled")
    assert (state(project).holdout == now.holdout).all()


def test_a_donor_that_left_is_not_trained_on_but_predicted(labeled, train_now, request_brief):
    holdout.set_aside(
        workspace(labeled), HoldoutRequest(holdout.GROUP, column="batch", values=("batch 3",))
    )
    run = run_of(labeled, train_now(labeled, request_brief))
    own = (workspace(labeled).dataset.obs["batch"] == "batch 3").to_numpy()
    assert run.summary["n_cells"] == (~own).sum()
    assert np.isfinite(run.array("probabilities")[own]).all()
    given = own & (state(labeled).codes >= 0)
    assert run.summary["holdout"]["n"] == given.sum()


def test_counts_of_a_donor_that_left_leave_no_trace_in_the_model(
    labeled, train_now, request_brief, monkeypatch
):
    request = HoldoutRequest(holdout.GROUP, column="batch", values=("batch 3",))
    holdout.set_aside(workspace(labeled), request)
    own = state(labeled).holdout
    before = run_of(labeled, train_now(labeled, request_brief)).array("probabilities")
    read = Dataset.genes_matrix

    def others(self, genes):
        counts = read(self, genes).copy()
        counts.data[np.repeat(own, np.diff(counts.indptr))] += 3
        return counts

    monkeypatch.setattr(Dataset, "genes_matrix", others)
    after = run_of(labeled, train_now(labeled, request_brief)).array("probabilities")
    assert before[~own].tobytes() == after[~own].tobytes()
    assert before[own].tobytes() != after[own].tobytes()


def test_the_same_request_gives_the_same_bytes(trained, train_now, request_brief):
    again = run_of(trained, train_now(trained, request_brief))
    first = Run.list(workspace(trained).project)[0]
    for name in ("probabilities", "z1", "z2"):
        assert again.array(name).tobytes() == first.array(name).tobytes(), name


def test_a_preview_leaves_training_its_number_of_threads(
    labeled, request_brief, train_now, monkeypatch
):
    """Numba gives every core to the thread that draws the first UMAP of a process."""
    seen = []

    def draw(_self, _module):
        torch.set_num_threads(runtime.worker_threads() + 1)

    def tell(self, record):
        seen.append(torch.get_num_threads())

    monkeypatch.setattr("scanvi_core.annotation.layout.preview.Previewer.draw", draw)
    monkeypatch.setattr("scanvi_core.services.training.in_process.Trainer.tell", tell)
    monkeypatch.setattr("scanvi_core.train.loop.Timer.due", lambda _self: True)
    train_now(labeled, request_brief)
    assert set(seen) == {runtime.worker_threads()}


def test_unknown_and_broader_labels_train_without_becoming_classes(
    labeled, train_now, request_brief
):
    open_ = np.flatnonzero(state(labeled).codes < 0)
    above = dict.fromkeys(("CD8+ Cytotoxic T", "CD4+/CD25 T Reg"), ("T cell",))
    edit.set_parents(workspace(labeled), above)
    edit.name_cells(workspace(labeled), open_[:10], keys.UNKNOWN, "review")
    edit.name_cells(workspace(labeled), open_[10:20], "T cell", "lasso")
    run = run_of(labeled, train_now(labeled, request_brief))
    assert run.array("probabilities").shape == (700, 10)
    assert set(run.settings.label_names).isdisjoint({keys.UNKNOWN, "T cell"})
    assert results.changed_labels(workspace(labeled)) == 0


# Going on from a model ------------------------------------------------------------------------


def test_a_warm_retrain_learns_a_new_type_in_a_few_steps(trained, train_now, request_brief):
    b_cells = workspace(trained).dataset.obs["expert_label"] == "CD19+ B"
    rows = np.flatnonzero(b_cells & np.asarray(state(trained).codes < 0))
    edit.name_cells(workspace(trained), rows[: rows.size // 2], "New B", "lasso")
    assert results.changed_labels(workspace(trained)) == rows.size // 2
    train_now(trained, replace(request_brief, warm=True))
    found = results.current(workspace(trained))
    assert found.names[-1] == "New B" and found.probabilities.shape == (700, 11)
    assert (found.summary["number"], found.summary["warm"]) == (2, True)
    assert found.summary["steps"] == RETRAIN_STEPS
    assert workspace(trained).current_run().settings.warm_from == "0001"
    last_step = np.array(found.names)[found.prediction[rows[rows.size // 2 :]]]
    assert np.isin(last_step, ["New B", "CD19+ B"]).mean() > 0.7
    assert results.changed_labels(workspace(trained)) == 0


def test_a_warm_retrain_starts_from_the_weights_before(trained, train_now, request_brief):
    before = results.current(workspace(trained)).run.array("z1")
    train_now(trained, replace(request_brief, warm=True))
    warm = results.current(workspace(trained)).run.array("z1")
    fresh = replace(request_brief, train=replace(request_brief.train, seed=5))
    train_now(trained, fresh)
    cold = results.current(workspace(trained)).run.array("z1")
    assert np.linalg.norm(warm - before) < 0.5 * np.linalg.norm(cold - before)


def test_a_model_that_learned_labels_now_set_aside_is_not_gone_on_from(trained, request_brief):
    assert train_plan.can_go_on(workspace(trained), request_brief.model)
    holdout.set_aside(workspace(trained), HoldoutRequest(seed=1))
    assert not train_plan.can_go_on(workspace(trained), request_brief.model)
    with pytest.raises(LabelsUnusable, match="learned labels that are set aside now") as caught:
        start.start(workspace(trained), replace(request_brief, warm=True))
    assert "from the start" in caught.value.hint
    edit.undo(workspace(trained))
    assert train_plan.can_go_on(workspace(trained), request_brief.model)


def test_an_update_keeps_the_settings_and_goes_on_only_where_that_is_honest(
    trained, request_brief
):
    assert train_plan.update_request(workspace(trained)) == replace(request_brief, warm=True)
    holdout.set_aside(workspace(trained), HoldoutRequest(seed=1))
    assert train_plan.update_request(workspace(trained)) == replace(request_brief, warm=False)


def test_other_settings_or_batches_cannot_be_gone_on_from(trained, train_now, request_brief):
    other = replace(request_brief.model, n_latent=5)
    assert not train_plan.can_go_on(workspace(trained), other)
    set_batch_key(workspace(trained), None)
    assert not train_plan.can_go_on(workspace(trained), request_brief.model)
    with pytest.raises(SettingInvalid, match="batches"):
        train_now(trained, replace(request_brief, warm=True))
    assert workspace(trained).current_run().id == "0001"
    failed = Run.list(workspace(trained).project)[-1]
    assert failed.status.status == runs.FAILED and "batches" in failed.status.message


# As a job -------------------------------------------------------------------------------------
