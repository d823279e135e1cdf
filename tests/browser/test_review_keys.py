"""The review with the keyboard alone, where types have names that are code in other programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pages.ui.frame.pages import OPEN, PAGES
from scanvi_core import keys, runtime
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.project.runs import Run
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of, train_now

SHOTS = ROOT / "screenshots"
HOSTILE = (
    "<img src=x onerror=window.ran=1>",
    "![](http://far.example/seen.png)",
    "[click](javascript:window.ran=1)",
    "<script>window.ran=1</script>",
    ":red[$x^2$] **bold** `code`",
)
BY_HAND = "<b onmouseover=window.ran=1>new</b>"
ALL_KEYS = "amusnbt234"
KEYS = "a2uaas3aaua"  # ten decisions and a skipped card

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def hostile(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one trained project whose types have such names, and the project's id."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        project = copy_of(imported, "Hostile")
        opened = workspace(project)
        state = edit.use_column(opened, "cell_type", set())
        for old, new in zip(state.active, HOSTILE, strict=False):
            edit.rename(opened, old, new)
        train_now(project)
    return home, project


@pytest.fixture
def foreign(page: Any) -> list[str]:
    """What the page asks of other machines, and what it says in dialogs of its own."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url))
    page.on("dialog", lambda dialog: found.append(f"dialog {dialog.message}"))
    return found


def test_ten_decisions_by_keyboard_alone_with_names_that_are_code(
    page: Any, start_app: Callable[..., str], hostile: tuple[Path, str], foreign: list[str]
) -> None:
    home, project = hostile
    url = _open_review(page, start_app, hostile)
    before = labels(home, project)
    for key in KEYS:
        _press(page, key)
    assert n_steps(home, project) == 10
    _press(page, "Control+z")
    assert n_steps(home, project) == 9
    page.keyboard.press("n")
    page.get_by_role("dialog").wait_for()
    page.wait_for_function("() => document.activeElement.role === 'combobox'")  # without a click
    page.keyboard.type(BY_HAND)  # letters that are keys outside of a text field
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Name them").click()
    page.get_by_role("dialog").wait_for(state="detached")
    _settle(page)
    now = labels(home, project)
    assert BY_HAND in now.active and keys.UNKNOWN in now.names
    assert (now.codes >= 0).sum() > (before.codes >= 0).sum()
    assert not page.evaluate("() => window.ran")
    own = (url, url.replace("http", "ws"), "data:", "blob:")
    assert [address for address in foreign if not address.startswith(own)] == []
    assert page.locator("img[src*='far.example'], a[href^='javascript']").count() == 0
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "6-review-hostile.png")


def test_keys_of_buttons_wait_while_a_dialog_is_open_or_something_is_written(
    page: Any, start_app: Callable[..., str], hostile: tuple[Path, str]
) -> None:
    home, project = hostile
    url = _open_review(page, start_app, hostile)
    before = state_on_disk(home, project)
    page.keyboard.press("n")
    page.wait_for_function("() => document.activeElement.role === 'combobox'")
    page.evaluate("() => document.activeElement.blur()")  # as after a click beside the box
    page.keyboard.type(ALL_KEYS)
    page.keyboard.press("Control+z")
    page.keyboard.press("Escape")
    for slug in (item.slug for item in PAGES if item is not OPEN):
        page.goto(f"{url}/{slug}?project={project}")
        _settle(page)
        for box in page.locator("input:visible, textarea:visible").all():
            if box.is_visible() and box.is_enabled():
                box.focus()
                page.keyboard.type(ALL_KEYS)
                page.keyboard.press("Control+z")
                page.keyboard.press("Escape")
        _settle(page)
    assert state_on_disk(home, project) == before


def state_on_disk(home: Path, project: str) -> tuple[int, int]:
    """Return how many steps the labels have, and how many runs there are."""
    with runtime.home_at(home):
        opened = workspace(project)
        return opened.store.labels().seq, len(Run.list(opened.project))


def _open_review(page: Any, start_app: Callable[..., str], hostile: tuple[Path, str]) -> str:
    """Open the review of a project, and wait for its card; return the address of the app."""
    home, project = hostile
    url = start_app(ROOT / "app.py", env={"SCANVI_HOME": str(home)})
    page.goto(f"{url}/review?project={project}")
    page.locator(".st-key-accept button").wait_for(timeout=90_000)
    return url


def _press(page: Any, key: str) -> None:
    """Press a key that brings another card, and wait for it."""
    card = page.locator(".st-key-review-card")
    before = card.inner_text()
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('.st-key-review-card')?.innerText !== before",
        arg=before, timeout=60_000,
    )  # fmt: skip
    _settle(page)


def _settle(page: Any) -> None:
    page.wait_for_selector(
        "[data-testid=stApp][data-test-script-state=notRunning]", timeout=90_000
    )
    assert page.locator("[data-testid=stException]").count() == 0


def labels(home: Path, project: str) -> LabelState:
    """Return the labels as they are on disk."""
    return _store(home, project).labels()


def n_steps(home: Path, project: str) -> int:
    """Return how many decisions of the review stand."""
    events = _store(home, project).events()
    return sum(e.payload.get("reason") == "review" and not e.undone for e in events)


def _store(home: Path, project: str) -> Any:
    with runtime.home_at(home):
        return workspace(project).store
