"""The workbench: a map that fills the page, all that belongs to it beside it, and its keys."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.services.explore import maps
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

HEADER = "h1"
LEAST = 0.6  # of the page below the header

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(
    imported: Path, trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A home with a trained project and one begun without labels, and their ids by page."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        trained, empty = copy_of(trained_folder, "Trained"), copy_of(imported, "Empty")
        opened = workspace(empty)
        edit.start_empty(opened)
        maps._save(maps._derived(opened, maps.BASE_MAP), np.array(opened.dataset.obsm("X_umap")))
        return home, {"explore": trained, "labels": empty}


@pytest.fixture
def show(page: Any, start_app: Callable[..., str], home: tuple[Path, dict[str, str]]) -> Any:
    """Open the workbench of a page; return its map."""
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})

    def show(slug: str) -> Any:
        page.goto(f"{url}/{slug}?project={home[1][slug]}")
        cells = page.locator(".st-key-workbench .map[data-ready]")
        cells.wait_for(timeout=90_000)
        return cells

    return show


@pytest.mark.parametrize("slug", ["explore", "labels"])
def test_the_map_fills_the_page_and_all_that_belongs_to_it_is_in_sight(
    page: Any, show: Callable[[str], Any], slug: str, lasso: Callable[..., None]
) -> None:
    cells = show(slug)
    stage = cells.locator(".stage").bounding_box()
    title = page.locator(HEADER).bounding_box()
    content = page.locator(".st-key-workbench").bounding_box()
    below = content["width"] * (720 - title["y"] - title["height"])
    assert stage["width"] * stage["height"] >= LEAST * below
    assert stage["y"] + stage["height"] <= 720
    lasso(cells, (0.5, 0.5), 0.3)  # a part: all cells together have no markers
    page.locator(".st-key-workbench-side").get_by_text("picked", exact=False).first.wait_for()
    page.locator(".st-key-workbench-side").get_by_text("Markers:").wait_for()
    parts = [
        page.locator(".st-key-workbench-side [data-testid=stSelectbox]").first,  # color by
        cells.locator(".legend .row").first,
        page.locator(".st-key-workbench-side").get_by_text("Markers:"),
        page.locator(".st-key-picked-name"),
        page.locator(".st-key-name-cells"),
        page.locator(".st-key-undo"),
    ]
    panel = page.locator(".st-key-workbench-side").bounding_box()
    for part in parts:
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 720
        assert box["x"] > stage["x"] + stage["width"] - 1
    undo = parts[-1].bounding_box()
    assert undo["y"] + undo["height"] <= panel["y"] + panel["height"]
    assert cells.locator(".legend").bounding_box()["y"] >= panel["y"] + panel["height"] - 4


def test_the_wheel_scrolls_the_page_until_the_map_was_clicked(
    page: Any, show: Callable[[str], Any]
) -> None:
    cells = show("explore")
    main = page.locator("[data-testid=stMain]")
    cells.locator(".over").hover()
    whole = cells.get_attribute("data-view")
    page.mouse.wheel(0, 100)
    page.wait_for_function("() => document.querySelector('[data-testid=stMain]').scrollTop > 0")
    assert "hold Ctrl" in cells.locator("output").inner_text()
    assert cells.get_attribute("data-view") == whole
    page.wait_for_timeout(300)
    before = main.evaluate("main => main.scrollTop")
    cells.locator(".over").click(position={"x": 20, "y": 120})
    page.mouse.wheel(0, -100)
    page.locator(f".st-key-workbench .map:not([data-view='{whole}'])").wait_for()
    assert main.evaluate("main => main.scrollTop") == before


def test_one_key_makes_the_map_as_large_as_the_window(
    page: Any, show: Callable[[str], Any]
) -> None:
    cells = show("explore")
    small = cells.locator(".stage").bounding_box()
    page.keyboard.press("f")
    page.locator(".st-key-workbench .map.full").wait_for()
    box = cells.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 1280, 720)
    page.keyboard.press("Escape")
    page.locator(".st-key-workbench .map:not(.full)").wait_for()
    assert cells.locator(".stage").bounding_box() == small
    name = page.locator(".st-key-picked-name input")
    name.focus()
    page.keyboard.type("fff")  # a name, not a key
    assert page.locator(".map.full").count() == 0


def test_a_gene_typed_into_color_by_is_found_by_its_alias(
    page: Any, show: Callable[[str], Any]
) -> None:
    cells = show("explore")
    box = page.locator(".st-key-workbench-side [data-testid=stSelectbox] input").first
    box.click()
    page.keyboard.type("CD20")
    page.get_by_role("option", name="MS4A1 (CD20)").wait_for()
    page.keyboard.press("Enter")
    page.locator(".st-key-workbench .map[data-ready] .legend", has_text="MS4A1").wait_for()
    assert cells.locator(".legend .row").count() == 0
    box.click()
    page.keyboard.type("NOSUCHGENE")
    page.keyboard.press("Enter")
    page.get_by_text("No gene here is called NOSUCHGENE.").wait_for()
