"""Limits of the Check page hold in training, the reasons for doubt, the maps and the export."""

import anndata
import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.data.qc import limits
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.explore import colors
from scanvi_core.services.export import uncertainty_columns, write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.quality import chosen_limits, doublets, flags
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


def test_flagged_cells_are_trained_on_unless_the_user_wants_otherwise(labeled):
    opened = workspace(labeled)
    before = inputs_of(opened)
    chosen_limits.save(workspace(labeled), CHOICE)
    assert inputs_of(opened).rows.all()
    chosen_limits.save(workspace(labeled), Choice(CHOICE.limits, leave_out=True))
    without = inputs_of(opened)
    assert (without.rows == ~poor(labeled)).all()
    assert (without.y == np.where(without.rows, before.y, -1)).all()
    chosen_limits.save(workspace(labeled), CHOICE)
    assert (inputs_of(opened).y == before.y).all() and inputs_of(opened).rows.all()


def test_cells_left_out_of_training_are_predicted(labeled, request_brief, train_now):
    chosen_limits.save(workspace(labeled), Choice(CHOICE.limits, leave_out=True))
    train_now(labeled, request_brief)
    found = results.current(workspace(labeled))
    assert found.summary["n_cells"] == 700 - poor(labeled).sum()
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
    assert (after.reason[after.qc != limits.FINE] == uncertainty.Reason.TECHNICAL).all()
    same = before.qc == after.qc
    assert (after.reason[same] == before.reason[same]).all()
    codes, names = uncertainty_columns.columns(workspace(trained))[keys.QC_FLAG]
    assert (np.array(names)[codes] == np.array(limits.FLAG_NAMES)[after.qc]).all()
    coloring = colors.coloring(workspace(trained), colors.QUALITY)
    assert (coloring.codes == after.qc - 1).all()


def test_doublets_of_the_check_page_go_before_those_of_the_look(trained):
    doublets.search(workspace(trained), batches_of(trained), silent(trained))
    chosen_limits.save(workspace(trained), Choice().with_limit(DOUBLET, 0.12))
    uncertainty_job.check_run(
        workspace(trained), workspace(trained).current_run().id, silent(trained)
    )
    found = uncertainty.reasons(workspace(trained))
    assert ((found.qc == limits.DOUBLETS) == (found.doublet_score > 0.12)).all()
    assert (found.qc == limits.DOUBLETS).any()


def search(project):
    doublets.search(workspace(project), batches_of(project), silent(project))


def judge(project):
    uncertainty_job.check_run(
        workspace(project), workspace(project).current_run().id, silent(project)
    )


@pytest.mark.parametrize(
    "clicks",
    [
        pytest.param([judge], id="only the look after training"),
        pytest.param([search, judge], id="Check data first"),
        pytest.param([judge, search], id="Check data afterwards"),
        pytest.param([search], id="no look"),
    ],
)
def test_the_exported_doublet_score_does_not_depend_on_the_order_of_clicks(
    labeled, trained, clicks, tmp_path
):
    search(labeled)
    expected = uncertainty_columns.columns(workspace(labeled))[keys.DOUBLET]
    assert np.isfinite(expected).all() and np.ptp(expected) > 0.1
    for click in clicks:
        click(trained)
    obs = anndata.read_h5ad(
        write.write(workspace(trained), ExportChoice(), tmp_path / "o.h5ad")
    ).obs
    np.testing.assert_array_equal(obs[keys.DOUBLET], expected)
    flagged = flags.flags(workspace(labeled), batches_of(labeled)) == limits.DOUBLETS
    assert ((obs[keys.QC_FLAG] == "doublet") == flagged).all()


def test_a_look_stopped_among_the_doublets_goes_on_with_them(trained):
    class Stopped(ForegroundJob):
        def should_stop(self):
            return "all cells" in self._now.message or "in " in self._now.message

    run = workspace(trained).current_run()
    uncertainty_job.check_run(workspace(trained), run.id, Stopped(trained, lambda *_: None))
    assert not run.has_array(uncertainty_job.QC) and run.has_array(uncertainty_job.IS_NOVEL)
    judge(trained)
    opened = workspace(trained)
    assert uncertainty.reasons(opened) is not None
    assert flags.doublet_version(opened, opened.batch_key)


def test_scores_an_earlier_version_kept_with_a_run_are_not_exported(trained, monkeypatch):
    monkeypatch.setattr(uncertainty_job, "MAX_DOUBLET_CELLS", 0)
    judge(trained)
    run = workspace(trained).current_run()
    run.write_array("doublet_score", np.ones(700, dtype=np.float32))
    found = uncertainty.reasons(workspace(trained))
    assert np.isnan(found.doublet_score).all()
    assert not (found.qc == limits.DOUBLETS).any()
    search(trained)
    assert np.isfinite(uncertainty.reasons(workspace(trained)).doublet_score).all()


def test_flags_are_on_the_map_and_in_the_export_before_any_model(labeled):
    chosen_limits.save(workspace(labeled), CHOICE)
    assert colors.QUALITY in colors.color_options(workspace(labeled))
    assert (
        (colors.coloring(workspace(labeled), colors.QUALITY).codes >= 0) == poor(labeled)
    ).all()
    codes, _ = uncertainty_columns.columns(workspace(labeled))[keys.QC_FLAG]
    assert ((codes > 0) == poor(labeled)).all()
