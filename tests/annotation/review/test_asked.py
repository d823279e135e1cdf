"""Why a card is asked, counted over the open cells of its cluster."""

import numpy as np
import pytest

from scanvi_core.annotation.review.asked import NOVEL, STRANGE, UNSURE, Asked, asked, chance_right
from scanvi_core.annotation.review.card_clusters import Clusters
from scanvi_core.annotation.review.card_order import cards


@pytest.mark.parametrize(
    ("confidence", "novelty", "expected"),
    [
        ([0.5, 0.9, 0.95], [0, 0, 0], Asked(UNSURE, 1, 3)),
        ([0.99, 0.99, 0.99], [0.9, 0.9, 0.1], Asked(NOVEL, 2, 3)),
        ([0.95, 0.95, 0.95], [0.3, 0.0, 0.0], Asked(STRANGE, 1, 3)),
        ([0.5, 0.95, 0.95], [0.0, 0.3, 0.0], Asked(UNSURE, 1, 3)),  # half of the doubtful ones
        ([0.5, 0.95, 0.95], [0.0, 0.3, 0.3], Asked(STRANGE, 3, 3)),
    ],
)
def test_the_reason_is_what_most_of_the_doubt_comes_from(confidence, novelty, expected):
    assert asked(np.array(confidence), np.array(novelty, dtype=float)) == expected


def test_the_chance_counts_new_types_and_cells_without_counts_have_none():
    p = np.array([[0.9, 0.1], [np.nan, np.nan], [0.6, 0.4]])
    assert chance_right(p, np.array([0.5, 0.0, np.nan])) == pytest.approx([0.45, 0.0, 0.6])


def test_a_card_tells_of_its_whole_cluster():
    codes = np.repeat([0, 1], 20)
    clusters = Clusters(codes, np.linspace(0, 1, 40))
    p = np.full((40, 2), [0.95, 0.05])
    p[17:20] = [0.4, 0.6]  # at the edge, of another guess: none of them is on the card
    novelty = np.where(codes == 1, 0.9, 0.0)
    every = np.ones(40, dtype=bool)
    made = cards(clusters, p, novelty, every, known=np.full(40, -1))
    by_cluster = {int(codes[card.rows[0]]): card for card in made}
    assert by_cluster[0].asked == Asked(UNSURE, 3, 20)
    assert (p[by_cluster[0].rows].max(axis=1) > 0.9).all()
    assert by_cluster[1].asked == Asked(NOVEL, 20, 20)
