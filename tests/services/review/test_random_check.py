"""How right a model is, by cells drawn at random that somebody names."""

import dataclasses

import numpy as np

from scanvi_core import keys
from scanvi_core.metrics.intervals import exact_interval
from scanvi_core.services.diagnostics import holdout_report, measured_batches
from scanvi_core.services.labels import edit
from scanvi_core.services.review import answers, measured, queue
from scanvi_core.services.review.queue import CHECK, SUGGESTED
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
        answers.choose(opened, card, name)
    found = known(trained)
    assert (found.n_checked, found.n_right) == (3, 2)
    assert found.interval == exact_interval(2, 3)
    assert found.sentence.startswith(
        "The model was right about 2 of 3 cells drawn at random: between"
    )
    assert found.n_missing == N_CHECKS - 3


def test_cells_are_drawn_where_no_held_out_cell_tells_and_count_there(half_measured):
    opened = workspace(half_measured)
    batches, predictions = opened.batches(opened.batch_key), results.current(opened)
    cards = queue.review_state(opened).cards(CHECK)
    assert (batches.index[[card.drawn for card in cards]] > 0).all()
    open_ = (predictions.run.array("y") < 0) & ~predictions.holdout & (batches.index > 0)
    found = known(half_measured)
    assert (found.n_open, found.batches) == (open_.sum(), batches.names[1:])
    assert measured.sentence(queue.review_state(opened)) == measured_batches.sentence(opened)
    for card in cards[:6]:
        answers.accept(opened, card)
    review = queue.review_state(opened)
    low = 100 * exact_interval(6, 6)[0]
    of = f" of {measured_batches.named(batches.names[1:])}"
    assert measured.sentence(review) == (
        f"Held-out cells tell of {batches.names[0]} only. "
        f"The model was right about 6 of 6 cells{of} drawn at random: "
        f"between {low:.0f} % and 100 % of the {open_.sum()} cells{of} without a label "
        "are right (95 % interval)."
    )
    assert random_check_rows(review, batches, [card.drawn for card in cards[:6]])


def random_check_rows(review, batches, drawn):
    """Tell whether the table says of each batch how many of its cells were drawn and right."""
    scored = holdout_report.report(review.opened).batches
    table = measured.batch_table(review, scored).set_index("batch")["right"]
    n = np.bincount(batches.index[drawn], minlength=len(batches.names))
    said = [f"{own} of {own} drawn at random (" if own else "not measured" for own in n[1:]]
    named = zip(batches.names[1:], said, strict=True)
    return all(table[name].startswith(words) for name, words in named)


def test_a_cell_out_of_turn_does_not_count(trained):
    opened = workspace(trained)
    cards = queue.review_state(opened).cards(CHECK)
    answers.choose(opened, cards[1], "B")
    assert known(trained).n_checked == 0 and not known(trained).sentence
    answers.choose(opened, cards[0], "B")
    assert known(trained).n_checked == 2


def test_only_names_given_on_the_cards_of_the_check_count(trained):
    opened = workspace(trained)
    review, n_open = queue.review_state(opened), known(trained).n_open
    cards = review.cards(CHECK)
    edit.name_cells(opened, np.array([cards[0].drawn]), "B", "lasso")  # it leaves the draw
    answers.accept(opened, cards[1])
    found = known(trained)
    assert (found.n_checked, found.n_open) == (1, n_open - 1)
    edit.name_cells(opened, np.flatnonzero(~review.named), "B", "lasso")  # all of them
    found = known(trained)
    assert found.n_checked == 1 and found.n_missing == 0
    edit.undo(opened)
    answers.accept(opened, dataclasses.replace(cards[2], kind=SUGGESTED))
    assert known(trained).n_checked == 1
    answers.accept(opened, cards[3])
    assert known(trained).n_checked == 2
    edit.undo(opened)
    assert known(trained).n_checked == 1


def test_checks_of_earlier_versions_which_did_not_write_the_card_still_count(trained):
    opened = workspace(trained)
    card = queue.review_state(opened).cards(CHECK)[0]
    edit.name_cells(opened, np.array([card.drawn]), "B", "review")
    assert known(trained).n_checked == 1
