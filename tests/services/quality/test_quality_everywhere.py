"""Limits of the Check page hold in training, the reasons for doubt, the maps and the export."""

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.data.qc import limits
from scanvi_core.services import jobs
from scanvi_core.services.annotate import ForegroundJob
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.explore import colours
from scanvi_core.services.export import uncertainty_columns
from scanvi_core.services.quality import chosen_limits, doublets
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.quality.flags import DOUBLET, TOTALS
from scanvi_core.services.runs import results
from scanvi_core.services.runs.inputs import inputs_of
from scanvi_core.services.workspace import workspace

WAIT_S = 120.0
CHOICE = Choice().with_limit(TOTALS, 500)


def batches_of(project):
    opened = workspace(project)
    return opened.batches(opened.batch_key)


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def silent(project):
    return ForegroundJob(project, lambda *_: None)


def poor(project):
    return np.asarray(workspace(project).dataset.totals) < 500


def test_flagged_cells_are_trained_on_unless_the_user_wants_otherwise(labelled):
    opened = workspace(labelled)
    before = inputs_of(opened)
    chosen_limits.save(workspace(labelled), CHOICE)
    assert inputs_of(opened).rows.all()
    chosen_limits.save(workspace(labelled), Choice(CHOICE.limits, leave_out=True))
    without = inputs_of(opened)
    assert (without.rows == ~poor(labelled)).all()
    assert (without.y == np.where(without.rows, before.y, -1)).all()
    chosen_limits.save(workspace(labelled), CHOICE)
    assert (inputs_of(opened).y == before.y).all() and inputs_of(opened).rows.all()


def test_cells_left_out_of_training_are_predicted(labelled, request_brief, train_now):
    chosen_limits.save(workspace(labelled), Choice(CHOICE.limits, leave_out=True))
    train_now(labelled, request_brief)
    found = results.current(workspace(labelled))
    assert found.summary["n_cells"] == 700 - poor(labelled).sum()
    assert (found.prediction >= 0).all()


def test_a_limit_changed_after_the_look_changes_reasons_export_and_map_alike(trained):
    uncertainty_job.check_run(
        workspace(trained), workspace(trained).current_run().id, silent(trained)
    )
    before = uncertainty.reasons(workspace(trained))
    chosen_limits.save(workspace(trained), CHOICE)
    after = uncertainty.reasons(workspace(trained))
    low = after.qc == limits.LOW_COUNTS
    assert (low == poor(trained)).all() and low.sum() > (before.qc == limits.LOW_COUNTS).sum()
    assert (after.reason[after.qc != limits.FINE] == uncertainty.TECHNICAL).all()
    same = before.qc == after.qc
    assert (after.reason[same] == before.reason[same]).all()
    codes, names = uncertainty_columns.columns(workspace(trained))[keys.QC_FLAG]
    assert (np.array(names)[codes] == np.array(limits.FLAG_NAMES)[after.qc]).all()
    colouring = colours.colouring(workspace(trained), colours.QUALITY)
    assert (colouring.codes == after.qc - 1).all()


def test_doublets_of_the_check_page_go_before_those_of_the_look(trained):
    doublets.search(workspace(trained), batches_of(trained), silent(trained))
    chosen_limits.save(workspace(trained), Choice().with_limit(DOUBLET, 0.12))
    uncertainty_job.check_run(
        workspace(trained), workspace(trained).current_run().id, silent(trained)
    )
    found = uncertainty.reasons(workspace(trained))
    assert ((found.qc == limits.DOUBLETS) == (found.doublet_score > 0.12)).all()
    assert (found.qc == limits.DOUBLETS).any()


def test_flags_are_on_the_map_and_in_the_export_before_any_model(labelled):
    chosen_limits.save(workspace(labelled), CHOICE)
    assert colours.QUALITY in colours.colour_options(workspace(labelled))
    assert (
        (colours.colouring(workspace(labelled), colours.QUALITY).codes >= 0) == poor(labelled)
    ).all()
    codes, _ = uncertainty_columns.columns(workspace(labelled))[keys.QC_FLAG]
    assert ((codes > 0) == poor(labelled)).all()
