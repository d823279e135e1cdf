"""Flags of poor cells: suggested, chosen, recorded, kept per batch; and the doublets."""

import json

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.data.qc import limits
from scanvi_core.services import jobs
from scanvi_core.services.export import uncertainty_columns
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.quality import chosen_limits, doublets, flags, preview
from scanvi_core.services.quality.chosen_limits import Choice, Limit
from scanvi_core.services.quality.flags import DOUBLET, GENES, MT, TOTALS
from scanvi_core.services.workspace import set_batch_key, workspace

WAIT_S = 120.0
CODE = dict(zip(limits.FLAG_NAMES, range(len(limits.FLAG_NAMES)), strict=True))


def batches_of(project):
    opened = workspace(project)
    return opened.batches(opened.batch_key)


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


@pytest.fixture
def poor(project):
    """A project with poor cells in rows 0 (for two reasons) to 2, and an empty one in row 4."""
    folder = workspace(project).dataset.folder
    for name, row, value in (
        ("totals", 0, 20.0), ("n_genes_by_counts", 1, 9), ("pct_counts_mt", 2, 80.0),
        ("pct_counts_mt", 0, 90.0), ("totals", 4, 0.0),
    ):  # fmt: skip
        values = np.load(folder / f"{name}.npy")
        values[row] = value
        np.save(folder / f"{name}.npy", values)
    return project


def look(project):
    opened = workspace(project)
    job = ForegroundJob(project, lambda *_: None)
    doublets.search(opened, batches_of(project), job)


def names_of(codes):
    return [limits.FLAG_NAMES[code] for code in codes]


# What is flagged -------------------------------------------------------------------------------


def test_poor_cells_are_flagged_with_the_first_reason_and_no_other_cell_is(poor):
    found = flags.flags(workspace(poor), batches_of(poor))
    assert names_of(found[:5]) == [
        "low counts",
        "few genes",
        "high mitochondrial",
        "ok",
        "no counts",
    ]
    assert not found[5:].any()


def test_a_preview_flags_what_it_says_and_changes_nothing(poor):
    choice = Choice().with_limit(TOTALS, 600)
    found = preview.view(workspace(poor), choice)
    totals = workspace(poor).dataset.totals
    own = next(measure for measure in found.measures if measure.key == TOTALS)
    assert own.n_flagged == np.count_nonzero((totals > 0) & (totals < 600))
    assert own.histogram["flagged"].sum() == own.n_flagged
    assert own.histogram[["kept", "flagged"]].to_numpy().sum() == 699
    assert found.n_flagged == np.count_nonzero(totals < 600) + np.count_nonzero(totals[1:3] >= 600)
    assert found.by_batch["flagged"].sum() == found.n_flagged
    assert chosen_limits.saved(workspace(poor), workspace(poor).batch_key) == Choice()
    assert np.count_nonzero(flags.flags(workspace(poor), batches_of(poor))) == 4


def test_labeled_cells_among_the_flagged_are_counted(labeled):
    codes = workspace(labeled).labels().codes
    found = preview.view(workspace(labeled), Choice().with_limit(TOTALS, 500))
    flagged = workspace(labeled).dataset.totals < 500
    assert found.n_labeled == np.count_nonzero(flagged & (codes >= 0)) > 0


def test_one_batch_in_view_shows_its_own_cells_and_limit(poor):
    batches = batches_of(poor)
    choice = Choice().with_limit(TOTALS, 600).with_limit(TOTALS, 300, batches.names[2])
    found = preview.view(workspace(poor), choice, batches.names[2])
    own = found.measures[0]
    totals, inside = workspace(poor).dataset.totals, batches.index == 2
    assert own.limit == 300
    assert own.n_flagged == np.count_nonzero(inside & (totals < 300) & (totals > 0))
    assert found.n_flagged == preview.view(workspace(poor), choice).n_flagged
    limit = np.where(inside, 300, 600)
    assert found.n_flagged == np.count_nonzero(totals < limit) + np.count_nonzero(
        totals[1:3] >= limit[1:3]
    )


def test_a_limit_for_all_batches_replaces_those_of_single_ones(project):
    choice = Choice().with_limit(GENES, 50, "batch 1").with_limit(GENES, 70)
    assert choice.limits == {GENES: Limit(70)}


# What is recorded ------------------------------------------------------------------------------


def test_limits_are_recorded_in_the_project_and_hold_after_it_is_opened_again(poor):
    chosen_limits.save(
        workspace(poor), Choice().with_limit(MT, 5.0, "batch 1").with_limit(TOTALS, 400)
    )
    before = flags.flags(workspace(poor), batches_of(poor))
    opened = workspace(poor)
    written = json.loads((opened.project.root / "settings.json").read_text())["quality"]
    assert written["limits"][TOTALS]["every"] == 400
    assert written["limits"][MT]["own"] == {"batch 1": 5.0}
    assert (before == flags.flags(workspace(poor), batches_of(poor))).all()
    assert np.count_nonzero(before == CODE["low counts"]) == np.count_nonzero(
        (opened.dataset.totals < 400) & (opened.dataset.totals > 0)
    )


def test_limits_of_single_batches_hold_for_their_column_only(project):
    chosen_limits.save(
        workspace(project), Choice().with_limit(TOTALS, 400, "batch 1").with_limit(GENES, 90)
    )
    set_batch_key(workspace(project), "louvain")
    assert chosen_limits.saved(workspace(project), workspace(project).batch_key).limits == {
        GENES: Limit(90)
    }
    set_batch_key(workspace(project), "batch")
    assert set(chosen_limits.saved(workspace(project), workspace(project).batch_key).limits) == {
        GENES,
        TOTALS,
    }


def test_nobody_is_left_out_of_training_unless_asked_for(poor):
    opened, batches = workspace(poor), batches_of(poor)
    assert flags.left_out(opened, batches) is None
    before = flags.revision(opened, batches.key)
    chosen_limits.save(workspace(poor), Choice(leave_out=True))
    assert np.flatnonzero(flags.left_out(opened, batches)).tolist() == [0, 1, 2, 4]
    assert flags.revision(opened, batches.key) != before
    chosen_limits.save(workspace(poor), Choice())
    assert flags.left_out(opened, batches) is None


def test_the_record_of_an_export_holds_the_limit_of_every_batch(project):
    chosen_limits.save(
        workspace(project), Choice().with_limit(TOTALS, 400).with_limit(TOTALS, 300, "batch 2")
    )
    batches = batches_of(project)
    record = json.loads(json.dumps(flags.record(workspace(project), batches_of(project))))
    assert set(record["limits"]) == {TOTALS, GENES, MT}
    assert record["limits"][TOTALS] == dict.fromkeys(batches.names, 400.0) | {"batch 2": 300.0}
    assert record["chosen"]["limits"][TOTALS]["every"] == 400.0


def test_the_flags_can_be_exported_without_a_model(poor):
    codes, names = uncertainty_columns.columns(workspace(poor))[keys.QC_FLAG]
    assert [names[code] for code in codes[:2]] == ["low counts", "few genes"]
    assert keys.DOUBLET not in uncertainty_columns.columns(workspace(poor))
    look(poor)
    assert np.isfinite(uncertainty_columns.columns(workspace(poor))[keys.DOUBLET][5:]).all()


def test_what_only_the_look_after_training_tells_is_added_to_flags(poor):
    opened, batches = workspace(poor), batches_of(poor)
    seen = np.zeros(700, dtype=np.int8)
    rows = [0, 10, 11, 12, 13]
    words = ["doublet", "doublet", "stray batch", "no counts", "few genes"]
    seen[rows] = [CODE[word] for word in words]
    flagged = names_of(flags.with_model_checks(opened, batches, seen)[rows])
    assert flagged == ["low counts", "ok", "stray batch", "no counts", "ok"]


# Doublets --------------------------------------------------------------------------------------


def test_doublets_are_looked_for_in_the_background_and_kept_per_batch(project):
    assert DOUBLET not in flags.measures(workspace(project), batches_of(project))
    job = jobs.wait(doublets.start(workspace(project)), WAIT_S)
    assert job.status is jobs.JobStatus.DONE, job.error
    opened, batches = workspace(project), batches_of(project)
    assert flags.measures(opened, batches)[-1] == DOUBLET
    score = flags.values(opened, DOUBLET, batches)
    assert np.isfinite(score).all() and score.shape == (700,)
    found = preview.view(workspace(project), Choice().with_limit(DOUBLET, 0.1))
    assert found.measures[-1].n_flagged == np.count_nonzero(score > 0.1) > 0
    set_batch_key(workspace(project), "louvain")
    assert not flags.doublet_version(workspace(project), workspace(project).batch_key)


def test_batches_too_small_are_named_and_their_cells_not_flagged(project):
    set_batch_key(workspace(project), "louvain")  # its smallest clusters have fewer than 50 cells
    look(project)
    batches = batches_of(project)
    sizes = np.bincount(batches.index)
    score = flags.values(workspace(project), DOUBLET, batches)
    assert (np.isnan(score) == (sizes < 50)[batches.index]).all()
    note = doublets.notes(workspace(project), "louvain")
    assert len(note) == 1 and "fewer than 50 cells" in note[0]
    found = preview.view(workspace(project), Choice().with_limit(DOUBLET, 0.0))
    assert found.measures[-1].n_flagged == np.isfinite(score).sum()
    assert note[0] in found.notes


def test_one_batch_that_is_too_large_is_sent_to_the_batch_column():
    problem = {"40,000 cells, more than 30,000: no single sample is so large": ["all cells"]}
    said = doublets.sentences(problem, None)
    assert said[0].startswith("The cells were not looked at: 40,000 cells")
    assert "Choose the batch column" in said[0]
    many = doublets.sentences({"few": list("abcde")}, "donor")
    assert many == ["a, b, c and 2 more were not looked at: few."]


def test_a_stopped_search_leaves_nothing(project):
    class Stopped(ForegroundJob):
        def should_stop(self):
            return self._now.fraction > 0.2

    doublets.search(workspace(project), batches_of(project), Stopped(project, lambda *_: None))
    assert not flags.doublet_version(workspace(project), workspace(project).batch_key)
    assert doublets.notes(workspace(project), "batch") == ()


def test_a_slider_has_the_scale_of_its_plot(poor):
    found = preview.view(workspace(poor), Choice())
    for measure in found.measures:
        starts = [float(text.replace(",", "")) for text in measure.histogram["from"]]
        width = measure.top / len(starts)
        assert starts[0] == 0 and abs(starts[-1] + width - measure.top) <= max(width, 1.0)
        assert 0 <= measure.limit <= measure.top
