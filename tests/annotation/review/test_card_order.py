"""Cards of a review: tight, of clusters with something to learn, novel ones first."""

from dataclasses import replace

import numpy as np
import pytest

from scanvi_core.annotation.review.card_clusters import CARD_CELLS, LEAST_CELLS, make_clusters
from scanvi_core.annotation.review.card_order import cards, faded


@pytest.fixture
def cells():
    """Three places of 100 cells; the model is sure of the first and in doubt about the others."""
    random, kind = np.random.default_rng(0), np.repeat([0, 1, 2], 100)
    z1 = random.normal(size=(300, 5)) + 8 * np.eye(5)[kind]
    genes = random.normal(size=(300, 10)) + 8 * np.eye(10)[kind]
    p = np.array([[0.98, 0.01, 0.01], [0.4, 0.5, 0.1], [0.4, 0.3, 0.3]])[kind]
    return kind, z1, genes, p, make_clusters(z1, lambda rows: genes[rows])


def none(n=300):
    return np.full(n, -1), np.ones(n, dtype=bool)


def test_clusters_are_small_of_one_place_and_cells_without_counts_are_in_none(cells):
    kind, z1, genes, _, clusters = cells
    for code in np.unique(clusters.codes):
        assert len(set(kind[clusters.codes == code])) == 1
    assert 15 <= len(np.unique(clusters.codes)) <= 30
    z1 = z1.copy()
    z1[:7] = np.nan
    made = make_clusters(z1, lambda rows: genes[rows])
    assert (made.codes[:7] == -1).all() and (made.codes[7:] >= 0).all()
    assert np.array_equal(make_clusters(z1, lambda rows: genes[rows]).codes, made.codes)


def test_what_the_model_is_sure_of_is_not_asked_unless_it_is_novel(cells):
    kind, _, _, p, clusters = cells
    known, open_ = none()
    asked = cards(clusters, p, np.zeros(300), open_, known=known)
    assert set(kind[np.concatenate([card.rows for card in asked])]) == {1, 2}
    asked = cards(clusters, p, np.where(kind == 0, 0.9, 0.0), open_, known=known)
    assert set(kind[asked[0].rows]) == {0}
    n_novel = sum(kind[card.rows[0]] == 0 for card in asked)
    assert all(
        kind[card.rows[0]] == 0 for card in asked[:n_novel]
    )  # explored before anything else


def test_every_third_card_is_the_most_novel_one_whatever_else_is_worth(cells):
    _, _, _, p, clusters = cells
    known, open_ = none()
    strange = np.where(clusters.codes == clusters.codes[250], 0.45, 0.0)  # one, and below novel
    firsts = [
        cards(clusters, p, strange, open_, known=known, n_asked=n)[0].rows[0] for n in range(3)
    ]
    assert clusters.codes[firsts[2]] == clusters.codes[250]
    assert len({clusters.codes[row] for row in firsts[:2]}) == 1


def test_a_card_is_the_middle_of_its_cluster_and_says_for_how_many_it_speaks(cells):
    _, _, _, p, clusters = cells
    known, open_ = none()
    for card in cards(clusters, p, np.full(300, np.nan), open_, known=known):
        members = np.flatnonzero(clusters.codes == clusters.codes[card.rows[0]])
        assert card.rows.size == min(CARD_CELLS, members.size) and card.n_alike == members.size
        others = np.setdiff1d(members, card.rows)
        if others.size:
            assert clusters.distance[card.rows].max() <= clusters.distance[others].min()
        assert card.gain == pytest.approx((1 - p[members].max(axis=1)).sum())


def test_named_cells_leave_their_cluster_and_small_rests_wait(cells):
    _, _, _, p, clusters = cells
    known, open_ = none()
    first = cards(clusters, p, np.zeros(300), open_, known=known)[0]
    members = np.flatnonzero(clusters.codes == clusters.codes[first.rows[0]])
    open_[members[LEAST_CELLS - 1 :]] = False
    again = cards(clusters, p, np.zeros(300), open_, known=known)
    assert not np.isin(members, np.concatenate([card.rows for card in again])).any()


def test_nothing_to_ask_is_no_card(cells):
    _, _, _, p, clusters = cells
    known, _ = none()
    assert cards(clusters, p, np.zeros(300), np.zeros(300, dtype=bool), known=known) == []
    assert cards(clusters, np.full_like(p, np.nan), np.zeros(300), none()[1], known=known) == []


def test_cells_near_a_named_one_are_explained_even_where_no_probability_moved(cells):
    kind, _, _, p, clusters = cells
    named = np.zeros(300, dtype=bool)
    assert (clusters.nearness(named) == 0).all()
    named[np.flatnonzero(kind == 1)[:3]] = True
    near = clusters.nearness(named)
    own = np.isin(clusters.codes, clusters.codes[named])
    assert (near[own] == 1).all()
    assert near[kind == 1].min() > 10 * near[kind != 1].max()
    novelty = faded(np.full(300, 0.9), p, p, near)
    assert novelty[own].max() < 1e-6 and novelty[kind != 1].min() > 0.85
    asked = cards(clusters, p, novelty, ~named, known=np.where(named, 1, -1))
    assert kind[asked[0].rows[0]] != 1


def test_without_middles_nothing_is_explained(cells):
    clusters = cells[-1]
    assert (replace(clusters, middles=None).nearness(np.ones(300, dtype=bool)) == 0).all()


def test_a_card_of_a_mixed_cluster_shows_the_cells_that_the_model_calls_the_same(cells):
    _, _, _, p, clusters = cells
    known, open_ = none()
    members = np.flatnonzero(clusters.codes == clusters.codes[250])
    mixed = p.copy()
    mixed[members[::3]] = [0.0, 0.5, 0.5]
    others = np.setdiff1d(members, members[::3])
    shown = next(
        card for card in cards(clusters, mixed, np.zeros(300), open_, known=known)
        if clusters.codes[card.rows[0]] == clusters.codes[250]
    )  # fmt: skip
    assert set(shown.rows) <= set(others) and shown.n_alike == others.size


def test_a_card_asks_about_the_broader_type_where_that_settles_more_cells(cells):
    kind, _, _, p, clusters = cells
    known, open_ = none()
    own = np.flatnonzero(clusters.codes == clusters.codes[np.flatnonzero(kind == 1)[0]])
    p = p.copy()
    p[own] = [0.5, 0.4, 0.1]  # unsure which of the two, sure that it is one of them
    p[own[::3]] = [0.4, 0.5, 0.1]

    def card(broader):
        made = cards(clusters, p, np.zeros(300), open_, known=known, broader=broader)
        return next(card for card in made if card.rows[0] in own)

    n = len(own)
    assert card(None).n_alike == n - len(own[::3]) and card(np.zeros((0, 3), bool)).n_alike < n
    assert card(np.array([[True, True, True], [True, True, False]])).n_alike == n
    assert card(np.array([[True, False, True]])).n_alike < n  # 60 %: that is not sure
    p[own] = [0.85, 0.15, 0.0]
    p[own[::3]] = [0.4, 0.6, 0.0]
    assert card(np.array([[True, True, False]])).n_alike == n - len(own[::3])  # a type is sure
