"""What is read from a model: final labels, review, scores."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from scanvi_core import keys
from scanvi_core.annotation.review.card_clusters import LEAST_CELLS
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.errors import InputError
from scanvi_core.project.label_log.replay.state import ACCEPTED, MANUAL
from scanvi_core.services.diagnostics import holdout_report
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.labels.holdout import HoldoutRequest
from scanvi_core.services.review import answers, evidence, queue
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def state(project):
    return workspace(project).labels()


def words(project):
    now = state(project)
    return np.array([*now.names, ""], dtype=object)[now.codes]


# Final labels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.0, 0.7, 1.1])
def test_the_users_labels_stand_and_predictions_fill_the_rest(trained, threshold):
    edit.name_cells(workspace(trained), np.array([0, 1]), "Mine", "lasso")
    found, own = results.current(workspace(trained)), words(trained)
    labels, sources = results.final_labels(workspace(trained), threshold=threshold)
    given = own != ""
    assert (labels[given] == own[given]).all()
    assert (sources[:2] == keys.MANUAL).all()
    sure = ~given & (found.confidence >= threshold)
    assert (labels[sure] == np.array(found.names)[found.prediction[sure]]).all()
    assert (sources[sure] == keys.PREDICTED).all()
    assert (labels[~given & ~sure] == "").all()
    assert (sources[~given & ~sure] == keys.UNLABELED).all()


def test_without_a_model_final_labels_are_the_users(labeled):
    labels, sources = results.final_labels(workspace(labeled), threshold=0.0)
    assert (labels == words(labeled)).all()
    assert set(sources) == {keys.GIVEN, keys.UNLABELED}


def test_changed_labels_counts_what_the_model_has_not_learned(trained):
    assert results.changed_labels(workspace(trained)) == 0
    open_ = np.flatnonzero(state(trained).codes < 0)[:7]
    edit.name_cells(workspace(trained), open_, "Dendritic", "lasso")
    assert results.changed_labels(workspace(trained)) == 7
    edit.clear_cells(workspace(trained), open_[:2], "lasso")
    assert results.changed_labels(workspace(trained)) == 5
    edit.name_cells(workspace(trained), open_[:2], keys.UNKNOWN, "review")
    assert results.changed_labels(workspace(trained)) == 5  # a verdict, nothing to learn
    edit.undo(workspace(trained))
    edit.undo(workspace(trained))
    edit.undo(workspace(trained))
    assert results.changed_labels(workspace(trained)) == 0


# Review ---------------------------------------------------------------------------------------


def test_the_queue_asks_about_every_cluster_with_a_doubtful_open_cell_once(trained):
    found = results.current(workspace(trained))
    open_ = (state(trained).codes < 0) & ~found.holdout
    doubtful, cluster = (
        open_ & (found.confidence < LOW_CONFIDENCE),
        found.run.array("card_cluster"),
    )
    asked = [int(cluster[item.rows[0]]) for item in queue.queue(workspace(trained))]
    large = np.bincount(cluster[open_], minlength=cluster.max() + 1) >= LEAST_CELLS
    assert sorted(asked) == [int(c) for c in np.unique(cluster[doubtful]) if large[c]]


def test_a_card_tells_its_candidates_best_first(trained):
    found = results.current(workspace(trained))
    item = queue.queue(workspace(trained))[0]
    mean = found.probabilities[item.rows].mean(axis=0)
    best = item.candidates[0]
    assert best.name == found.names[mean.argmax()]
    assert best.probability == pytest.approx(mean.max(), abs=1e-6)
    told = [candidate.probability for candidate in item.candidates]
    assert told == sorted(told, reverse=True)


def test_accepting_takes_the_first_candidate_for_the_cards_cells_only(trained):
    item, before = queue.queue(workspace(trained))[0], words(trained)
    answers.accept(workspace(trained), item)
    assert queue.review_state(workspace(trained)).is_decided(item)
    after = words(trained)
    assert (after[item.rows] == item.candidates[0].name).all()
    assert (state(trained).sources[item.rows] == ACCEPTED).all()
    assert (np.delete(after, item.rows) == np.delete(before, item.rows)).all()


@pytest.mark.parametrize("act", ["accept", "choose", "unknown"])
def test_a_decision_never_touches_a_label_of_the_user(trained, act):
    item = queue.queue(workspace(trained))[0]
    edit.name_cells(workspace(trained), item.rows[:2], "Mine", "lasso")
    more = ("Another",) if act == "choose" else ()
    getattr(answers, act)(workspace(trained), item, *more)
    assert (words(trained)[item.rows[:2]] == "Mine").all()
    assert (words(trained)[item.rows[2:]] != "Mine").all()
    assert queue.review_state(workspace(trained)).is_decided(item)


def test_choosing_and_unknown_are_by_hand_and_undo_opens_the_card_again(trained):
    first, second = queue.queue(workspace(trained))[:2]
    answers.choose(workspace(trained), first, first.candidates[1].name)
    answers.unknown(workspace(trained), second)
    assert (words(trained)[second.rows] == keys.UNKNOWN).all()
    both = np.concatenate([first.rows, second.rows])
    assert (state(trained).sources[both] == MANUAL).all()
    edit.undo(workspace(trained))
    review = queue.review_state(workspace(trained))
    assert review.is_decided(first) and not review.is_decided(second)
    edit.undo(workspace(trained))
    assert not queue.review_state(workspace(trained)).is_decided(first)


def test_choosing_for_a_decided_card_is_refused(trained):
    item = queue.queue(workspace(trained))[0]
    answers.unknown(workspace(trained), item)
    with pytest.raises(InputError, match="have a label already"):
        answers.choose(workspace(trained), item, "B")


def test_the_evidence_compares_the_cards_cells_with_both_candidates(trained):
    item = queue.queue(workspace(trained))[0]
    found = evidence.of(workspace(trained), item)
    first, second = item.candidates[:2]
    assert list(found.markers.columns) == ["gene", first.name, "these cells", second.name]
    dataset = workspace(trained).dataset
    row = found.markers.iloc[0]
    assert row["these cells"] == pytest.approx(dataset.gene(row["gene"])[item.rows].mean())
    assert found.batches["cells"].sum() == item.rows.size
    assert "look like" in found.verdict


# Scores ---------------------------------------------------------------------------------------


def test_scores_are_those_of_sklearn_on_the_cells_set_aside(trained):
    found, report = results.current(workspace(trained)), holdout_report.report(workspace(trained))
    aside = state(trained).holdout
    truth, told = words(trained)[aside], np.array(found.names)[found.prediction[aside]]
    assert report.scores.n == aside.sum()
    assert report.scores.accuracy == pytest.approx(accuracy_score(truth, told))
    matrix = confusion_matrix(truth, told, labels=list(found.names))
    assert (report.scores.confusion == matrix).all()
    support = matrix.sum(axis=1)
    scored = [name for name, n in zip(found.names, support, strict=True) if n >= 3]
    f1 = f1_score(truth, told, labels=scored, average="macro", zero_division=0)
    assert report.scores.macro_f1 == pytest.approx(f1)
    table = report.table.set_index("type")
    assert table["cells"].to_dict() == dict(zip(found.names, support, strict=True))


def test_the_page_and_the_summary_tell_the_same_score(trained):
    told, report = (
        results.current(workspace(trained)).summary["holdout"],
        holdout_report.report(workspace(trained)),
    )
    assert (told["n"], told["accuracy"]) == (report.scores.n, report.scores.accuracy)
    assert told["macro_f1"] == report.scores.macro_f1 and told["ece"] == report.scores.ece


def test_without_cells_set_aside_there_is_no_score(labeled, train_now, request_brief):
    assert holdout_report.report(workspace(labeled)) is None
    holdout.set_aside(workspace(labeled), HoldoutRequest(holdout.NONE))
    train_now(labeled, request_brief)
    assert holdout_report.report(workspace(labeled)) is None
    assert results.current(workspace(labeled)).summary["holdout"] is None


def test_setting_other_cells_aside_later_does_not_change_a_models_score(trained):
    before = holdout_report.report(workspace(trained)).scores.n
    holdout.set_aside(workspace(trained), HoldoutRequest(fraction=0.5, seed=3))
    assert holdout_report.report(workspace(trained)).scores.n == before


def test_a_rename_after_training_keeps_the_score(trained):
    before = holdout_report.report(workspace(trained))
    edit.rename(workspace(trained), "Dendritic", "DC")
    after = holdout_report.report(workspace(trained))
    assert after.scores.n == before.scores.n
    assert after.scores.accuracy == before.scores.accuracy


def test_cells_of_a_donor_without_labels_are_no_unknown_types(labeled, train_now, request_brief):
    request = HoldoutRequest(holdout.GROUP, column="batch", values=("batch 3",))
    holdout.set_aside(workspace(labeled), request)
    train_now(labeled, request_brief)
    report = holdout_report.report(workspace(labeled))
    aside = state(labeled).holdout & (state(labeled).codes >= 0)
    assert report.scores.n == aside.sum() < state(labeled).holdout.sum()
    assert not any("does not know" in note for note in report.notes)


def test_types_too_rare_to_score_are_named(trained):
    report = holdout_report.report(workspace(trained))
    rare = report.table.loc[report.table["cells"] < 3, "type"].tolist()
    assert rare and any(", ".join(rare) in note for note in report.notes)
