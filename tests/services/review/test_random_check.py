"""How right a model is, by cells drawn at random that somebody names."""

import numpy as np

from scanvi_core import keys
from scanvi_core.metrics.intervals import exact_interval
from scanvi_core.services.labels import edit
from scanvi_core.services.review import queue
from scanvi_core.services.review.queue import CHECK
from scanvi_core.services.review.random_check import N_CHECKS, random_check
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import workspace


def known(project):
    return random_check(queue.review_state(workspace(project)))


def test_nothing_is_known_without_a_model(labeled):
    assert known(labeled) is None


def test_cells_are_drawn_one_by_one_from_all_that_have_no_label(trained):
    review = queue.review_state(workspace(trained))
    cards = review.cards(CHECK)
    drawn = np.array([card.drawn for card in cards])
    assert all(card.rows.tolist() == [card.drawn] for card in cards)
    assert len(set(drawn)) == len(cards) >= N_CHECKS
    assert not review.named[drawn].any()
    predictions = results.current(workspace(trained))
    open_ = ~review.named & ~predictions.holdout
    assert known(trained).n_open == open_.sum()
    sure = predictions.confidence[open_].mean()  # the doubtful ones are among them, as often
    assert abs(predictions.confidence[drawn].mean() - sure) < 0.1
    assert np.array_equal(
        drawn, [card.drawn for card in queue.review_state(workspace(trained)).cards(CHECK)]
    )


def test_the_share_that_is_right_is_told_with_its_interval(trained):
    opened = workspace(trained)
    predictions = results.current(opened)
    cards = queue.review_state(opened).cards(CHECK)
    own = [predictions.names[predictions.prediction[card.drawn]] for card in cards[:4]]
    other = next(name for name in predictions.names if name != own[1])
    for card, name in zip(cards, (own[0], other, keys.UNKNOWN, own[3]), strict=False):
        edit.name_cells(opened, np.array([card.drawn]), name, "review")
    found = known(trained)
    assert (found.n_checked, found.n_right) == (3, 2)
    assert found.interval == exact_interval(2, 3)
    assert found.sentence.startswith(
        "The model was right about 2 of 3 cells drawn at random: between"
    )
    assert found.n_missing == N_CHECKS - 3


def test_a_cell_out_of_turn_does_not_count(trained):
    opened = workspace(trained)
    cards = queue.review_state(opened).cards(CHECK)
    edit.name_cells(opened, np.array([cards[1].drawn]), "B", "review")
    assert known(trained).n_checked == 0 and not known(trained).sentence
    edit.name_cells(opened, np.array([cards[0].drawn]), "B", "review")
    assert known(trained).n_checked == 2
