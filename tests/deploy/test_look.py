"""A link to look where people sign in: it opens one project to those who are let in."""

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.viewing import links, remarks
from scanvi_core.services.workspace import workspace
from tests.deploy.conftest import HOST
from tests.deploy.test_login import download, enter, status
from tests.deploy.test_owners import BOB, cookies, rest

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STRANGER = "eve@elsewhere.example"


@pytest.fixture(scope="module")
def team(team_at):
    """A server with a project of Anna's, and a link to it."""
    team = team_at(f"http://{HOST}:{{port}}")
    with runtime.home_at(team.home):
        edit.use_column(workspace(team.project), "cell_type", set())
        team.link = f"{team.url}/?view={links.make(team.project)}"
    return team


def test_who_did_not_sign_in_or_is_not_let_in_sees_nothing_by_a_link(team, drive):
    def outside(page):
        page.goto(team.link)
        page.get_by_text("open the link again").wait_for()
        assert "Secret cells" not in rest(page)

    def stranger(page):
        enter(page, team.url, STRANGER)
        page.get_by_text("is not on the list").wait_for()
        page.goto(team.link)
        page.get_by_text("is not on the list").wait_for()
        assert "Secret cells" not in rest(page)

    drive(outside)
    drive(stranger)


def test_who_signed_in_looks_and_speaks_under_that_name_and_gains_nothing_else(team, drive):
    def visit(page):
        enter(page, team.url, BOB)
        page.goto(team.link)
        page.get_by_text("You look by a link").wait_for()
        page.get_by_text("You speak as bob@").wait_for()
        assert page.get_by_role("textbox", name="Your name").count() == 0
        page.get_by_role("textbox", name="Comment").fill("From Bob")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("From Bob").wait_for()
        assert "not verified" not in rest(page)
        page.goto(f"{team.url}/labels?project={team.project}")
        page.get_by_text("is not shared with you").wait_for()

    drive(visit)
    assert status(download(team), cookies(team, BOB)) == 404
    with runtime.home_at(team.home):
        opened = workspace(team.project)
        [item] = remarks.said(opened).items
        assert (item.by, item.signed_in) == (BOB, True)
        [link] = links.links_of(team.project)
        assert [(v.name, v.signed_in) for v in link.visitors] == [(BOB, True)]
