import numpy as np
import pytest

from scanvi_core.annotation.selection import polygon as selection_polygon
from scanvi_core.annotation.selection.polygon import FEW_CELLS, combine, in_polygon
from scanvi_core.errors import SettingInvalid

SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]


def _loop(rng: np.random.Generator, corners: int) -> np.ndarray:
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(0.3, 1.0, corners)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@pytest.mark.parametrize("n", [FEW_CELLS - 1, FEW_CELLS + 9_999])
@pytest.mark.parametrize("corners", [3, 30, 400])
def test_agrees_with_an_independent_point_in_polygon_test(corners: int, n: int) -> None:
    path = pytest.importorskip("matplotlib.path")
    rng = np.random.default_rng(corners)
    xy = rng.normal(0, 0.6, (n, 2)).astype(np.float32)
    loop = _loop(rng, corners)
    mask = in_polygon(xy, loop)
    assert 0 < mask.sum() < len(xy)
    np.testing.assert_array_equal(mask, path.Path(loop).contains_points(xy))


@pytest.fixture
def cut_small(monkeypatch):
    """Look cells up by squares however few they are, in many small blocks."""
    monkeypatch.setattr(selection_polygon, "FEW_CELLS", 0)
    monkeypatch.setattr(selection_polygon, "BLOCK_CELLS", 700)
    monkeypatch.setattr(selection_polygon, "MOST_WAITING", 200)


@pytest.mark.usefixtures("cut_small")
@pytest.mark.parametrize("seed", range(40))
def test_cells_looked_up_by_squares_are_those_found_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.normal(0, 0.6, (5_000, 2)) * 10.0 ** rng.integers(-3, 4) + rng.normal(0, 10, 2)
    xy[:20] = np.nan
    loop = _loop(rng, int(rng.choice([3, 5, 40, 400]))) * np.nanstd(xy) + xy[100]
    if seed % 2:
        loop = rng.permutation(loop)  # crosses itself everywhere
    if seed % 3 == 0:
        xy, loop = np.round(xy, 1), np.round(loop, 1)  # cells on edges and corners
    if seed % 5 == 0:
        loop[:, 1] = 1e-8 * loop[:, 1] + xy[100, 1]  # as thin as rounding
    expected = selection_polygon._one_by_one(xy, loop)
    rounded = xy.astype(np.float32)
    np.testing.assert_array_equal(
        in_polygon(rounded, loop), selection_polygon._one_by_one(rounded, loop)
    )
    np.testing.assert_array_equal(in_polygon(xy, loop), expected)


@pytest.mark.usefixtures("cut_small")
def test_few_cells_of_a_large_shape_are_tested_one_by_one(monkeypatch) -> None:
    tested = []
    slow = selection_polygon._one_by_one
    monkeypatch.setattr(
        selection_polygon,
        "_one_by_one",
        lambda xy, corners: tested.append(len(xy)) or slow(xy, corners),
    )
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    xy = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    np.testing.assert_array_equal(in_polygon(xy, circle), slow(xy, circle))
    assert sum(tested[1:]) < 1_500  # the first are the middles of the squares


def test_direction_and_first_corner_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    xy, loop = rng.normal(size=(5_000, 2)), _loop(rng, 25)
    expected = in_polygon(xy, loop)
    np.testing.assert_array_equal(in_polygon(xy, loop[::-1]), expected)
    np.testing.assert_array_equal(in_polygon(xy, np.roll(loop, 7, axis=0)), expected)
    np.testing.assert_array_equal(in_polygon(xy, np.vstack([loop, loop[:1]])), expected)


def test_a_cell_on_a_shared_edge_belongs_to_exactly_one_neighbor() -> None:
    xy = np.array([[2.0, 0.5], [2.0, 2.0], [1.0, 2.0], [3.0, 2.0], [2.0, 0.0]])
    tiles = [np.add(SQUARE, (dx, dy)) for dx in (-2, 0, 2) for dy in (-2, 0, 2)]
    np.testing.assert_array_equal(np.sum([in_polygon(xy, tile) for tile in tiles], axis=0), 1)


def test_parts_wound_twice_are_outside() -> None:
    star = [(np.sin(4 * np.pi * i / 5), np.cos(4 * np.pi * i / 5)) for i in range(5)]
    xy = np.array([[0.0, 0.0], [0.0, 0.8]])
    assert in_polygon(xy, star).tolist() == [False, True]


def test_cells_without_coordinates_are_never_inside() -> None:
    xy = np.array([[1, 1], [np.nan, 1], [1, np.nan], [np.inf, 1], [1, -np.inf]], np.float32)
    assert in_polygon(xy, SQUARE).tolist() == [True, False, False, False, False]


def test_no_cells_give_an_empty_mask() -> None:
    assert in_polygon(np.empty((0, 2), np.float32), SQUARE).shape == (0,)


@pytest.mark.parametrize(
    "polygon",
    [
        [],
        SQUARE[:2],
        np.zeros((5_001, 2)),
        [*SQUARE, (np.nan, 0)],
        [*SQUARE, (np.inf, 0)],
        [(0, 0, 0), (1, 0, 0), (0, 1, 0)],
        [(0, 0), (1,), (0, 1)],
        "polygon",
        None,
        [("a", "b")] * 3,
    ],
)
def test_a_shape_that_is_no_polygon_is_refused(polygon: object) -> None:
    with pytest.raises(SettingInvalid, match="drawn shape"):
        in_polygon(np.zeros((4, 2)), polygon)  # type: ignore[arg-type]  # the wrong type is the test


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("replace", [1, 1, 0, 0]),
        ("add", [1, 1, 1, 0]),
        ("subtract", [0, 0, 1, 0]),
        ("intersect", [1, 0, 0, 0]),
        ("clear", [0, 0, 0, 0]),
    ],
)
def test_selections_combine_as_named_and_stay_untouched(operation, expected) -> None:
    current, mask = np.array([1, 0, 1, 0], bool), np.array([1, 1, 0, 0], bool)
    result = combine(current, mask, operation)
    assert result.tolist() == list(map(bool, expected))
    result[:] = True
    assert current.tolist() == [True, False, True, False]
    assert mask.tolist() == [True, True, False, False]


def test_nothing_selected_counts_as_an_empty_selection() -> None:
    mask = np.array([True, False])
    assert combine(None, mask, "add").tolist() == [True, False]
    assert combine(None, mask, "subtract").tolist() == [False, False]


def test_an_unknown_operation_or_a_foreign_selection_is_refused() -> None:
    mask = np.ones(3, bool)
    with pytest.raises(SettingInvalid, match="toggle"):
        combine(mask, mask, "toggle")  # type: ignore[arg-type]  # the wrong word is the test
    with pytest.raises(SettingInvalid, match="4 cells"):
        combine(np.ones(4, bool), mask, "add")
