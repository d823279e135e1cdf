"""Narrow and low windows: what a decision needs is in sight, and no word is cut."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pages.ui.frame.pages import OPEN, PAGES
from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

LOW = {"width": 853, "height": 480}  # 1280 x 720 at 150 % zoom
NARROW = {"width": 900, "height": 720}
LONG = "CD4+/CD45RA+/CD25- Naive T of the spleen"
CUT = """
root => [...root.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1
  && getComputedStyle(e).overflowX !== 'visible').map(e => e.textContent)
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one trained project whose last step has a long name, and its id."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        project = copy_of(trained_folder, "Cells of donor 12, day 3")
        edit.name_cells(workspace(project), np.array([3]), LONG, "lasso")
        return home, project


@pytest.fixture
def show(page: Any, start_app: Callable[..., str], home: tuple[Path, str]) -> Callable[..., None]:
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})

    def show(slug: str, size: dict[str, int]) -> None:
        page.set_viewport_size(size)
        page.goto(f"{url}/{slug}?project={home[1]}")
        page.locator(".st-key-page-header").wait_for(timeout=90_000)
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    return show


def test_question_evidence_and_answer_of_a_card_are_in_sight_at_150_percent(
    page: Any, show: Callable[..., None]
) -> None:
    show("review", LOW)
    card = page.locator(".st-key-review-card")
    primary = card.locator("button[kind=primary]")
    primary.wait_for(timeout=90_000)
    evidence = card.get_by_text("labeled cells").first
    for part in (card.get_by_text("similar cell").first, evidence, primary):
        box = part.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= LOW["height"]


@pytest.mark.parametrize("slug", [item.slug for item in PAGES if item is not OPEN])
def test_nothing_is_cut_in_the_strip_and_the_header(
    page: Any, show: Callable[..., None], slug: str
) -> None:
    show(slug, NARROW)
    for size in (NARROW, LOW):
        page.set_viewport_size(size)
        for part in (".st-key-status-strip", ".st-key-page-header"):
            assert page.locator(part).evaluate(CUT) == []


def test_the_confusion_matrix_has_the_width_of_a_narrow_page(
    page: Any, show: Callable[..., None]
) -> None:
    show("evaluate", NARROW)
    page.locator(".st-key-confusion").wait_for()
    page.wait_for_function(
        "() => document.querySelector('.st-key-confusion').offsetWidth"
        " > 0.85 * document.querySelector('.st-key-page-header').offsetWidth"
    )
