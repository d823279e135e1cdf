"""Doubt, label errors and prediction sets of a trained project, through the real services."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.annotation.uncertainty import novelty
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.errors import StaleEdit
from scanvi_core.project.label_log import events
from scanvi_core.services import jobs
from scanvi_core.services.diagnostics import uncertainty, uncertainty_job
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.quality import chosen_limits
from scanvi_core.services.quality.chosen_limits import Choice
from scanvi_core.services.quality.flags import DOUBLET, TOTALS
from scanvi_core.services.runs import results
from scanvi_core.services.training import start
from scanvi_core.services.workspace import workspace
from scanvi_core.type_tree import TypeTree
from tests.projects import copy_of

WAIT_S = 120.0
KINDS = ("T cell", "CD19+ B", "Myeloid")


@pytest.fixture(autouse=True)
def no_job_left():
    yield
    assert jobs.shutdown(WAIT_S), "a test left a job running"


def run_of(project):
    return workspace(project).current_run()


def look(project):
    job = ForegroundJob(project, lambda *_: None)
    uncertainty_job.check_run(workspace(project), run_of(project).id, job)
    found = uncertainty.reasons(workspace(project))
    assert found is not None
    return found


def test_nothing_is_claimed_before_a_model_was_looked_at(trained):
    assert uncertainty.reasons(workspace(trained)) is None
    assert uncertainty.counts(workspace(trained)) is None
    assert uncertainty.label_issues(workspace(trained)) == ()
    assert uncertainty.latest(workspace(trained)) is None


def test_a_job_looks_at_the_model(trained):
    uncertainty.start(workspace(trained))
    uncertainty.start(workspace(trained))  # asked twice, done once
    job = jobs.wait(uncertainty.latest(workspace(trained)).id, WAIT_S)
    assert job.status is jobs.JobStatus.DONE, job.error
    assert len(jobs.list_jobs(trained)) == 1
    assert uncertainty.reasons(workspace(trained)).run_id == run_of(trained).id


def test_a_training_from_a_page_is_followed_by_a_look(labeled, request_brief):
    trained = jobs.wait(start.start(workspace(labeled), request_brief), WAIT_S)
    assert trained.status is jobs.JobStatus.DONE, trained.error
    job = jobs.wait(uncertainty.latest(workspace(labeled)).id, WAIT_S)
    assert job.status is jobs.JobStatus.DONE, job.error
    assert uncertainty.reasons(workspace(labeled)).run_id == trained.result


def test_a_run_keeps_what_was_said_of_labels_that_were_not_shown(trained):
    run = run_of(trained)
    judged, y = np.array(run.array(results.OUT_OF_FOLD)), np.array(run.array("y"))
    assert judged.shape == (700, len(results.current(workspace(trained)).names))
    assert (np.isfinite(judged).all(axis=1) <= (y >= 0)).all()
    assert np.isfinite(judged[y >= 0]).all(axis=1).mean() > 0.95


def test_a_look_that_was_stopped_goes_on_where_it_was(trained):
    class Stopped(ForegroundJob):
        def should_stop(self):
            return run_of(trained).has_array(uncertainty_job.IS_NOVEL)

    run = run_of(trained)
    uncertainty_job.check_run(workspace(trained), run.id, Stopped(trained, lambda *_: None))
    assert uncertainty.reasons(workspace(trained)) is None and run.has_array(
        uncertainty_job.IS_NOVEL
    )
    before = (run.root / "novelty.npy").stat().st_mtime_ns
    look(trained)
    assert (run.root / "novelty.npy").stat().st_mtime_ns == before


def test_a_model_that_went_on_is_looked_at_too(trained, train_now, request_brief):
    train_now(trained, replace(request_brief, warm=True))
    assert not run_of(trained).has_array(results.OUT_OF_FOLD)
    look(trained)
    judged, y = np.array(run_of(trained).array(results.OUT_OF_FOLD)), run_of(trained).array("y")
    assert np.isfinite(judged[y >= 0]).all(axis=1).mean() > 0.95
    assert np.isnan(judged[y < 0]).all()


def test_the_reasons_are_those_of_the_arrays(trained):
    chosen_limits.save(workspace(trained), Choice().with_limit(TOTALS, 500))
    found, model = look(trained), results.current(workspace(trained))
    poor = found.qc != 0
    novel = np.nan_to_num(found.novelty) >= novelty.NOVEL_FROM
    assert (found.reason[poor] == uncertainty.Reason.TECHNICAL).all() and poor.any()
    assert (found.reason[novel & ~poor] == uncertainty.Reason.NOVEL).all()
    unsure = model.confidence < LOW_CONFIDENCE
    assert ((found.reason == uncertainty.Reason.AMBIGUOUS) == (unsure & ~novel & ~poor)).all()


def test_poor_cells_are_technical_each_with_its_flag(trained):
    folder, run = workspace(trained).dataset.folder, run_of(trained)
    probabilities = np.array(run.array("probabilities"))
    for name, rows, value in (("totals", [0, 1], 5.0), ("pct_counts_mt", [2], 80.0)):
        array = np.load(folder / f"{name}.npy")
        array[rows] = value
        np.save(folder / f"{name}.npy", array)
    probabilities[3] = np.nan  # as of a cell without counts
    run.write_array("probabilities", probabilities)
    chosen_limits.save(workspace(trained), Choice().with_limit(DOUBLET, 0.12))
    found = look(trained)
    told = [uncertainty.QC_NAMES[code] for code in found.qc[:4]]
    assert told == ["low counts", "low counts", "high mitochondrial", "no counts"]
    assert (found.reason[:4] == uncertainty.Reason.TECHNICAL).all()
    assert np.isnan(found.novelty[3]) and np.isfinite(np.delete(found.novelty, 3)).all()
    assert not uncertainty.prediction_sets(workspace(trained)).members[3].any()
    doublets = found.qc == uncertainty.QC_NAMES.index("doublet")
    assert doublets.any() and found.doublet_score[doublets].min() > 0.12


def test_cells_of_which_only_the_broader_type_is_known_count_as_labeled(
    labeled, train_now, request_brief, monkeypatch
):
    names = workspace(labeled).labels().active
    parents = {name: ("T cell",) for name in names if name.startswith(("CD4+", "CD8+"))}
    edit.set_parents(workspace(labeled), parents)
    rows = np.flatnonzero(workspace(labeled).labels().codes < 0)[:20]
    edit.name_cells(workspace(labeled), rows, "T cell", "lasso")
    train_now(labeled, request_brief)
    given, find = [], novelty.find_novel
    monkeypatch.setattr(
        novelty, "find_novel", lambda x, y, *more: given.append(y) or find(x, y, *more)
    )
    look(labeled)
    assert (np.array(run_of(labeled).array("y"))[rows] >= len(names)).all()
    assert (given[0][rows] == results.current(workspace(labeled)).prediction[rows]).all()


def test_doublets_are_not_looked_for_among_very_many_cells(trained, monkeypatch):
    monkeypatch.setattr(uncertainty_job, "MAX_DOUBLET_CELLS", 699)
    found = look(trained)
    assert np.isnan(found.doublet_score).all()
    said = "Doublets were not looked for: more than 699 cells. Check data does it when asked."
    assert found.notes == (said,)


def test_a_type_that_is_hidden_altogether_is_found_as_new(labeled, train_now, request_brief):
    edit.delete_type(workspace(labeled), "CD19+ B")
    train_now(labeled, request_brief)
    expert = workspace(labeled).dataset.obs["expert_label"].astype(str).to_numpy()
    mine = expert == "CD19+ B"
    assert "CD19+ B" not in results.current(workspace(labeled)).names and mine.sum() > 20
    found = look(labeled)
    assert np.nanmedian(found.novelty[mine]) > np.nanmedian(found.novelty[~mine]) + 0.3


def test_the_counts_per_reason_are_of_cells_without_a_label(trained):
    found = look(trained)
    open_ = workspace(trained).labels().codes < 0
    counts = uncertainty.counts(workspace(trained))
    assert sum(counts.values()) == open_.sum()
    assert counts["technical"] == (found.reason[open_] == uncertainty.Reason.TECHNICAL).sum()


# Labels that look wrong ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swapped_folder(imported, request_brief, train_now, tmp_path_factory):
    """A project in three broad types, trained and looked at; 5 % of its labels are wrong."""
    with runtime.home_at(tmp_path_factory.mktemp("swapped")):
        project = copy_of(imported)
        opened = workspace(project)
        expert = opened.dataset.obs["expert_label"].astype(str)
        kinds = [
            expert.str.match("CD[48]\\+"), expert == "CD19+ B",
            expert.isin(["Dendritic", "CD14+ Monocyte"]),
        ]  # fmt: skip
        codes = np.select(kinds, range(3), -1).astype(np.int32)
        truth = codes.copy()
        random = np.random.default_rng(0)
        rows = random.choice(np.flatnonzero(codes >= 0), 32, replace=False)
        codes[rows] = (codes[rows] + random.integers(1, 3, 32)) % 3
        opened.store.append(events.import_labels(list(KINDS), codes, key="x"))
        edit.set_parents(workspace(project), dict.fromkeys(("T cell", "CD19+ B"), ("Lymphocyte",)))
        train_now(project, request_brief)
        look(project)
        return opened.project.root, dict(zip(rows.tolist(), truth[rows], strict=True))


@pytest.fixture
def swapped(home, swapped_folder):
    """A copy of it, and the true code of each wrongly labeled cell."""
    folder, wrong = swapped_folder
    return copy_of(folder), wrong


def test_wrong_labels_are_listed_the_worst_first(swapped):
    project, wrong = swapped
    issues = uncertainty.label_issues(workspace(project))
    scores = [issue.score for issue in issues]
    assert scores == sorted(scores, reverse=True)
    hits = [issue for issue in issues if issue.row in wrong]
    assert len(hits) >= 20 and len(hits) >= 0.8 * len(issues)
    assert np.mean([hit.suggestion == KINDS[wrong[hit.row]] for hit in hits]) > 0.9
    state = workspace(project).labels()
    assert all(issue.given == state.names[state.codes[issue.row]] for issue in issues)


def test_a_decision_is_one_event_and_leaves_the_list(swapped):
    project, _ = swapped
    first, second, *rest = uncertainty.label_issues(workspace(project))
    seq = workspace(project).labels().seq
    uncertainty.decide(workspace(project), [first], keep=True, seen=seq)
    uncertainty.decide(workspace(project), [second], keep=False, seen=seq + 1)
    state = workspace(project).labels()
    assert state.seq == seq + 2
    assert state.names[state.codes[first.row]] == first.given
    assert state.names[state.codes[second.row]] == second.suggestion
    assert uncertainty.label_issues(workspace(project)) == tuple(rest)
    edit.undo(workspace(project))
    assert second in uncertainty.label_issues(workspace(project))


def test_a_decision_does_not_replace_what_somebody_said_meanwhile(swapped):
    project, _ = swapped
    first = uncertainty.label_issues(workspace(project))[0]
    seq = workspace(project).labels().seq
    edit.name_cells(workspace(project), np.array([first.row]), "Else", "lasso")
    with pytest.raises(StaleEdit):
        uncertainty.decide(workspace(project), [first], keep=True, seen=seq)


def test_a_renamed_type_goes_by_its_new_name(swapped):
    project, _ = swapped
    before = uncertainty.label_issues(workspace(project))
    edit.rename(workspace(project), "T cell", "Lymphoid")
    new = {"T cell": "Lymphoid"}
    told = [
        (issue.given, issue.suggestion) for issue in uncertainty.label_issues(workspace(project))
    ]
    assert told == [
        (new.get(issue.given, issue.given), new.get(issue.suggestion, issue.suggestion))
        for issue in before
    ]


# Prediction sets -------------------------------------------------------------------------------


def test_sets_hold_the_likeliest_type_and_the_truth_mostly(trained):
    sets, found = (
        uncertainty.prediction_sets(workspace(trained)),
        results.current(workspace(trained)),
    )
    rows = np.arange(len(found.prediction))
    assert sets.members[rows, found.prediction].all()
    expert = workspace(trained).dataset.obs["expert_label"].astype(str).to_numpy()
    names = np.array(found.names)
    own = (names == expert[:, None]) & sets.members
    aside = found.holdout
    assert own[aside].any(axis=1).mean() >= 0.8
    wide = uncertainty.prediction_sets(workspace(trained), 0.99)
    assert wide.members.sum() > sets.members.sum()


def test_a_type_with_many_cells_has_the_threshold_of_its_own_calibrated_cells(trained):
    run, sets, found = (
        run_of(trained),
        uncertainty.prediction_sets(workspace(trained)),
        results.current(workspace(trained)),
    )
    powers = np.array(run.array("out_of_fold"), np.float64) ** (1 / found.summary["temperature"])
    judged = powers / powers.sum(axis=1, keepdims=True)
    code = found.names.index("Dendritic")
    own = np.sort(judged[(np.array(run.array("y")) == code) & np.isfinite(judged[:, 0]), code])
    assert len(own) >= 30
    least = own[int(np.floor((len(own) + 1) * 0.1)) - 1]
    p = found.probabilities[:, code]
    clear = np.abs(p - least) > 1e-6
    expected = (p >= least) | (found.prediction == code)
    assert (sets.members[:, code] == expected)[clear].all()


def test_sets_are_written_as_the_names_in_them(trained):
    sets = uncertainty.prediction_sets(workspace(trained))
    codes, texts = sets.coded()
    for row in range(0, 700, 50):
        told = texts[codes[row]].split(" | ")
        assert told == [
            n for n, own in zip(sets.tree.leaves, sets.members[row], strict=True) if own
        ]


def test_an_empty_set_has_no_text():
    two = np.array([[0, 0], [1, 1]], dtype=bool)
    codes, texts = uncertainty.PredictionSets(two, TypeTree(("a", "b")), 0.9, 30).coded()
    assert codes.tolist() == [-1, 0] and texts == ["a | b"]
    tree = TypeTree(("a", "b", "c"), {"a": ("both",), "b": ("both",)})
    sets = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    codes, texts = uncertainty.PredictionSets(sets, tree, 0.9, 30).coded()
    assert [texts[code] for code in codes] == ["both", "a | c", "b"]


def test_no_promise_without_labels_to_check_on(trained):
    run = run_of(trained)
    run.write_array("out_of_fold", np.full((700, 10), np.nan, np.float32))
    assert uncertainty.prediction_sets(workspace(trained)) is None
