"""What the model gets to see: hold-out, groups, the verdict "unknown", batches, and the plan."""

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.config import TrainConfig
from scanvi_core.errors import LabelsUnusable
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.runs.inputs import check_labels, inputs_of
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import start, train_plan
from scanvi_core.services.workspace import ONE_BATCH, set_batch_key, workspace

T_CELLS = {"CD8+ Cytotoxic T": "T cell", "CD4+/CD25 T Reg": "T cell"}


def inputs(project):
    return inputs_of(workspace(project))


def state(project):
    return workspace(project).labels()


def plan(project, **settings):
    return train_plan.plan(workspace(project), TrainRequest(train=TrainConfig(**settings)))


def by_donor(project, *values):
    request = HoldoutRequest(holdout.GROUP, column="batch", values=values)
    return holdout.set_aside(workspace(project), request)


def test_codes_stand_for_the_visible_labels(labelled):
    found, now = inputs(labelled), state(labelled)
    names = np.array([*found.code_names, ""], dtype=object)[found.y]
    truth = np.array([*now.names, ""], dtype=object)[now.codes]
    assert (names[~now.holdout] == truth[~now.holdout]).all()
    assert found.seq == now.seq


def test_labels_set_aside_are_hidden_and_their_cells_stay(labelled):
    found, now = inputs(labelled), state(labelled)
    assert now.holdout.sum() > 20
    assert (now.codes[now.holdout] >= 0).all()
    assert (found.y[found.holdout] == -1).all()
    assert (found.holdout == now.holdout).all()
    assert found.rows.all()


def test_a_donor_set_aside_leaves_with_all_its_cells(labelled):
    own = (workspace(labelled).dataset.obs["batch"] == "batch 3").to_numpy()
    assert by_donor(labelled, "batch 3") == own.sum()
    found = inputs(labelled)
    assert (found.rows == ~own).all()
    assert (found.holdout == own).all()
    assert (found.y[own] == -1).all() and (found.y[~own] >= 0).any()
    assert plan(labelled).n_obs == (~own).sum()


def test_undo_brings_the_earlier_kind_of_hold_out_back(labelled):
    by_donor(labelled, "batch 3")
    edit.undo(workspace(labelled))
    assert inputs(labelled).rows.all(), "no donor is set aside any more"
    edit.redo(workspace(labelled))
    assert not inputs(labelled).rows.all()
    holdout.set_aside(workspace(labelled), HoldoutRequest())
    assert inputs(labelled).rows.all()
    edit.undo(workspace(labelled))
    assert not inputs(labelled).rows.all(), "the donor is set aside again"


def test_undoing_nothing_set_aside_brings_the_donors_back(labelled):
    by_donor(labelled, "batch 3")
    holdout.set_aside(workspace(labelled), HoldoutRequest(holdout.NONE))
    assert inputs(labelled).rows.all() and not inputs(labelled).holdout.any()
    edit.undo(workspace(labelled))
    assert not inputs(labelled).rows.all()


def test_the_same_seed_sets_the_same_cells_aside(labelled):
    first = state(labelled).holdout
    holdout.set_aside(workspace(labelled), HoldoutRequest(seed=1))
    assert (state(labelled).holdout != first).any()
    holdout.set_aside(workspace(labelled), HoldoutRequest(seed=0))
    assert (state(labelled).holdout == first).all()


def test_a_hold_out_that_leaves_too_few_types_is_refused_and_changes_nothing(labelled):
    before = state(labelled)
    donors = workspace(labelled).dataset.obs["batch"].unique()
    with pytest.raises(LabelsUnusable, match="Fewer than two types"):
        by_donor(labelled, *donors)
    assert state(labelled).seq == before.seq


def test_accepted_predictions_are_never_set_aside_as_truth(labelled):
    from scanvi_core.project.label_log import events

    store = workspace(labelled).store
    open_ = np.flatnonzero(state(labelled).codes < 0)[:200]
    store.append(events.accept(open_, "Dendritic", reason="review"))
    holdout.set_aside(workspace(labelled), HoldoutRequest(fraction=0.5))
    assert not state(labelled).holdout[open_].any()


def test_a_label_that_names_a_group_says_only_the_group(labelled):
    edit.set_groups(workspace(labelled), T_CELLS)
    rows = np.flatnonzero(state(labelled).codes < 0)[:5]
    edit.name_cells(workspace(labelled), rows, "T cell", "lasso")
    found = inputs(labelled)
    assert "T cell" not in found.label_names
    assert (found.y[rows] >= len(found.label_names)).all()
    assert {found.code_names[code] for code in found.y[rows]} == {"T cell"}


def test_unknown_is_never_a_class(labelled):
    rows = np.flatnonzero(state(labelled).codes < 0)[:30]
    edit.name_cells(workspace(labelled), rows, keys.UNKNOWN, "review")
    found = inputs(labelled)
    assert keys.UNKNOWN not in found.code_names
    assert (found.y[rows] == -1).all()


def test_a_type_without_a_visible_label_is_no_class(labelled):
    rows = np.flatnonzero(state(labelled).holdout)[:3]
    edit.name_cells(workspace(labelled), rows, "Only set aside", "lasso")
    assert "Only set aside" not in inputs(labelled).label_names


def test_shares_of_types_the_model_does_not_have_are_left_out(labelled):
    edit.set_prior(workspace(labelled), {"CD56+ NK": 0.2, "Dendritic": 0.5})
    edit.clear_cells(workspace(labelled), np.flatnonzero(state(labelled).codes >= 0), "all")
    edit.name_cells(workspace(labelled), np.arange(20), "CD56+ NK", "lasso")
    assert inputs(labelled).prior == {"CD56+ NK": 0.2}


def test_batches_follow_the_column(labelled):
    opened = workspace(labelled)
    batches = opened.batches("batch")
    codes, names = batches.index, batches.names
    assert (np.array(names)[codes] == opened.dataset.obs["batch"].astype(str)).all()
    set_batch_key(workspace(labelled), None)
    assert inputs(labelled).batch_names == (ONE_BATCH,)
    assert not inputs(labelled).batch_index.any()


def test_cells_without_a_batch_name_are_a_batch_of_their_own(labelled):
    batches = workspace(labelled).batches("cell_type")
    codes, names = batches.index, batches.names  # a column with gaps
    missing = workspace(labelled).dataset.obs["cell_type"].isna().to_numpy()
    assert {names[code] for code in codes[missing]} == {"missing"}
    assert "missing" not in {names[code] for code in codes[~missing]}


# The plan -------------------------------------------------------------------------------------


def test_the_plan_counts_what_training_would_use(labelled):
    found, now = plan(labelled, n_top_genes=500), state(labelled)
    assert (found.n_obs, found.n_genes, found.n_labels, found.n_batches) == (700, 500, 10, 8)
    assert found.n_holdout == now.holdout.sum()
    assert found.n_labelled == (now.codes >= 0).sum() - now.holdout.sum()
    assert not found.problem


def test_the_plan_works_with_labels_that_only_name_a_group(labelled):
    edit.set_groups(workspace(labelled), T_CELLS)
    edit.name_cells(workspace(labelled), np.arange(5), "T cell", "lasso")
    assert plan(labelled).n_labels == 10


def test_the_plan_flags_rare_types(labelled):
    edit.name_cells(workspace(labelled), np.array([0, 1]), "Rare", "lasso")
    (note,) = [note for note in plan(labelled).notes if "Rare" in note]
    assert note.startswith("Rare: fewer than 3 labelled cells")


def test_the_plan_offers_a_label_check_when_every_cell_is_labelled(project):
    edit.use_column(workspace(project), "expert_label", set())
    assert any("Every cell is labelled" in note for note in plan(project).notes)
    edit.clear_cells(workspace(project), np.array([0]), "lasso")
    assert not any("Every cell is labelled" in note for note in plan(project).notes)


@pytest.mark.parametrize("names", [(), ("B",), (keys.UNKNOWN, "B")])
def test_too_few_types_are_told_by_the_plan_and_refused_at_the_start(project, names):
    edit.start_empty(workspace(project))
    for i, name in enumerate(names):
        edit.name_cells(workspace(project), np.arange(10 * i, 10 * i + 10), name, "lasso")
    found = plan(project)
    assert found.problem and found.hint
    with pytest.raises(LabelsUnusable, match="Only one label" if names else "No labelled"):
        check_labels(workspace(project))
    with pytest.raises(LabelsUnusable):
        start.start(workspace(project), TrainRequest())
