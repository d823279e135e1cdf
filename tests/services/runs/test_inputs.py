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

T_CELLS = dict.fromkeys(("CD8+ Cytotoxic T", "CD4+/CD25 T Reg"), ("T cell",))


def inputs(project):
    return inputs_of(workspace(project))


def state(project):
    return workspace(project).labels()


def plan(project, **settings):
    return train_plan.plan(workspace(project), TrainRequest(train=TrainConfig(**settings)))


def by_donor(project, *values):
    request = HoldoutRequest(holdout.GROUP, column="batch", values=values)
    return holdout.set_aside(workspace(project), request)


def test_codes_stand_for_the_visible_labels(labeled):
    found, now = inputs(labeled), state(labeled)
    names = np.array([*found.code_names, ""], dtype=object)[found.y]
    truth = np.array([*now.names, ""], dtype=object)[now.codes]
    assert (names[~now.holdout] == truth[~now.holdout]).all()
    assert found.seq == now.seq


def test_labels_set_aside_are_hidden_and_their_cells_stay(labeled):
    found, now = inputs(labeled), state(labeled)
    assert now.holdout.sum() > 20
    assert (now.codes[now.holdout] >= 0).all()
    assert (found.y[found.holdout] == -1).all()
    assert (found.holdout == now.holdout).all()
    assert found.rows.all()


def test_a_donor_set_aside_leaves_with_all_its_cells(labeled):
    own = (workspace(labeled).dataset.obs["batch"] == "batch 3").to_numpy()
    assert by_donor(labeled, "batch 3") == own.sum()
    found = inputs(labeled)
    assert (found.rows == ~own).all()
    assert (found.holdout == own).all()
    assert (found.y[own] == -1).all() and (found.y[~own] >= 0).any()
    assert plan(labeled).n_obs == (~own).sum()


def test_undo_brings_the_earlier_kind_of_hold_out_back(labeled):
    by_donor(labeled, "batch 3")
    edit.undo(workspace(labeled))
    assert inputs(labeled).rows.all(), "no donor is set aside any more"
    edit.redo(workspace(labeled))
    assert not inputs(labeled).rows.all()
    holdout.set_aside(workspace(labeled), HoldoutRequest())
    assert inputs(labeled).rows.all()
    edit.undo(workspace(labeled))
    assert not inputs(labeled).rows.all(), "the donor is set aside again"


def test_undoing_nothing_set_aside_brings_the_donors_back(labeled):
    by_donor(labeled, "batch 3")
    holdout.set_aside(workspace(labeled), HoldoutRequest(holdout.NONE))
    assert inputs(labeled).rows.all() and not inputs(labeled).holdout.any()
    edit.undo(workspace(labeled))
    assert not inputs(labeled).rows.all()


def test_the_same_seed_sets_the_same_cells_aside(labeled):
    first = state(labeled).holdout
    holdout.set_aside(workspace(labeled), HoldoutRequest(seed=1))
    assert (state(labeled).holdout != first).any()
    holdout.set_aside(workspace(labeled), HoldoutRequest(seed=0))
    assert (state(labeled).holdout == first).all()


def test_a_hold_out_that_leaves_too_few_types_is_refused_and_changes_nothing(labeled):
    before = state(labeled)
    donors = workspace(labeled).dataset.obs["batch"].unique()
    with pytest.raises(LabelsUnusable, match="Fewer than two types"):
        by_donor(labeled, *donors)
    assert state(labeled).seq == before.seq


def test_accepted_predictions_are_never_set_aside_as_truth(labeled):
    from scanvi_core.project.label_log import events

    store = workspace(labeled).store
    open_ = np.flatnonzero(state(labeled).codes < 0)[:200]
    store.append(events.accept(open_, "Dendritic", reason="review"))
    holdout.set_aside(workspace(labeled), HoldoutRequest(fraction=0.5))
    assert not state(labeled).holdout[open_].any()


def test_a_broader_label_leaves_its_types_open(labeled):
    edit.set_parents(workspace(labeled), T_CELLS)
    rows = np.flatnonzero(state(labeled).codes < 0)[:5]
    edit.name_cells(workspace(labeled), rows, "T cell", "lasso")
    found = inputs(labeled)
    assert "T cell" not in found.label_names
    assert (found.y[rows] >= len(found.label_names)).all()
    assert {found.code_names[code] for code in found.y[rows]} == {"T cell"}


def test_unknown_is_never_a_class(labeled):
    rows = np.flatnonzero(state(labeled).codes < 0)[:30]
    edit.name_cells(workspace(labeled), rows, keys.UNKNOWN, "review")
    found = inputs(labeled)
    assert keys.UNKNOWN not in found.code_names
    assert (found.y[rows] == -1).all()


def test_a_type_without_a_visible_label_is_no_class(labeled):
    rows = np.flatnonzero(state(labeled).holdout)[:3]
    edit.name_cells(workspace(labeled), rows, "Only set aside", "lasso")
    assert "Only set aside" not in inputs(labeled).label_names


def test_shares_of_types_the_model_does_not_have_are_left_out(labeled):
    edit.set_prior(workspace(labeled), {"CD56+ NK": 0.2, "Dendritic": 0.5})
    edit.clear_cells(workspace(labeled), np.flatnonzero(state(labeled).codes >= 0), "all")
    edit.name_cells(workspace(labeled), np.arange(20), "CD56+ NK", "lasso")
    assert inputs(labeled).prior == {"CD56+ NK": 0.2}


def test_batches_follow_the_column(labeled):
    opened = workspace(labeled)
    batches = opened.batches("batch")
    codes, names = batches.index, batches.names
    assert (np.array(names)[codes] == opened.dataset.obs["batch"].astype(str)).all()
    set_batch_key(workspace(labeled), None)
    assert inputs(labeled).batch_names == (ONE_BATCH,)
    assert not inputs(labeled).batch_index.any()


def test_cells_without_a_batch_name_are_a_batch_of_their_own(labeled):
    batches = workspace(labeled).batches("cell_type")
    codes, names = batches.index, batches.names  # a column with gaps
    missing = workspace(labeled).dataset.obs["cell_type"].isna().to_numpy()
    assert {names[code] for code in codes[missing]} == {"missing"}
    assert "missing" not in {names[code] for code in codes[~missing]}


# The plan -------------------------------------------------------------------------------------


def test_the_plan_counts_what_training_would_use(labeled):
    found, now = plan(labeled, n_top_genes=500), state(labeled)
    assert (found.n_obs, found.n_genes, found.n_labels, found.n_batches) == (700, 500, 10, 8)
    assert found.n_holdout == now.holdout.sum()
    assert found.n_labeled == (now.codes >= 0).sum() - now.holdout.sum()
    assert not found.problem


def test_the_plan_works_with_broader_labels(labeled):
    edit.set_parents(workspace(labeled), T_CELLS)
    edit.name_cells(workspace(labeled), np.arange(5), "T cell", "lasso")
    assert plan(labeled).n_labels == 10


def test_the_plan_flags_rare_types(labeled):
    edit.name_cells(workspace(labeled), np.array([0, 1]), "Rare", "lasso")
    (note,) = [note for note in plan(labeled).notes if "Rare" in note]
    assert note.startswith("Rare: fewer than 3 labeled cells")


def test_the_plan_offers_a_label_check_when_every_cell_is_labeled(project):
    edit.use_column(workspace(project), "expert_label", set())
    assert any("Every cell is labeled" in note for note in plan(project).notes)
    edit.clear_cells(workspace(project), np.array([0]), "lasso")
    assert not any("Every cell is labeled" in note for note in plan(project).notes)


@pytest.mark.parametrize("names", [(), ("B",), (keys.UNKNOWN, "B")])
def test_too_few_types_are_told_by_the_plan_and_refused_at_the_start(project, names):
    edit.start_empty(workspace(project))
    for i, name in enumerate(names):
        edit.name_cells(workspace(project), np.arange(10 * i, 10 * i + 10), name, "lasso")
    found = plan(project)
    assert found.problem and found.hint
    with pytest.raises(LabelsUnusable, match="Only one label" if names else "No labeled"):
        check_labels(workspace(project))
    with pytest.raises(LabelsUnusable):
        start.start(workspace(project), TrainRequest())
