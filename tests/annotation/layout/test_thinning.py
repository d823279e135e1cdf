import numpy as np
import pytest

from scanvi_core.annotation.layout.thinning import SQUARES, thinned


@pytest.fixture(scope="module")
def cells():
    """A crowd of 50,000, a thin cloud of 2,000 beside it, and 12 of a rare type in the crowd."""
    random = np.random.default_rng(0)
    xy = np.r_[random.normal(0, 0.2, (50_000, 2)), random.uniform(4, 20, (2_000, 2))]
    types = np.r_[np.zeros(50_000, int), np.ones(2_000, int)]
    types[40:52] = 2
    types[100:200] = -1
    return xy.astype(np.float32), types


def squares(xy):
    """The square of each cell, by numpy's histogram."""
    edges = [np.linspace(*xy[:, axis][[xy[:, axis].argmin(), xy[:, axis].argmax()]], SQUARES + 1)
             for axis in (0, 1)]  # fmt: skip
    where = [np.clip(np.searchsorted(edge, xy[:, axis], side="right") - 1, 0, SQUARES - 1)
             for axis, edge in enumerate(edges)]  # fmt: skip
    return where[0] * SQUARES + where[1]


def test_as_many_cells_are_drawn_as_asked_for_and_no_cell_twice(cells):
    for n in (1, 999, 5_000, 51_999):
        rows = thinned(cells[0], n).rows
        assert len(rows) == n and (np.diff(rows) > 0).all()


def test_crowded_squares_are_cut_to_one_height_and_sparse_places_keep_all(cells):
    rows = thinned(cells[0], 5_000).rows
    before, after = (np.bincount(squares(xy), minlength=1) for xy in (cells[0], cells[0][rows]))
    after = np.r_[after, np.zeros(len(before) - len(after), int)]
    cut = after < before
    assert cut.any() and not (after > before).any()
    assert np.ptp(after[cut]) <= 1 + 1  # by rounding of a coordinate a cell may change its square
    assert before[~cut].max() <= after[cut].max() + 1
    assert (rows >= 50_000).sum() == 2_000


def test_a_rare_type_inside_a_crowd_keeps_all_its_cells(cells):
    xy, types = cells
    assert (types[thinned(xy, 5_000).rows] == 2).sum() < 12
    assert (types[thinned(xy, 5_000, types=types).rows] == 2).sum() == 12


def test_cells_to_keep_are_all_drawn(cells):
    keep = np.zeros(52_000, bool)
    keep[1_000:3_000] = True
    found = thinned(cells[0], 5_000, keep=keep)
    assert np.isin(np.flatnonzero(keep), found.rows).all()
    assert (found.n_keep, found.n_kept) == (2_000, 2_000)
    assert len(found.rows) == 5_000


def test_too_many_to_keep_are_thinned_to_half_and_counted(cells):
    keep = np.arange(52_000) >= 20_000
    found = thinned(cells[0], 5_000, keep=keep)
    assert (found.n_keep, found.n_kept) == (32_000, 2_500)
    assert keep[found.rows].sum() >= 2_500
    assert len(found.rows) == 5_000
    assert (found.rows >= 50_000).sum() > 1_500  # the thin cloud first


def test_the_colors_of_a_crowd_are_mixed_as_in_truth(cells):
    random = np.random.default_rng(1)
    red = random.random(52_000) < 0.3
    rows = thinned(cells[0], 8_000).rows
    crowd = rows[rows < 50_000]
    assert red[crowd].mean() == pytest.approx(0.3, abs=0.03)


def test_the_same_seed_draws_the_same_cells(cells):
    one, same, other = (thinned(cells[0], 3_000, seed=seed).rows for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_cells_without_a_place_are_not_drawn(cells):
    xy = cells[0].copy()
    xy[:30_000, 0] = np.nan
    xy[30_000, 1] = np.inf
    keep = np.arange(52_000) < 30_010
    found = thinned(xy, 5_000, keep=keep)
    assert found.rows.min() > 30_000 and len(found.rows) == 5_000
    assert (found.n_placed, found.n_keep, found.n_kept) == (21_999, 9, 9)
    assert len(thinned(xy, 40_000).rows) == 21_999
    assert not thinned(np.full((9, 2), np.nan), 5).rows.size


def test_cells_all_at_one_place_are_thinned_by_lot():
    assert len(thinned(np.ones((1_000, 2)), 10, types=np.zeros(1_000, int)).rows) == 10
