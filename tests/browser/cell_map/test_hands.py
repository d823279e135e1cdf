"""The map by keyboard, by fingers, without a graphics card, and after losing one."""

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import APPS

pytestmark = pytest.mark.browser
APP = APPS / "cell_map_app.py"
NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === "webgl2" ? null : original.call(this, kind, ...rest)
}
"""
ALIKE = 4  # of 255, mean over tiles; an empty map is several times farther


def _open(page: Any, url: str) -> Any:
    page.goto(url)
    page.locator(".st-key-cells .map[data-ready]").wait_for()
    return page.locator(".st-key-cells .map")


def _after(page: Any, name: str, old: str) -> str:
    """Wait for another value of a data attribute of the map and return it."""
    page.locator(f".st-key-cells .map:not([data-{name}='{old}'])").wait_for()
    return page.locator(".st-key-cells .map").get_attribute(f"data-{name}")


def _view(cells: Any) -> list[float]:
    return [float(part) for part in cells.get_attribute("data-view").split(",")]


def test_keys_zoom_move_show_all_and_clear(page, start_app, lasso) -> None:
    cells = _open(page, start_app(APP))
    whole = cells.get_attribute("data-view")
    lasso(cells, (0.5, 0.5), 0.4)
    picked = _after(page, "selected", "0")
    cells.locator(".over").focus()
    page.keyboard.press("+")
    near = _after(page, "view", whole)
    page.keyboard.press("ArrowLeft")
    beside = _after(page, "view", near)
    assert float(beside.split(",")[0]) < float(near.split(",")[0])
    page.keyboard.press("0")
    assert _after(page, "view", beside) == whole
    assert cells.get_attribute("data-selected") == picked
    page.keyboard.press("Escape")
    assert _after(page, "selected", picked) == "0"


def test_tab_reaches_every_tool_and_row(page, start_app) -> None:
    cells = _open(page, start_app(APP))
    cells.locator(".over").focus()
    reached = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "() => { let at = document.activeElement;"
            " while (at.shadowRoot) at = at.shadowRoot.activeElement; return at.title }"
        ))  # fmt: skip
    tools = {button.get_attribute("title") for button in cells.get_by_role("button").all()}
    assert {title for title in tools if title} <= reached


def test_a_screen_reader_hears_what_the_map_shows_and_how_many_are_selected(
    page, start_app, lasso
) -> None:
    cells = _open(page, start_app(APP))
    over = cells.get_by_role("application")
    name = over.get_attribute("aria-label")
    assert "colored by type, 4 types. 2,000 cells" in name
    assert "Without a pointer, select by the switch." in name
    lasso(cells, (0.5, 0.5), 0.4)
    picked = int(_after(page, "selected", "0"))
    live = cells.locator("output[role=status]")
    assert live.inner_text() == f"{picked:,} of 2,000 cells selected"
    assert f"{picked:,} of 2,000 cells selected" in over.get_attribute("aria-label")


def test_one_finger_draws_and_two_zoom_and_move(browser, start_app) -> None:
    context = browser.new_context(viewport={"width": 900, "height": 900}, has_touch=True)
    page = context.new_page()
    cells = _open(page, start_app(APP))
    box = cells.locator(".over").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    hand = context.new_cdp_session(page)

    def touch(kind: str, *fingers: tuple[float, float]) -> None:
        points = [
            {"x": middle[0] + x, "y": middle[1] + y, "id": i} for i, (x, y) in enumerate(fingers)
        ]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = _view(cells)
    touch("touchStart", (-20, 0))
    touch("touchStart", (-20, 0), (20, 0))
    for reach in range(25, 65, 5):
        touch("touchMove", (-reach, 0), (reach, 0))
    touch("touchEnd")
    page.wait_for_function(
        "([map, k]) => +map.dataset.view.split(',')[2] > 2 * k",
        arg=[cells.element_handle(), before[2]],
    )
    x, y, k = _view(cells)
    assert k / before[2] == pytest.approx(3, rel=0.05), "60 px apart for 20"
    assert (x, y) == pytest.approx(before[:2], abs=3 / k), "the place between the fingers stays"
    assert cells.get_attribute("data-selected") == "0", "two fingers drew a shape"

    cells.get_by_role("button", name="Show all cells").tap()
    turn = [2 * math.pi * step / 24 for step in range(25)]
    spots = [(110 * math.cos(angle), 110 * math.sin(angle)) for angle in turn]
    touch("touchStart", spots[0])
    for spot in spots[1:]:
        touch("touchMove", spot)
    touch("touchEnd")
    assert int(_after(page, "selected", "0")) > 100
    assert page.evaluate("() => scrollY") == 0
    context.close()


def test_a_lost_graphics_context_comes_back_with_its_picture(page, start_app, lasso) -> None:
    cells = _open(page, start_app(APP))
    lasso(cells, (0.5, 0.5), 0.4)
    picked = _after(page, "selected", "0")
    before = _picture(cells)
    page.evaluate(
        """map => { window.lose = map.querySelector("canvas").getContext("webgl2")
        .getExtension("WEBGL_lose_context"); lose.loseContext() }""",
        cells.element_handle(),
    )
    cells.get_by_text("took the map away").wait_for()
    page.evaluate("() => lose.restoreContext()")
    cells.locator(".notice").wait_for(state="hidden")
    assert cells.get_attribute("data-painter") == "webgl2"
    assert cells.get_attribute("data-selected") == picked
    _until_alike(page, cells, before)


def test_a_context_that_stays_lost_is_replaced_by_a_plain_canvas(page, start_app) -> None:
    cells = _open(page, start_app(APP))
    before = _picture(cells)
    page.evaluate(
        """map => map.querySelector("canvas").getContext("webgl2")
        .getExtension("WEBGL_lose_context").loseContext()""",
        cells.element_handle(),
    )
    page.locator(".st-key-cells .map[data-painter='canvas']").wait_for()
    _until_alike(page, cells, before)


def test_without_webgl_a_plain_canvas_does_the_same(page, start_app, lasso) -> None:
    known = _open(page, start_app(APP))
    before = _picture(known)
    page.add_init_script(NO_WEBGL)
    cells = _open(page, start_app(APP))
    assert cells.get_attribute("data-painter") == "canvas"
    _until_alike(page, cells, before)
    whole = cells.get_attribute("data-view")
    cells.locator(".over").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    _after(page, "view", whole)
    lasso(cells, (0.5, 0.5), 0.4)
    picked = _after(page, "selected", "0")
    page.get_by_text(f"server: {picked} picked, {picked} inside").wait_for()


def test_the_map_follows_a_page_that_turns_dark(page, start_app) -> None:
    cells = _open(page, start_app(APP))
    page.get_by_text("By value").click()
    page.locator(".st-key-cells .map[data-revision='value']").wait_for()
    bright = cells.locator(".bar").evaluate("bar => bar.style.background")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "([map, was]) => map.querySelector('.bar').style.background !== was",
        arg=[cells.element_handle(), bright],
    )


def _picture(cells: Any) -> np.ndarray:
    """Return the mean color of each of 30 x 15 tiles of the map as it is on the screen."""
    shot = Image.open(io.BytesIO(cells.locator(".stage").screenshot())).convert("RGB")
    return np.asarray(shot.resize((30, 15), Image.Resampling.BOX), dtype=float)


def _until_alike(page: Any, cells: Any, known: np.ndarray) -> None:
    empty = np.abs(known - np.median(known, axis=(0, 1))).mean()
    assert empty > 1.5 * ALIKE, "the picture to compare with shows nothing"
    for _ in range(50):
        far = np.abs(_picture(cells) - known).mean()
        if far < ALIKE:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the picture differs by {far:.1f} of 255, an empty one by {empty:.1f}")
