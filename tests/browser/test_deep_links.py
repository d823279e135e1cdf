"""Each page by its own address, as the first request to a fresh server."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

PAGES = {
    "check": "Check data",
    "labels": "Labels",
    "train": "Train",
    "explore": "Explore",
    "review": "Review",
    "evaluate": "Evaluate",
    "export": "Export",
}

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def labeled(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one project that has labels, and the project's id."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        project = copy_of(imported, "Deep cells")
        edit.use_column(workspace(project), "cell_type", set())
    return home, project


@pytest.fixture
def fresh_server(
    serving: Callable[..., AbstractContextManager[str]], labeled: tuple[Path, str]
) -> Iterator[str]:
    """A server that has answered nothing yet; it stops after the test, since seven are many."""
    with serving(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(labeled[0])}) as url:
        yield url


@pytest.mark.parametrize("slug", PAGES)
def test_a_deep_link_is_answered_by_the_whole_app(
    page: Any, fresh_server: str, labeled: tuple[Path, str], slug: str
) -> None:
    """Streamlit's own discovery would answer with a bare page, or with none, on a fresh server."""
    page.goto(f"{fresh_server}/{slug}?project={labeled[1]}")
    page.get_by_role("heading", name=PAGES[slug], exact=True).wait_for()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore").wait_for()
    page.locator(".st-key-status-strip").get_by_text("Deep cells").wait_for()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert page.get_by_text("Page not found").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    assert labeled[1] in page.url
