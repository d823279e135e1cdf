"""Opinions in the predictions of a run: a good one helps, and a bad one does no harm."""

import numpy as np
import pytest

from scanvi_core.annotation.review.card_clusters import LEAST_CELLS
from scanvi_core.project import opinions
from scanvi_core.project.opinions import Opinion
from scanvi_core.project.runs import Run
from scanvi_core.services.labels import edit
from scanvi_core.services.opinions import prediction
from scanvi_core.services.opinions.from_columns import ELSEWHERE, TOOL, YES
from scanvi_core.services.review import queue
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace
from tests.projects import train_now

OTHERS = "abcdefghijklmnop"  # its own words, which mean nothing here


@pytest.fixture
def opened(trained):
    return workspace(trained)


@pytest.fixture
def truth(opened):
    """What experts say of every cell; the labels of the project are some of these."""
    values = opened.dataset.values("expert_label").astype("category").cat
    return values.codes.to_numpy(np.int32)


def keep(opened, labels, name="CellTypist", about=None):
    scores = np.full(len(labels), np.nan, np.float32)
    about = {TOOL: name, ELSEWHERE: YES} if about is None else about
    made = Opinion(name, tuple(OTHERS), labels.astype(np.int32), scores, "column", {}, about)
    return opinions.keep(opened.project, made)


def probabilities(opened):
    return np.array(opened.current_run().array("probabilities"))


def accuracy(opened):
    """Return how many of the cells without a label the run names as the experts do."""
    run = opened.current_run()
    names = np.array(run.settings.label_names)
    said = names[np.array(run.array("probabilities")).argmax(axis=1)]
    open_ = (np.array(run.array("y")) < 0) & ~np.array(run.array("holdout"))
    experts = opened.dataset.values("expert_label").astype(str).to_numpy()
    known = open_ & np.isin(experts, names)
    return float(np.mean(said[known] == experts[known]))


def noisy(truth, share):
    random = np.random.default_rng(0)
    wrong = random.integers(0, truth.max() + 1, truth.size)
    return np.where(random.random(truth.size) < share, wrong, truth)


def test_a_good_opinion_makes_more_predictions_right(opened, truth):
    before = accuracy(opened)
    keep(opened, noisy(truth, 0.1))
    said = prediction.pool_into(opened, opened.current_run())
    assert said.startswith("Opinions heeded, by weight: CellTypist (")
    assert accuracy(opened) > before + 0.05
    assert np.allclose(probabilities(opened).sum(axis=1), 1, atol=1e-5)


def test_bad_opinions_change_nothing(opened, truth):
    before = probabilities(opened)
    random = np.random.default_rng(1)
    keep(opened, random.permutation(truth))
    keep(opened, random.integers(0, len(OTHERS), truth.size), "any")
    keep(opened, np.zeros_like(truth), "always")
    keep(opened, np.full_like(truth, -1), "quiet")
    said = prediction.pool_into(opened, opened.current_run())
    assert "heeded, by" not in said and said.startswith("Not heeded")
    np.testing.assert_array_equal(probabilities(opened), before)


def test_one_that_learned_from_the_labels_here_has_no_say_before_decisions(opened):
    said = probabilities(opened).argmax(axis=1)
    known = np.array(opened.current_run().array("y"))
    before = probabilities(opened)
    keep(opened, np.where(known >= 0, known, said), "scANVI", about={TOOL: "scANVI"})
    prediction.pool_into(opened, opened.current_run())
    np.testing.assert_array_equal(probabilities(opened), before)


def test_labels_set_aside_tell_nothing_of_an_opinion(opened, truth):
    aside = opened.labels().holdout
    keep(opened, np.where(aside, truth, noisy(truth, 1.0)))  # right there alone
    said = prediction.pool_into(opened, opened.current_run())
    assert aside.any() and said.startswith("Not heeded")


def test_an_update_heeds_opinions_and_its_scores_are_those_of_the_whole(opened, truth):
    from dataclasses import replace

    from tests.projects import BRIEF

    keep(opened, noisy(truth, 0.05))
    edit.name_cells(opened, np.flatnonzero(opened.labels().codes < 0)[:3], "Dendritic", "review")
    run = Run.open(opened.project, train_now(opened.id, replace(BRIEF, warm=True)))
    summary = run.summary
    assert any("Opinions heeded" in note for note in summary["notes"])
    assert summary["holdout"] == results.holdout_scores(run, run.array("probabilities"))
    alone = np.array(run.array("probabilities_scanvi"))
    assert not np.allclose(alone, run.array("probabilities"))


def test_cells_on_which_a_heeded_opinion_disagrees_with_the_model_are_asked_about(opened, truth):
    run, p = opened.current_run(), probabilities(opened)
    open_ = (np.array(run.array("y")) < 0) & ~np.array(run.array("holdout"))
    clusters = np.array(run.array("card_cluster"))
    sure = [
        rows for rows in (np.flatnonzero(open_ & (clusters == code)) for code in set(clusters))
        if rows.size >= LEAST_CELLS and p[rows].max(axis=1).min() > 0.9
    ]  # fmt: skip
    other = sure[0]
    said = noisy(truth, 0.05)
    said[other] = (truth[other[0]] + 1) % (truth.max() + 1)
    keep(opened, said)
    prediction.pool_into(opened, run)
    asked = np.concatenate([card.rows for card in queue.queue(opened)])
    assert np.isin(other, asked).any()
    assert not np.isin(np.concatenate(sure[1:]), asked).mean() > 0.5
