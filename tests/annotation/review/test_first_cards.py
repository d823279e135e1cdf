"""Which groups are asked about before there is a model."""

import numpy as np
import pytest

from scanvi_core.annotation.review.card_clusters import CARD_CELLS, Clusters
from scanvi_core.annotation.review.first_cards import discovery_cards

SIZES = (60, 30, 20)  # cells of three parts, in clusters of ten


@pytest.fixture
def data():
    """Clusters of ten cells, the last of each part the tightest; parts; no labels; all open."""
    parts = np.repeat(np.arange(3), SIZES)
    codes = (np.arange(110) // 10).astype(np.int32)
    distance = (20.0 - codes + np.tile(np.arange(10), 11) / 100).astype(np.float32)
    return Clusters(codes, distance), parts, np.full(110, -1), np.ones(110, dtype=bool)


def clusters_of(cards):
    return [int(card.rows[0]) // 10 for card in cards]


def test_each_part_is_asked_about_once_before_any_again_the_largest_first(data):
    cards = discovery_cards(*data)
    assert clusters_of(cards)[:3] == [5, 8, 10]  # the tightest of each part
    assert clusters_of(cards)[3:6] == [4, 7, 9]
    assert sorted(clusters_of(cards)) == list(range(11))
    assert all(len(card.rows) == CARD_CELLS and card.n_alike == 10 for card in cards)
    assert cards[0].rows.tolist() == list(range(50, 59))  # nearest to the middle
    assert all(card.candidates == () for card in cards)


def test_a_part_with_a_name_waits_and_its_names_are_offered(data):
    clusters, parts, known, open_ = data
    known[50:56], known[56:58] = 2, 0
    cards = discovery_cards(clusters, parts, known, open_ & (known < 0))
    assert clusters_of(cards)[:2] == [8, 10]
    assert next(card for card in cards if parts[card.rows[0]] == 0).candidates == (
        (2, 0.75),
        (0, 0.25),
    )


def test_cells_that_cannot_be_named_are_in_no_card(data):
    clusters, parts, known, open_ = data
    assert not discovery_cards(clusters, np.full(110, -1), known, open_)  # in no part
    open_[52:60] = False  # two are left of this cluster
    cards = discovery_cards(clusters, parts, known, open_)
    assert 5 not in clusters_of(cards)
    assert not discovery_cards(clusters, parts, known, np.zeros(110, dtype=bool))
