"""A map that draws a part of its cells: what it says, and that a shape decides over all."""

import re
from typing import Any

import pytest

from tests.browser.conftest import APPS

pytestmark = pytest.mark.browser
APP = APPS / "cell_map_thinned_app.py"


@pytest.fixture
def cells(page: Any, start_app: Any) -> Any:
    page.goto(start_app(APP))
    page.locator(".st-key-cells .map[data-n='6000'][data-ready]").wait_for()
    return page.locator(".st-key-cells .map")


def _server(page: Any, pattern: str) -> list[int]:
    line = page.get_by_text(re.compile(pattern))
    line.wait_for()
    return [int(part) for part in re.search(pattern, line.inner_text()).groups()]


def test_it_says_how_many_cells_are_drawn_and_counts_all_of_them(page, cells) -> None:
    said = cells.get_by_role("status").inner_text()
    assert said == (
        "6,000 of 20,000 cells drawn, all unsure ones among them, 1 without a place on the map"
    )
    counts = [int(n.replace(",", "")) for n in cells.locator(".legend em").all_inner_texts()]
    assert sum(counts) == 20_000 and counts[2] == 10


def test_a_lasso_decides_over_all_cells_and_tells_how_many_of_them_are_drawn(
    page, cells, lasso
) -> None:
    lasso(cells, (0.5, 0.5), 0.15)
    page.locator(".st-key-cells .map:not([data-selected='0'])").wait_for()
    picked, drawn = _server(page, r"^server: (\d+) picked, (\d+) drawn")
    assert picked > 2 * drawn > 0
    assert int(cells.get_attribute("data-shown")) == drawn
    said = cells.get_by_role("status").inner_text()
    assert said == f"{picked:,} of 20,000 cells selected ({drawn:,} drawn)"


def test_all_cells_of_an_isolated_type_are_selected_from_the_legend(page, cells) -> None:
    cells.locator(".legend .name", has_text="right").click()
    cells.get_by_role("button", name="Select these cells").click()
    page.locator(".st-key-cells .map:not([data-selected='0'])").wait_for()
    left, right, rare = _server(page, r"^types: \[(\d+), (\d+), (\d+)\]")
    counts = [int(n.replace(",", "")) for n in cells.locator(".legend em").all_inner_texts()]
    assert (left, rare) == (0, 0)
    assert right in (counts[1], counts[1] - 1)  # one cell has no place


def test_linked_maps_and_a_new_color_show_the_same_drawn_cells(page, cells, lasso) -> None:
    page.get_by_text("Linked").click()
    page.locator(".st-key-two-1 .map[data-ready]").wait_for()
    lasso(cells, (0.5, 0.5), 0.15)
    page.locator(".st-key-two-1 .map:not([data-selected='0'])").wait_for()
    both = page.locator(".st-key-two-all .map").all()
    assert {one.get_attribute("data-n") for one in both} == {"6000"}
    shown = cells.get_attribute("data-shown")
    assert {one.get_attribute("data-shown") for one in both} == {shown}
    near = cells.get_attribute("data-view")
    page.get_by_text("By value").click()
    page.locator(".st-key-cells .map[data-revision='value']").wait_for()
    assert cells.get_attribute("data-view") == near
    assert cells.get_attribute("data-shown") == shown


def test_the_pointer_tells_the_drawn_cell_below_it(page, cells) -> None:
    cells.locator(".legend .name", has_text="rare").click()
    box, card = cells.locator(".over").bounding_box(), cells.locator(".card")
    for step in range(400):  # the ten cells of the rare type lie at one place near the middle
        across, up = 8 * (step % 20) - 20, 8 * (step // 20) - 80
        page.mouse.move(box["x"] + box["width"] / 2 + across, box["y"] + box["height"] / 2 + up)
        if card.is_visible():
            break
    assert re.search(r"rare\s*cell 10\d", card.inner_text())
