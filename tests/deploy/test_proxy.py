"""The very Caddyfile in front of the app, with certificates of its own making."""

import http.client
import json
import shutil
import ssl
import subprocess

import pytest

from tests.deploy import image
from tests.deploy.conftest import HOST, values
from tests.deploy.test_login import enter

CADDY = shutil.which("caddy")
pytestmark = [
    pytest.mark.skipif(CADDY is None, reason="caddy is not installed: apt-get install caddy"),
    pytest.mark.browser,
    pytest.mark.slow,
]
POLICY_BROKEN = "content security policy"


@pytest.fixture(scope="module")
def door(team_at, tmp_path_factory):
    """The group's server as seen from outside: its address and the port of the app behind."""
    base, ports = tmp_path_factory.mktemp("proxy"), [image.free_port() for _ in range(3)]
    secure, plain, admin = ports
    team = team_at(f"https://{HOST}:{secure}")
    service = image.compose(values(base))["services"]["proxy"]
    settings = service["environment"] | {
        "SCANVI_APP": f"127.0.0.1:{team.port}", "XDG_DATA_HOME": str(base), "HOME": str(base),
    }  # fmt: skip
    adapted = subprocess.run(
        [CADDY, "adapt", "--config", image.FOLDER / "Caddyfile", "--validate"],
        env=settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert adapted.returncode == 0, adapted.stderr
    config = json.loads(adapted.stdout)  # as it is, but for ports that anybody may open
    config["admin"] = {"listen": f"127.0.0.1:{admin}"}
    config["apps"]["http"] |= {"http_port": plain, "https_port": secure}
    [server] = config["apps"]["http"]["servers"].values()
    assert server["listen"] == [":443"]
    server["listen"] = [f":{secure}"]
    (base / "caddy.json").write_text(json.dumps(config))
    words = [CADDY, "run", "--config", str(base / "caddy.json")]
    running = image.start(words, base, settings, base / "caddy.log")
    running.wait_for(f"http://127.0.0.1:{admin}/config/")
    yield team, secure, plain
    running.stop()


def fetch(port, path, *, secure=True):
    """Return status and headers of an address, whoever signed its certificate."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if secure:
        context = ssl._create_unverified_context()
        line.connect()
        line.sock = context.wrap_socket(line.sock, server_hostname=HOST)
    line.request("GET", path, headers={"Host": HOST})
    answer = line.getresponse()
    line.close()
    return answer.status, answer.headers


def test_a_person_signs_in_and_works_over_https(door, drive):
    """The page lives on its websocket: without it nothing after the empty frame appears."""
    team, said = door[0], []

    def visit(page):
        page.on("console", lambda message: said.append(message.text))
        enter(page, team.url, "guest@other.example")
        page.get_by_text("Signed in as").wait_for()
        cookies = page.context.cookies()
        assert {"_streamlit_user", "_streamlit_xsrf"} <= {cookie["name"] for cookie in cookies}
        assert all(cookie["secure"] for cookie in cookies)
        page.goto(f"{team.url}/explore?project={team.project}")
        page.locator("[data-ready]").first.wait_for()  # our component draws

    drive(visit)
    assert [text for text in said if POLICY_BROKEN in text.casefold()] == []


def test_every_answer_carries_the_headers_that_protect_people(door):
    _, headers = fetch(door[1], "/")
    assert int(headers["Strict-Transport-Security"].partition("=")[2]) >= 31536000
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] is None


def test_numbers_about_the_server_stay_inside(door):
    assert fetch(door[1], "/_stcore/metrics")[0] == 404


def test_an_address_without_https_leads_to_the_one_with_it(door):
    status, headers = fetch(door[2], "/labels", secure=False)
    assert (status, headers["Location"]) == (308, f"https://{HOST}/labels")
