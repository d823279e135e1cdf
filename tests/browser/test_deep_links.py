"""Each page by its own address, as the first request to a fresh server."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.data.example import write_example
from scanvi_core.project.folder import create_project
from scanvi_core.services import labelling
from scanvi_core.services.workspace import import_into

ROOT = Path(__file__).parents[2]
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
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one project that has labels, and the project's id."""
    home = tmp_path_factory.mktemp("home")
    source = write_example(tmp_path_factory.mktemp("example") / "cells.h5ad")
    with runtime.home_at(home):
        project = create_project("Deep cells")
        import_into(project, source)
        labelling.use_column(project.id, "cell_type", set())
    return home, project.id


@pytest.mark.parametrize("slug", PAGES)
def test_a_deep_link_is_answered_by_the_whole_app(
    page: Any, start_app: Callable[..., str], labelled: tuple[Path, str], tmp_path: Path, slug: str
) -> None:
    """Streamlit's own discovery would answer with a bare page, or with none, on a fresh server."""
    home, project = labelled
    shutil.copytree(home, tmp_path / "home")  # another home, so that the server is another one
    url = start_app(ROOT / "app.py", env={"SCANVI_HOME": str(tmp_path / "home")})
    page.goto(f"{url}/{slug}?project={project}")
    page.get_by_role("heading", name=PAGES[slug], exact=True).wait_for()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore").wait_for()
    page.locator(".st-key-status-strip").get_by_text("Deep cells").wait_for()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert page.get_by_text("Page not found").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    assert project in page.url
