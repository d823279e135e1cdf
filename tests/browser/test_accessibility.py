"""Every page as axe-core sees it, light and dark, wide and narrow: contrast, names, headings."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pages.ui.frame.pages import OPEN, PAGES
from scanvi_core import runtime
from tests import ROOT
from tests.projects import copy_of

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

WIDTHS = (1280, 900)
BAD = ("serious", "critical")
ALSO = ("heading-order",)  # moderate to axe; who listens to a page finds their way by it

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one trained project, and its id."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        return home, copy_of(trained_folder, "Cells")


@pytest.fixture(scope="module")
def context(browser: Any) -> Iterator[Any]:
    """One for all pages, which are only looked at: scripts are fetched and compiled once."""
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 720})
    context.set_default_timeout(90_000)
    yield context
    context.close()


@pytest.mark.parametrize("slug", [page.slug for page in PAGES])
def test_no_page_has_a_serious_finding(
    context: Any, start_app: Callable[..., str], home: tuple[Path, str], slug: str
) -> None:
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page = context.new_page()
    page.goto(f"{url}/{'' if slug == OPEN.slug else slug}?project={home[1]}")
    page.get_by_role("heading").first.wait_for()
    settle(page)
    found, grounds = [], []
    for scheme in ("light", "dark"):  # as the system of the reader has it
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 720})
            settle(page)
            found += findings(page, f"{scheme} {width}")
            cut = page.evaluate(
                "() => document.querySelector('[data-testid=stMain]').scrollWidth"
                " - document.querySelector('[data-testid=stMain]').clientWidth"
            )
            found += [f"{scheme} {width}: {cut} pixels wider than the page"] if cut > 0 else []
        ground = "() => getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        grounds.append(page.evaluate(ground))
    page.close()
    assert grounds[0] != grounds[1]
    assert not found, "\n".join(found)


def findings(page: Any, look: str) -> list[str]:
    """Return what axe finds on the page as it is, with the parts of it that are concerned."""
    rules = {"resultTypes": ["violations"]}
    violations = axe.Axe().run(page, options=rules).response["violations"]
    return [
        f"{look}: {item['id']}: {node['target']} {node['html'][:160]}"
        f" {node['any'][0]['message'] if node['any'] else ''}"
        for item in violations
        if item["impact"] in BAD or item["id"] in ALSO
        for node in item["nodes"][:6]
    ]


def settle(page: Any) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(800)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
