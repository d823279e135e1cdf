import re
from typing import Any

import pytest

from tests.browser.conftest import APPS

pytestmark = pytest.mark.browser
APP = APPS / "cell_map_app.py"


@pytest.fixture
def cells(page: Any, start_app: Any) -> Any:
    page.goto(start_app(APP))
    page.locator(".st-key-cells .map[data-ready]").wait_for()
    return page.locator(".st-key-cells .map")


def _selected(page: Any, cells: Any, before: int) -> int:
    """Wait for another number of selected cells and return it."""
    page.locator(f".st-key-cells .map:not([data-selected='{before}'])").wait_for()
    return int(cells.get_attribute("data-selected"))


def _server(page: Any, pattern: str) -> Any:
    line = page.get_by_text(re.compile("^server: " + pattern))
    line.wait_for()
    return re.search(pattern, line.inner_text())


def test_a_lasso_selects_what_the_server_finds_inside(page, cells, lasso) -> None:
    lasso(cells, (0.25, 0.3), 0.3)
    picked = _selected(page, cells, 0)
    assert 100 < picked < 600
    _server(page, f"{picked} picked, {picked} inside")
    page.get_by_text("this run: replace").wait_for()
    assert cells.get_by_role("status").inner_text() == f"{picked} of 2,000 cells selected"


def test_shift_adds_alt_removes_and_escape_clears(page, cells, lasso) -> None:
    lasso(cells, (0.32, 0.25), 0.3)
    first = _selected(page, cells, 0)
    lasso(cells, (0.68, 0.75), 0.3, hold="Shift")
    both = _selected(page, cells, first)
    assert both > first
    lasso(cells, (0.32, 0.25), 0.35, hold="Alt")
    rest = _selected(page, cells, both)
    assert rest == both - first
    page.keyboard.press("Escape")
    assert _selected(page, cells, rest) == 0


def test_a_new_color_keeps_zoom_and_selection(page, cells, lasso) -> None:
    cells.locator(".over").hover()
    whole = cells.get_attribute("data-view")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.locator(f".st-key-cells .map:not([data-view='{whole}'])").wait_for()
    lasso(cells, (0.5, 0.5), 0.45)
    picked = _selected(page, cells, 0)
    near = cells.get_attribute("data-view")
    page.get_by_text("By value").click()
    page.locator(".st-key-cells .map[data-revision='value']").wait_for()
    cells.get_by_text("CD3D").wait_for()
    assert cells.get_attribute("data-view") == near
    assert cells.get_attribute("data-selected") == str(picked)


def test_of_many_cells_only_what_changed_is_sent(page, start_app, lasso) -> None:
    sent: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda f: sent.append(len(f))))
    page.goto(start_app(APP))
    page.get_by_text("Many cells").click()
    many = page.locator(".st-key-many .map")
    page.locator(".st-key-many .map[data-n='20000'][data-ready]").wait_for()
    coordinates = 20_000 * 4  # bytes
    assert max(sent) > coordinates
    many.scroll_into_view_if_needed()
    many.locator(".over").hover()
    whole = many.get_attribute("data-view")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.locator(f".st-key-many .map:not([data-view='{whole}'])").wait_for()
    near = many.get_attribute("data-view")
    sent.clear()
    lasso(many, (0.5, 0.5), 0.4)
    page.locator(".st-key-many .map:not([data-selected='0'])").wait_for()
    picked = int(many.get_attribute("data-selected"))
    assert picked > 1_000
    assert max(sent) < coordinates, "a selection sent the coordinates again"
    sent.clear()
    page.get_by_text("By value").click()
    page.locator(".st-key-many .map[data-revision='value']").wait_for()
    many.get_by_text("CD3D").wait_for()
    assert max(sent) < coordinates, "a new color sent the coordinates again"
    assert many.get_attribute("data-view") == near
    assert many.get_attribute("data-selected") == str(picked)


def test_the_buttons_say_how_the_next_shape_joins(page, cells, lasso) -> None:
    lasso(cells, (0.38, 0.25), 0.3)
    first = _selected(page, cells, 0)
    cells.get_by_role("button", name="keeps only selected").click()
    lasso(cells, (0.38, 0.05), 0.25)
    both = _selected(page, cells, first)
    assert 0 < both < first
    cells.get_by_role("button", name="adds cells").click()
    lasso(cells, (0.38, 0.25), 0.3)
    assert _selected(page, cells, both) == first
    cells.get_by_role("button", name="takes cells away").click()
    lasso(cells, (0.5, 0.5), 0.9)
    assert _selected(page, cells, first) == 0


def test_a_box_selects_its_rectangle(page, cells) -> None:
    cells.get_by_role("button", name="Box").click()
    box = cells.locator(".over").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=5)
    page.mouse.up()
    picked = _selected(page, cells, 0)
    assert 900 < picked < 1_000  # the two groups on the right, save cells without a place
    _server(page, f"{picked} picked, {picked} inside")


def test_the_legend_counts_and_isolates_and_shows_names_as_text(page, cells, lasso) -> None:
    hostile = cells.locator(".legend .name", has_text="<img src=x onerror=alert(1)>")
    hostile.click()
    assert hostile.get_attribute("aria-pressed") == "true"
    lasso(cells, (0.5, 0.5), 0.45)
    _selected(page, cells, 0)
    _server(page, r".*only \(\(1,\), 0\)")
    hostile.click()
    assert cells.locator("[aria-pressed=true].name, .legend .off").count() == 0
    counts = [int(text) for text in cells.locator(".legend em").all_inner_texts()]
    assert len(counts) == 5
    assert sum(counts) == 2_000


def test_a_hidden_type_is_not_selected(page, cells, lasso) -> None:
    cells.get_by_role("button", name="Hide unlabeled").click()
    cells.get_by_role("button", name="Hide B cell").click()
    lasso(cells, (0.5, 0.5), 0.45)
    _selected(page, cells, 0)
    _server(page, r".*only \(\(1, 2, 3\), 0\)")
    cells.get_by_role("button", name="Hide B cell").click()
    assert cells.locator(".legend .off").count() == 1


def test_the_cells_of_a_type_are_selected_from_the_legend_without_a_pointer(page, cells) -> None:
    cells.locator(".legend .name", has_text="NK").focus()
    page.keyboard.press("Enter")
    pick = cells.get_by_role("button", name="Select these cells")
    pick.focus()
    page.keyboard.press("Enter")
    _selected(page, cells, 0)
    _server(page, r".*1980 inside, only \(\(2,\), 0\)")


def test_a_scale_shows_round_numbers_in_their_places(page, cells) -> None:
    page.get_by_text("By value").click()
    page.locator(".st-key-cells .map[data-revision='value']").wait_for()
    ticks = cells.locator(".ticks span")
    assert ticks.all_inner_texts() == ["-2", "0", "2"]  # of -3 to 3
    shares = [float(tick.get_attribute("style")[6:-2]) for tick in ticks.all()]
    assert shares == pytest.approx([100 / 6, 50, 500 / 6], abs=0.01)
    cells.get_by_text("Cells above 3 have the highest color.").wait_for()


def test_linked_maps_move_select_and_isolate_together(page, cells, lasso) -> None:
    page.get_by_text("Linked").click()
    maps = page.locator(".st-key-four-all .map[data-ready]")
    maps.nth(3).wait_for()
    maps.first.scroll_into_view_if_needed()
    maps.nth(3).locator(".over").hover()
    whole = maps.first.get_attribute("data-view")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.locator(f".st-key-four-0 .map:not([data-view='{whole}'])").wait_for()
    one = [maps.nth(i).element_handle() for i in range(4)]
    page.wait_for_function("maps => new Set(maps.map((m) => m.dataset.view)).size === 1", arg=one)
    maps.nth(2).locator(".legend .name", has_text="NK").click()
    lasso(maps.nth(1), (0.5, 0.5), 0.45)
    page.locator(".st-key-four-3 .map:not([data-selected='0'])").wait_for()
    _server(page, r".*only \(\(2,\), 2\)")
    assert len({maps.nth(i).get_attribute("data-selected") for i in range(4)}) == 1


def test_the_pointer_shows_what_a_cell_is(page, cells) -> None:
    box = cells.locator(".over").bounding_box()
    card = cells.locator(".card")
    for share in range(20, 45):
        page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + box["height"] * 0.72)
        page.wait_for_timeout(40)
        if card.is_visible():
            break
    assert re.search(r"(B cell|unlabeled)\s*cell \d+", card.inner_text())


def test_a_still_map_has_no_tools(page, cells) -> None:
    still = page.locator(".st-key-still .map[data-ready]")
    still.wait_for()
    assert not still.get_by_role("button").count()
    assert still.bounding_box()["height"] == 220
