"""Which labels are evidence about a group, and which are certain."""

import numpy as np

from scanvi_core.project.label_log.replay.state import GIVEN
from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics.uncertainty_job import ISSUE_SCORE
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.decisions import BROUGHT, CERTAIN, decisions
from scanvi_core.services.runs.frozen_run import DECISION, frozen_inputs
from scanvi_core.services.training.soft_targets import soft_labels_of
from scanvi_core.services.workspace import workspace


def steps(project):
    opened = workspace(project)
    return decisions(opened, opened.labels().seq)


def test_labels_of_the_file_and_single_cells_are_certain_groups_are_not(labeled):
    opened = workspace(labeled)
    brought = opened.labels().codes >= 0
    assert ((steps(labeled) == BROUGHT) == brought).all() and (steps(labeled) < 0).all()
    open_ = np.flatnonzero(opened.labels().codes < 0)
    edit.name_cells(opened, open_[:8], "Mine", "review")
    group = opened.labels().seq
    edit.name_cells(opened, open_[8:9], "Mine", "lasso")
    assert (steps(labeled)[open_[:8]] == group).all()
    assert steps(labeled)[open_[8]] == CERTAIN
    edit.name_cells(opened, open_[:1], "Other", "lasso")  # looked at by itself
    assert steps(labeled)[open_[0]] == CERTAIN and steps(labeled)[open_[1]] == group


def test_what_was_taken_back_or_taken_off_is_no_decision(labeled):
    opened = workspace(labeled)
    open_ = np.flatnonzero(opened.labels().codes < 0)
    edit.name_cells(opened, open_[:8], "Mine", "review")
    edit.clear_cells(opened, open_[:2], "lasso")
    assert (steps(labeled)[open_[:2]] == CERTAIN).all()
    opened.store.undo()
    opened.store.undo()
    assert (steps(labeled) < 0).all()


def test_a_retraining_learns_soft_labels_of_the_groups_and_the_first_training_none(
    trained, train_now, request_brief
):
    opened = workspace(trained)
    first = opened.current_run()
    assert first.settings.taught_by is None and not first.has_array(DECISION)
    assert soft_labels_of(opened.project, first, frozen_inputs(first)) is None
    open_ = np.flatnonzero(opened.labels().codes < 0)
    edit.name_cells(opened, open_[:10], "Mine", "review")
    second = Run.open(opened.project, train_now(trained, request_brief))
    assert second.settings.taught_by == first.id
    soft = soft_labels_of(opened.project, second, frozen_inputs(second))
    mine = second.settings.label_names.index("Mine")
    assert 0.5 < soft[open_[:10], mine].mean() < 1
    given = np.flatnonzero(opened.labels().codes >= 0)
    given = given[~np.isin(given, open_[:10]) & ~opened.labels().holdout[given]]
    assert (soft[given].max(axis=1) == 1).all()
    assert opened.labels().codes[open_[0]] == opened.labels().names.index("Mine")  # as it was said


def test_labels_that_were_brought_count_by_the_probability_that_they_are_wrong(
    trained, train_now, request_brief
):
    opened = workspace(trained)
    first = opened.current_run()
    given = np.flatnonzero((first.array("y") >= 0) & (opened.labels().sources == GIVEN))
    by_hand, doubted, trusted = given[:3]
    wrong = np.zeros(opened.dataset.n_obs, dtype=np.float32)
    wrong[[by_hand, doubted]] = 0.7
    first.write_array(ISSUE_SCORE, wrong)
    open_ = np.flatnonzero(opened.labels().codes < 0)
    edit.name_cells(opened, open_[:10], "Mine", "review")
    state = opened.labels()
    edit.name_cells(opened, [by_hand], state.names[state.codes[by_hand]], "lasso")  # confirmed
    second = Run.open(opened.project, train_now(trained, request_brief))
    inputs = frozen_inputs(second)
    soft = soft_labels_of(opened.project, second, inputs)
    own = soft[np.arange(len(soft)), np.maximum(inputs.y, 0)]
    assert own[doubted] == np.float32(0.3) and own[trusted] == own[by_hand] == 1.0
