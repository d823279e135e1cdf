"""Which labels are evidence about a group, and which are certain."""

import numpy as np

from scanvi_core.project.runs import Run
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.decisions import CERTAIN, decisions
from scanvi_core.services.runs.frozen_run import DECISION, frozen_inputs
from scanvi_core.services.training.soft_targets import soft_labels_of
from scanvi_core.services.workspace import workspace


def steps(project):
    opened = workspace(project)
    return decisions(opened, opened.labels().seq)


def test_labels_of_the_file_and_single_cells_are_certain_groups_are_not(labeled):
    opened = workspace(labeled)
    assert (steps(labeled) == CERTAIN).all()
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
    assert (steps(labeled) == CERTAIN).all()


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
