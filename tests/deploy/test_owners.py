"""Projects on a server belong to people: what others see of them, in the pages and beside them."""

import json
import shutil

import pytest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from scanvi_core import runtime
from scanvi_core.project import access
from scanvi_core.project.folder import create_project, projects_home
from scanvi_core.services import request_limits
from tests.deploy.conftest import ADMIN, COOKIE_SECRET, HOST, OWNER, READER
from tests.deploy.test_login import AT_REST, download, enter, status

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BOB = "bob@lab.example"


@pytest.fixture(scope="module")
def team(team_at):
    """A server with a project of Anna's, shared with a guest, and one of before owners."""
    team = team_at(f"http://{HOST}:{{port}}")
    with runtime.home_at(team.home):
        whole = projects_home() / team.project
        old = create_project("Of before")
        shutil.copytree(whole, old.root, dirs_exist_ok=True)
        (old.root / access.FILE).unlink()
        old.update_settings(name="Of before")
    team.old = old.id
    return team


def cookies(team, email, **more):
    said = {"is_logged_in": True, "email": email, "origin": team.url} | more
    value = create_signed_value(COOKIE_SECRET, USER_COOKIE_NAME, json.dumps(said)).decode()
    return [{"name": USER_COOKIE_NAME, "value": value}]


@pytest.mark.parametrize(
    ("email", "answer"),
    [(OWNER, 200), (READER, 200), (ADMIN, 200), (BOB, 404), ("ANNA@lab.example", 200)],
)
def test_files_are_for_those_who_see_the_project(team, email, answer):
    assert status(download(team), cookies(team, email)) == answer


def test_a_name_that_somebody_gave_themselves_opens_nothing(team):
    for claims in (
        {"email": "", "name": OWNER, "sub": OWNER},
        {"email": OWNER, "email_verified": False},
    ):
        assert status(download(team), cookies(team, claims.pop("email"), **claims)) == 401


def test_a_project_of_before_is_for_administrators(team):
    old = f"http://127.0.0.1:{team.port}/download/{team.old}/cells.h5ad"
    assert [status(old, cookies(team, who)) for who in (OWNER, BOB, ADMIN)] == [404, 404, 200]


def rest(page):
    page.wait_for_selector(AT_REST)
    return page.locator("body").inner_text()


def test_to_others_there_is_no_such_project_on_any_page(team, drive):
    def visit(page):
        enter(page, team.url, BOB)
        page.get_by_text("Signed in as").wait_for()
        assert "Secret cells" not in rest(page)
        for slug in ("", "labels", "train", "history", "export"):
            page.goto(f"{team.url}/{slug}?project={team.project}")
            page.get_by_text("is not shared with you").wait_for()
            assert "Secret cells" not in rest(page)
            assert team.project not in page.url

    drive(visit)


def test_who_may_look_sees_it_and_can_change_nothing(team, drive):
    def visit(page):
        enter(page, team.url, READER)
        page.get_by_text("Look only").wait_for()
        assert page.get_by_role("button", name="Share").count() == 0
        page.get_by_role("button", name="Secret cells").click()
        page.get_by_text("You can look, but not change anything").wait_for()
        page.goto(f"{team.url}/labels?project={team.project}")
        page.get_by_role("button", name="Use these labels").click()
        page.get_by_text("Nothing was changed").wait_for()
        page.goto(f"{team.url}/check?project={team.project}")
        page.get_by_text("Ask anna@").wait_for()
        page.goto(f"{team.url}/export?project={team.project}")
        page.get_by_role("link", name="Download .h5ad").wait_for()
        assert page.get_by_role("button", name="Write the file").count() == 0

    drive(visit)


def test_the_owner_shares_it_in_the_list_and_it_is_there_for_the_other(team, drive):
    def own(page):
        enter(page, team.url, OWNER)
        page.get_by_role("button", name="Share").click()
        page.get_by_label("These people may change it").fill("bob@lab, example")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("is no e-mail address").wait_for()
        page.get_by_label("These people may change it").fill("Bob@Lab.example")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("shared with 2 people").wait_for()

    def work(page):
        enter(page, team.url, BOB)
        page.get_by_role("button", name="Secret cells").click()
        page.get_by_text("is open").wait_for()
        assert "You can look" not in rest(page)
        assert page.get_by_role("button", name="Share").count() == 0
        page.goto(f"{team.url}/labels?project={team.project}")
        page.get_by_role("button", name="Use these labels").click()
        page.get_by_role("heading", name="Types").wait_for()

    drive(own)
    drive(work)
    assert status(download(team), cookies(team, BOB)) == 200


def test_an_administrator_gives_away_a_project_of_before(team, drive):
    def visit(page):
        enter(page, team.url, ADMIN)
        page.get_by_text("belongs to nobody").wait_for()
        line = page.locator("[data-testid=stHorizontalBlock], .stHorizontalBlock").filter(
            has_text="Of before"
        )
        line.get_by_role("button", name="Share").last.click()
        page.get_by_label("Belongs to").fill("carl@lab.example")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("from carl@").wait_for()

    drive(visit)
    old = f"http://127.0.0.1:{team.port}/download/{team.old}/cells.h5ad"
    assert status(old, cookies(team, "carl@lab.example")) == 200


def test_who_asks_too_often_waits_and_nobody_else_does(team):
    busy = cookies(team, "busy@lab.example")
    for _ in range(5 * request_limits.config.TURNS[request_limits.DOWNLOAD][0]):
        if status(download(team), busy) == 429:
            break
    assert status(download(team), busy) == 429
    assert status(download(team), cookies(team, OWNER)) == 200
