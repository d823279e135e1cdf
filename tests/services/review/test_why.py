"""The sentence that says why a card is asked is what put it there."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core.annotation.review.asked import NOVEL, STRANGE, UNSURE, Asked
from scanvi_core.services.review import queue, why
from scanvi_core.services.review.queue import KINDS
from scanvi_core.services.workspace import workspace


@pytest.mark.parametrize(
    ("asked", "confidence", "said"),
    [
        (Asked(UNSURE, 3, 20), 0.95, "less than 80 % sure of 3 of 20 cells without a label in"),
        (Asked(UNSURE, 9, 9), 0.5, "less than 80 % sure of all cells without a label in"),
        (
            Asked(NOVEL, 20, 20),
            0.95,
            "in this cluster are unlike every labeled cell, although the model is 95 % sure",
        ),
        (Asked(NOVEL, 4, 5), 0.4, "unlike every labeled cell, while the model is 40 % sure"),
        (Asked(STRANGE, 1, 5), 0.9, "1 of 5 cells without a label in this cluster is somewhat"),
    ],
)
def test_the_reason_is_said_with_its_numbers(trained, asked, confidence, said):
    item = replace(queue.queue(workspace(trained))[0], asked=asked, confidence=confidence)
    assert said in why.sentence(item) and why.sentence(item).endswith(".")


def test_every_card_of_a_model_says_why_it_is_asked_and_so_do_its_parts(trained):
    opened = workspace(trained)
    review = queue.review_state(opened)
    for kind in KINDS:
        for item in review.cards(kind)[:3]:
            assert why.sentence(item).startswith("Asked ")
    large = max(queue.queue(opened), key=lambda item: item.rows.size)
    assert all(why.sentence(part) for part in queue.parts(opened, large))


def test_random_checks_are_no_doubt(trained):
    item = replace(queue.queue(workspace(trained))[0], kind=queue.RANDOM)
    assert "the model is sure" in why.sentence(item) and "random check" in why.sentence(item)
    for n, said in ((9, "names it and the 8 cells nearest"), (2, "names it and the cell nearest")):
        assert said in why.sentence(replace(item, rows=np.arange(n)))
    assert "names" not in why.sentence(replace(item, rows=np.arange(1)))
