"""The box for names: what was typed is the name, an existing one needs the arrow key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def home(trained_folder: Path, tmp_path: Path) -> tuple[Path, str]:
    """A home with a trained project that has the type "CD16 Mono", and its id."""
    with runtime.home_at(tmp_path):
        project = copy_of(trained_folder)
        edit.name_cells(workspace(project), np.array([3]), "CD16 Mono", "lasso")
        return tmp_path, project


@pytest.mark.parametrize(
    ("keys", "named"), [(["Enter"], "CD16"), (["ArrowDown", "Enter"], "CD16 Mono")]
)
def test_enter_takes_what_was_typed_and_says_what_is_near(
    page: Any, start_app: Callable[..., str], home: tuple[Path, str],
    keys: list[str], named: str,
) -> None:  # fmt: skip
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page.goto(f"{url}/review?project={home[1]}")
    page.locator(".st-key-accept button").wait_for(timeout=90_000)
    page.keyboard.press("n")
    page.wait_for_function("() => document.activeElement.role === 'combobox'")
    page.keyboard.type("CD16")
    page.get_by_role("option").first.wait_for()
    for key in keys:
        page.keyboard.press(key)
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name="Name them")
    page.wait_for_function("() => !document.querySelector('.st-key-name-them button').disabled")
    assert dialog.locator("input").first.input_value() == named
    assert dialog.get_by_text("Near it: CD16 Mono").count() == (named == "CD16")
    button.click()
    dialog.wait_for(state="detached")
    with runtime.home_at(home[0]):
        assert workspace(home[1]).store.events()[-1].payload["labels"] == [named]


def test_the_box_stays_when_the_page_is_drawn_anew_behind_it(
    page: Any, start_app: Callable[..., str], home: tuple[Path, str]
) -> None:
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page.goto(f"{url}/review?project={home[1]}")
    page.locator(".st-key-accept button").wait_for(timeout=90_000)
    page.keyboard.press("a")
    page.locator(".st-key-review-row").get_by_text("1 decision since model 1").wait_for()
    page.keyboard.press("m")
    page.get_by_role("button", name="Cancel").wait_for()
    page.keyboard.press("n")  # before the update ends, which draws the page anew
    page.wait_for_function("() => document.activeElement.role === 'combobox'")
    page.keyboard.type("Masu")  # letters that are keys of the page
    page.locator(".st-key-status-strip").get_by_text("Model 2").wait_for(timeout=180_000)
    page.wait_for_timeout(2500)
    assert page.get_by_role("dialog").locator("input").first.input_value() == "Masu"
    with runtime.home_at(home[0]):
        reviewed = [e.payload.get("reason") == "review" for e in workspace(home[1]).store.events()]
        assert sum(reviewed) == 1
    page.keyboard.press("Escape")  # the list
    page.keyboard.press("Escape")  # the dialog
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_text("Model 2 is in use").wait_for()
    assert page.get_by_role("dialog").count() == 0


@pytest.mark.parametrize(
    ("typed", "line", "named"),
    [
        (
            "MAIT",
            "MAIT → mucosal-associated invariant T cell",
            "mucosal-associated invariant T cell",
        ),
        ("treg", "Treg → regulatory T cell", "regulatory T cell"),
        ("plasma cell", "plasma cell · CL:0000786", "plasma cell"),
        ("CD16", "CD16 Mono", "CD16 Mono"),  # a type here comes first
    ],
)
def test_the_box_completes_from_the_ontology(
    page: Any, start_app: Callable[..., str], home: tuple[Path, str],
    typed: str, line: str, named: str,
) -> None:  # fmt: skip
    url = start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home[0])})
    page.goto(f"{url}/review?project={home[1]}")
    page.get_by_role("button", name="Accept").wait_for(timeout=90_000)
    page.keyboard.press("n")
    page.wait_for_function("() => document.activeElement.role === 'combobox'")
    page.keyboard.type(typed)
    page.get_by_role("option", name=f"Add: {typed}").wait_for()
    assert page.get_by_role("option").all_inner_texts()[1] == line
    page.screenshot(path=ROOT / "screenshots" / f"name_box_{typed.replace(' ', '_')}.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.querySelector('.st-key-name-them button').disabled")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Name them").click()
    dialog.wait_for(state="detached")
    with runtime.home_at(home[0]):
        opened = workspace(home[1])
        assert opened.store.events()[-1].payload["labels"] == [named]
        known = type_terms.of_names(opened, [named])
        assert named == "CD16 Mono" or known[named].exact
