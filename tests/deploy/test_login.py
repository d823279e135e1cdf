"""Signing in, from the first page to the last: the image's files, its settings, a real browser."""

import http.client
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from tests.deploy import image
from tests.deploy.conftest import COOKIE_SECRET, HOST

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AT_REST = "[data-testid=stApp][data-test-script-state=notRunning]"


@pytest.fixture(scope="module")
def team(team_at):
    return team_at(f"http://{HOST}:{{port}}")


def enter(page, url, account):
    """Sign in as a person does, or as far as that goes."""
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Account").fill(account)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_selector(AT_REST)


def status(url, cookies=(), host=""):
    header = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
    headers = {name: text for name, text in (("Cookie", header), ("Host", host)) if text}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def download(team):
    return f"http://127.0.0.1:{team.port}/download/{team.project}/cells.h5ad"


def test_the_health_check_of_the_image_says_yes_to_the_running_app(team):
    words = [word.replace(":8501", f":{team.port}") for word in image.command("HEALTHCHECK")]
    assert words != image.command("HEALTHCHECK")
    assert subprocess.run(words, check=False).returncode == 0


def test_nobody_sees_a_project_before_signing_in(team, drive):
    def visit(page):
        for slug in ("", "history"):
            page.goto(f"{team.url}/{slug}?project={team.project}")
            page.get_by_role("button", name="Sign in").wait_for()
            page.wait_for_selector(AT_REST)
            text = page.locator("body").inner_text()
            assert "Secret cells" not in text
            assert page.get_by_test_id("stSidebarNav").count() == 0
            assert "Page not found" not in text

    drive(visit)


def test_who_signed_in_works_under_that_name_until_signing_out(team, drive):
    def visit(page):
        enter(page, team.url, "anna@lab.example")
        page.get_by_text("Signed in as").wait_for()
        page.goto(f"{team.url}/labels?project={team.project}")
        page.get_by_role("button", name="Use these labels").click()
        page.get_by_role("heading", name="Types").wait_for()
        page.get_by_test_id("stSidebarNav").get_by_role("link", name="History").click()
        page.get_by_role("heading", name="History", exact=True).wait_for()
        page.get_by_role("combobox", name="Who").click()
        page.get_by_role("option", name="anna@lab.example").wait_for()
        page.keyboard.press("Escape")
        assert page.get_by_label("Your name in the history").count() == 0
        assert status(download(team), page.context.cookies()) == 200
        with page.expect_download() as fetched:
            page.get_by_role("button", name="Download the history").click()
        made = fetched.value.url.replace(HOST, "127.0.0.1")  # a file that the page made itself
        assert "/media/" in made and len(Path(urlsplit(made).path).stem) >= 32  # none to guess
        assert status(made, page.context.cookies()) == 200
        assert (status(made), status(made, host="elsewhere.example")) == (401, 403)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in").wait_for()
        assert status(download(team), page.context.cookies()) == 401

    drive(visit)


def test_who_is_not_on_the_list_is_told_so_and_sees_nothing(team, drive):
    def visit(page):
        enter(page, team.url, "mallory@elsewhere.example")
        page.get_by_text("is not on the list").wait_for()
        assert "Secret cells" not in page.locator("body").inner_text()
        assert status(download(team), page.context.cookies()) == 401
        page.get_by_role("button", name="Sign in as somebody else").click()
        page.get_by_role("button", name="Sign in", exact=True).wait_for()

    drive(visit)


@pytest.mark.parametrize(
    "path",
    ["/download/{project}/cells.h5ad", "/media/0123.png", "/_stcore/upload_file/a/b",
     "/_stcore/metrics", "/_stcore/script-health-check", "/_stcore/agent/mcp", "/app/static/a.csv",
     "/_stcore/of-a-later-version"],
)  # fmt: skip
def test_what_lies_beside_the_pages_is_closed_without_a_sign_in(team, path):
    address = f"http://127.0.0.1:{team.port}{path.format(project=team.project)}"
    assert status(address) == 401


ANNA = {"is_logged_in": True, "email": "anna@lab.example"}


@pytest.mark.parametrize(
    ("claims", "answer"),
    [
        ({}, 200),
        ({"origin": "http://elsewhere.example"}, 401),
        ({"origin": None}, 401),
        ({"is_logged_in": False}, 401),
        ({"email": "mallory@elsewhere.example"}, 401),
        ({"email_verified": False}, 401),
    ],
)
def test_an_exported_file_is_for_those_who_signed_in_here_and_are_on_the_list(
    team, claims, answer
):
    said = json.dumps(ANNA | {"origin": team.url} | claims)
    cookie = create_signed_value(COOKIE_SECRET, USER_COOKIE_NAME, said).decode()
    assert status(download(team), [{"name": USER_COOKIE_NAME, "value": cookie}]) == answer


def test_a_cookie_somebody_else_signed_opens_nothing(team):
    said = json.dumps(ANNA | {"origin": team.url})
    cookie = create_signed_value("1" * 48, USER_COOKIE_NAME, said).decode()
    assert status(download(team), [{"name": USER_COOKIE_NAME, "value": cookie}]) == 401


@pytest.mark.parametrize(("host", "answer"), [(HOST, 101), ("elsewhere.example", 403)])
def test_the_server_speaks_under_its_own_name_only(team, host, answer):
    """What allowedHosts is for: a page of another site cannot reach it through its own name."""
    line = http.client.HTTPConnection("127.0.0.1", team.port, timeout=10)
    line.request("GET", "/_stcore/stream", headers={
        "Host": host, "Origin": f"http://{host}", "Connection": "Upgrade",
        "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    })  # fmt: skip
    assert line.getresponse().status == answer
    line.close()
