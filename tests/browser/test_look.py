"""A link from its owner to a colleague and back: made, opened elsewhere, spoken by, taken back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.services.viewing import links, remarks
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SHOTS = ROOT / "screenshots"
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"
AS_WRITTEN = "Some <b>are</b> **pDC**, see [this]"
HOSTILE = "Some <b>are</b> **pDC**, see [this](http://evil.example/x.png)"


@pytest.fixture(scope="module")
def shared(
    trained_folder: Path, tmp_path_factory: pytest.TempPathFactory, start_app: Callable[..., str]
) -> tuple[str, Path, str]:
    """The address of an app, its home, and the id of the project in it."""
    home = tmp_path_factory.mktemp("linked")
    with runtime.home_at(home):
        project = copy_of(trained_folder, "Linked cells")
    return start_app(ROOT / "app.py", env={runtime.HOME_VARIABLE: str(home)}), home, project


@pytest.fixture
def colleague(browser: Any) -> Any:
    """The browser of somebody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def rest(page: Any) -> None:
    page.wait_for_selector(AT_REST)


def link_dialog(page: Any, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("button", name="Link to look").click()
    page.get_by_role("button", name="Make a link").wait_for()


def speak(page: Any) -> None:
    """Comment on picked cells, and propose a name for a type, which is a vote for it."""
    page.get_by_role("textbox", name="Your name").fill("Dr. Rao")
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Comment").fill(HOSTILE)
    page.get_by_role("button", name="Send").click()
    said = page.get_by_test_id("stMarkdown")  # not the box, which holds it until it is sent
    said.get_by_text(AS_WRITTEN).wait_for()
    page.get_by_text("Propose a name", exact=True).click()
    page.get_by_role("combobox", name="Better name").wait_for()
    rest(page)
    page.get_by_role("combobox", name="About").click()
    page.get_by_role("combobox", name="About").fill("Dendritic")
    page.get_by_role("option", name="Dendritic").click()
    page.get_by_role("combobox", name="Better name").fill("mDC")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Propose", exact=True).click()
    page.get_by_role("button", name="For: 1").wait_for()
    page.get_by_role("button", name="Propose", exact=True).click()  # again, of an empty box
    rest(page)
    assert page.get_by_test_id("stAlert").count() == 0


def test_a_colleague_looks_comments_and_votes_and_the_owner_sees_it(
    page: Any, colleague: Any, shared: tuple[str, Path, str]
) -> None:
    SHOTS.mkdir(exist_ok=True)
    url, home, project = shared
    link_dialog(page, url)
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_test_id("stCode").inner_text().strip()
    page.screenshot(path=SHOTS / "look-link.png")

    requests: list[str] = []
    colleague.on("request", lambda request: requests.append(request.url))
    colleague.goto(link)
    colleague.get_by_text("You look by a link").wait_for()
    colleague.locator("[data-revision]").first.wait_for()
    speak(colleague)
    rest(colleague)
    colleague.screenshot(path=SHOTS / "look.png")
    addresses = [one.get_attribute("href") for one in colleague.get_by_role("link").all()]
    assert set(addresses) <= {"#stMain"}  # for the keyboard
    assert colleague.get_by_test_id("stSidebarNav").count() == 0
    assert not [asked for asked in requests if "evil.example" in asked]
    for slug in ("labels", "export"):
        colleague.goto(link.replace("/?", f"/{slug}?"))
        colleague.get_by_text("You look by a link").wait_for()
        assert colleague.get_by_role("heading", name="Types").count() == 0

    page.goto(f"{url}/labels?project={project}")
    page.get_by_text("What colleagues said: 2 open").click()
    page.get_by_text("1 for, 0 against").first.wait_for()  # also beside the types
    page.get_by_text(AS_WRITTEN).wait_for()
    page.screenshot(path=SHOTS / "look-said.png")
    page.get_by_role("button", name="Done").first.click()
    page.get_by_text("What colleagues said: 1 open").wait_for()

    link_dialog(page, url)
    page.get_by_text("Dr. Rao (not verified): 1 visit").wait_for()
    page.get_by_role("button", name="Take it back").click()
    page.get_by_text("opens nothing any more").wait_for()
    colleague.goto(link)
    colleague.get_by_role("heading", name="This link opens nothing").wait_for()
    with runtime.home_at(home):
        assert workspace(project).labels().seq == 2  # as it was made


def test_cells_a_colleague_drew_around_are_shown_to_the_owner(
    page: Any, colleague: Any, lasso: Callable[..., None], shared: tuple[str, Path, str]
) -> None:
    url, _, project = shared
    link_dialog(page, url)
    page.get_by_role("button", name="Make a link").click()
    page.goto(page.get_by_test_id("stCode").inner_text().strip())
    cells = page.locator("[data-revision]").first
    cells.wait_for()
    page.get_by_role("textbox", name="Your name").fill("Dr. Rao")
    page.keyboard.press("Enter")
    lasso(cells, (0.5, 0.5), 0.45)
    picked = page.get_by_text("picked:").inner_text()
    rest(page)
    assert page.get_by_label("About").input_value() == "the cells picked on the map"
    page.get_by_role("textbox", name="Comment").fill("What are these?")
    page.get_by_role("button", name="Send").click()
    page.get_by_test_id("stMarkdown").get_by_text("What are these?").wait_for()

    colleague.goto(f"{url}/labels?project={project}")
    colleague.get_by_text("What colleagues said").click()
    colleague.get_by_role("button", name="Show these cells").click()
    colleague.get_by_role("heading", name="Explore").wait_for()
    n = picked.split(" ")[0]
    colleague.get_by_text(f"{n} cells picked").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_link_has_no_serious_finding(
    browser: Any, shared: tuple[str, Path, str], scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python.sync_playwright")
    from tests.browser.test_accessibility import findings, settle

    url, home, project = shared
    with runtime.home_at(home):
        opened, token = workspace(project), links.make(project)
        about = remarks.subjects(opened)[0]
        remarks.comment(opened, about, "Seen on paper, too", "Dr. Rao")
        remarks.propose(opened, about, "mDC", "Dr. Rao")
    context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{url}/?view={token}")
    page.get_by_text("You look by a link").wait_for()
    settle(page)
    page.screenshot(path=SHOTS / f"look-{scheme}.png")
    found = findings(page, 1280)
    page.set_viewport_size({"width": 900, "height": 720})
    settle(page)
    page.screenshot(path=SHOTS / f"look-{scheme}-900.png")
    context.close()
    assert not found, "\n".join(found)
