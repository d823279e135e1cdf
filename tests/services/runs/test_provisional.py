"""Provisional predictions: there after a decision, for the newest labels, gone with a new run."""

import time

import numpy as np
import pytest

from scanvi_core import keys
from scanvi_core.annotation.review.card_clusters import LEAST_CELLS
from scanvi_core.config import LOW_CONFIDENCE
from scanvi_core.services import jobs
from scanvi_core.services.explore import colors
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, evidence, queue
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import workspace


def ready(project, timeout_s=120.0):
    """Ask as a page does, again and again, until nothing newer is on its way."""
    end = time.monotonic() + timeout_s
    while (now := provisional.state(workspace(project))).working:
        assert time.monotonic() < end
        time.sleep(0.02)
    return now


@pytest.fixture
def asked(trained):
    """A project with a model, whose user accepted the first card."""
    answers.accept(workspace(trained), queue.queue(workspace(trained))[0])
    return trained


def test_before_a_decision_there_are_none_and_no_job(trained):
    assert provisional.state(workspace(trained)) == provisional.ProvisionalState()
    assert jobs.list_jobs(f"{trained}/{provisional.PROVISIONAL}") == []


def test_a_decision_is_answered_off_the_page_and_labeled_cells_keep_their_label(asked):
    first = provisional.state(workspace(asked))
    assert first.working and first.newest is None
    found = ready(asked).newest
    state = workspace(asked).labels()
    assert found.seq == state.seq
    known = found.y >= 0
    told = np.array(found.predictions.names)[found.predictions.prediction[known]]
    assert (told == np.array(state.names)[state.codes[known]]).all()


def test_a_type_the_model_does_not_know_is_predicted(trained):
    model = results.current(workspace(trained))
    rows = np.flatnonzero(model.prediction == model.names.index("Dendritic"))
    edit.name_cells(workspace(trained), rows[: rows.size // 2], "Brand new", "lasso")
    found = ready(trained).newest
    code = found.predictions.names.index("Brand new")
    open_ = workspace(trained).labels().codes[rows] < 0
    assert (found.predictions.prediction[rows[open_]] == code).mean() > 0.5
    assert found.n_changed > 0


def test_many_decisions_are_worked_out_together_and_the_newest_counts(trained):
    cards = queue.queue(workspace(trained))
    for item in cards[:6]:
        answers.accept(workspace(trained), item)
        provisional.state(workspace(trained))
    found = ready(trained).newest
    assert found.seq == workspace(trained).labels().seq
    worked = [
        record["moment"]
        for job in jobs.list_jobs(f"{trained}/{provisional.PROVISIONAL}")
        for record in job.records
    ]
    assert len(worked) == len(set(worked)) <= 6


def test_they_are_not_told_among_the_jobs_of_the_project(asked):
    ready(asked)
    assert jobs.list_jobs(asked) == []


def test_a_new_run_puts_an_end_to_them(asked, train_now, request_brief):
    assert ready(asked).newest is not None
    train_now(asked, request_brief)
    assert provisional.state(workspace(asked)) == provisional.ProvisionalState()


def test_undoing_the_decision_brings_the_models_word_back(asked):
    ready(asked)
    edit.undo(workspace(asked))
    found, model = ready(asked).newest, results.current(workspace(asked))
    open_ = workspace(asked).labels().codes < 0
    assert found.n_changed == 0
    p, q = found.predictions.probabilities[open_], model.probabilities[open_]
    assert (p.argmax(axis=1) == q.argmax(axis=1)).all()


# What the review makes of them ------------------------------------------------------------------


def test_the_next_cards_are_made_of_them_and_the_one_in_front_stays(asked):
    front = queue.review_state(workspace(asked)).next_card([])
    made = ready(asked).newest
    cards = queue.queue(workspace(asked))
    assert {item.seq for item in cards} == {made.seq}
    open_ = (workspace(asked).labels().codes < 0) & ~made.predictions.holdout
    low = open_ & (made.predictions.confidence < LOW_CONFIDENCE)
    cluster = made.predictions.run.array("card_cluster")
    sizes = np.bincount(cluster[open_])
    wanted = {int(c) for c in np.unique(cluster[low]) if sizes[c] >= LEAST_CELLS}
    assert {int(cluster[item.rows[0]]) for item in cards} == wanted
    again = queue.card(workspace(asked), front.token)
    assert again is front and front.seq == 0


def test_no_card_asks_again_about_cells_that_were_skipped(asked):
    skipped = queue.review_state(workspace(asked)).next_card([])
    ready(asked)
    seen = [skipped]
    while (item := queue.review_state(workspace(asked)).next_card(seen)) is not None:
        shared = np.isin(item.rows, np.concatenate([card.rows for card in seen])).sum()
        assert 2 * shared <= item.rows.size
        seen.append(item)
    assert len(seen) > 1


def test_the_evidence_of_a_provisional_card_knows_new_types(trained):
    model = results.current(workspace(trained))
    rows = np.flatnonzero((model.prediction == 0) & (workspace(trained).labels().codes < 0))
    edit.name_cells(workspace(trained), rows[::2], "Brand new", "lasso")
    ready(trained)
    cards = [c for c in queue.queue(workspace(trained)) if "Brand new" in str(c.candidates[:2])]
    for item in cards:
        assert evidence.of(workspace(trained), item).batches["cells"].sum() == item.rows.size


def test_progress_counts_named_clear_and_open(asked):
    cards = queue._cards(
        workspace(asked), results.current(workspace(asked)).run_id, 0, queue.SUGGESTED
    )
    model = results.current(workspace(asked))
    doubtful = (model.run.array("y") < 0) & ~model.holdout & (model.confidence < LOW_CONFIDENCE)
    n_named = doubtful[cards[0].rows].sum()
    now = queue.review_state(workspace(asked)).progress
    assert (now.n_cells, now.n_named, now.n_clear) == (doubtful.sum(), n_named, 0)
    made = ready(asked).newest
    after = queue.review_state(workspace(asked)).progress
    rows = np.flatnonzero(doubtful & (workspace(asked).labels().codes < 0))
    sure = made.predictions.confidence[rows] >= LOW_CONFIDENCE
    assert after.n_clear == sure.sum()
    assert after.n_groups == len(queue.queue(workspace(asked)))
    assert after.fraction == pytest.approx((now.n_named + sure.sum()) / doubtful.sum())


def test_a_verdict_of_unknown_is_no_type(trained):
    answers.unknown(workspace(trained), queue.queue(workspace(trained))[0])
    found = ready(trained).newest
    assert keys.UNKNOWN not in found.predictions.names
    assert found.n_changed == 0


def test_maps_are_colored_by_them_and_say_so(asked):
    before = colors.coloring(workspace(asked), colors.PREDICTION)
    made = ready(asked).newest
    now = colors.coloring(workspace(asked), colors.PREDICTION)
    assert now.name == "Prediction (provisional)" and now.revision != before.revision
    told, should = np.array(now.names)[now.codes], np.array(made.predictions.names)
    assert (told == should[made.predictions.prediction]).all()
    sure = colors.coloring(workspace(asked), colors.CONFIDENCE)
    assert np.array_equal(sure.values, made.predictions.confidence)
