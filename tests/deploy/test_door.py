"""Under which names the app answers, which pages may speak to it, and how often."""

import http.client
from unittest.mock import MagicMock

import pytest
from streamlit import config
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from pages.ui.server import door, login
from pages.ui.server.door import KnownHostsOnly
from scanvi_core.services import request_limits
from tests.deploy import image

BASE = "/user/anna/proxy/8501"
ROUTES = [
    ("GET", "/"), ("GET", "/labels"), ("GET", "/static/index.js"), ("GET", "/media/0123.png"),
    ("GET", "/download/AAAAAAAAAAAAAAAA/cells.h5ad"), ("GET", "/_stcore/host-config"),
    ("PUT", "/_stcore/upload_file/a/b"), ("GET", "/_stcore/metrics"), ("GET", "/component/a/b"),
    ("GET", "/auth/login"), ("GET", "/oauth2callback"), ("POST", "/_stcore/agent/mcp"),
    ("GET", "/_stcore/bidi-components/a/b"), ("GET", "/auth/logout"),
    ("OPTIONS", "/media/0123.png"), ("DELETE", "/_stcore/upload_file/a/b"),
]  # fmt: skip


def ask(port, method, path, **headers):
    """Return the answer to a request with just these headers."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    text = answer.read(2000).decode("utf-8", "replace") if answer.status != 101 else ""
    line.close()
    return answer.status, text, answer.headers


def socket_status(port, path="/_stcore/stream", **headers):
    opening = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    return ask(port, "GET", path, **headers, **opening)[0]


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Start the app with flags; return its port."""
    begun = []

    def begin(*flags):
        base, port = tmp_path_factory.mktemp("door"), image.free_port()
        words = ["-m", "streamlit", "run", "app.py", f"--server.port={port}", *flags]
        words = [*image.command()[:1], *words, "--server.headless=true"]
        variables = {"SCANVI_HOME": str(base), "HOME": str(base), "PYTHONPATH": str(image.ROOT)}
        begun.append(image.start(words, image.ROOT, variables, base / "log.txt"))
        prefix = next((flag.partition("=")[2] for flag in flags if "baseUrlPath" in flag), "")
        begun[-1].wait_for(f"http://127.0.0.1:{port}{prefix}/_stcore/health")
        return port

    yield begin
    for running in begun:
        running.stop()


@pytest.fixture(scope="module")
def port(serve):
    return serve()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_for_host_and_origin(port, method, path):
    here = f"127.0.0.1:{port}"
    status, text, _ = ask(port, method, path, Host="evil.example")
    assert (status, "evil.example" in text, "--server.allowedHosts" in text) == (403, True, True)
    other = f"http://127.0.0.1:{port + 1}"
    assert ask(port, method, path, Host=here, Origin=other)[0] == 403
    for origin in ((), f"http://{here}"):
        said = ask(port, method, path, Host=here, Origin=origin)[1]
        assert "another site" not in said and "does not answer" not in said


def test_every_route_of_streamlit_is_closed_or_known_to_hold_nothing_of_anybody():
    paths = {route.path for route in create_streamlit_routes(MagicMock())}
    open_to_all = {path for path in paths if not login.is_closed(path)}
    assert {"/media/{file_id:path}", "/_stcore/metrics"} <= paths - open_to_all
    assert open_to_all == {
        "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/auth/login",
        "/auth/logout", "/oauth2callback", "/component/{path:path}",
        "/_stcore/bidi-components/{path:path}", "",
    }  # fmt: skip


@pytest.mark.slow
def test_the_websocket_asks_for_host_and_origin(port):
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert socket_status(port, Host=host) == 101
        assert socket_status(port, Host=host, Origin=f"http://{host}") == 101
        for origin in ("http://localhost:3000", "http://localhost", "null", f"https://{host}",
                       "http://evil.example", f"http://{host}.evil.example"):  # fmt: skip
            assert socket_status(port, Host=host, Origin=origin) == 403, origin
    assert socket_status(port, Host=f"evil.example:{port}") == 403
    assert socket_status(port, Host=f"localhost:{port}", Origin=f"http://127.0.0.1:{port}") == 403


@pytest.mark.slow
def test_health_is_told_to_everybody(port):
    assert ask(port, "GET", "/_stcore/health", Host="10.1.2.3:8501")[0] == 200


@pytest.mark.slow
def test_below_a_path_behind_a_proxy_of_jupyter_everything_answers(serve):
    """The proxy keeps the Host that the browser typed, and its own path in front."""
    port = serve(f"--server.baseUrlPath={BASE}", "--server.address=127.0.0.1")
    host = "localhost:8888"
    same = {"Host": host, "Origin": f"http://{host}"}
    assert ask(port, "GET", f"{BASE}/", **same)[0] == 200
    assert socket_status(port, f"{BASE}/_stcore/stream", **same) == 101
    status, text, _ = ask(port, "GET", f"{BASE}/download/AAAAAAAAAAAAAAAA/a.h5ad", **same)
    assert (status, "There is no project" in text) == (404, True)
    elsewhere = {"Host": host, "Origin": "http://localhost:9999"}
    assert socket_status(port, f"{BASE}/_stcore/stream", **elsewhere) == 403
    assert ask(port, "GET", f"{BASE}/", **elsewhere)[0] == 403


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "what"),
    [("/auth/login", request_limits.SIGN_IN), ("/download/a/b", request_limits.DOWNLOAD)],
)
def test_who_asks_too_often_is_told_how_long_to_wait(port, path, what):
    headers = {"Host": f"127.0.0.1:{port}"}
    for _ in range(5 * request_limits.config.TURNS[what][0]):
        status, text, answered = ask(port, "GET", path, **headers)
        if status == 429:
            break
    assert status == 429
    assert int(answered["Retry-After"]) >= 1 and "Try again in" in text
    assert ask(port, "GET", "/", **headers)[0] == 200  # all else goes on


@pytest.fixture
def refusal(monkeypatch):
    """Say what a server with certain settings says to a request."""

    def said(host, origin=(), *, secure=False, **settings):
        known = {"server.allowedHosts": ["cells.example.org", "*.lab.example"]}
        known |= {"server.port": 8501, "server.address": "127.0.0.1"}
        known |= {"server.corsAllowedOrigins": []}
        known |= {f"server.{name}": value for name, value in settings.items()}
        monkeypatch.setattr(config, "get_option", known.get)
        monkeypatch.setattr(config, "set_option", known.__setitem__)
        hosts = [host] if isinstance(host, str) else host
        origins = [origin] if isinstance(origin, str) else origin
        raw = [(b"host", h.encode("latin-1")) for h in hosts]
        raw += [(b"origin", o.encode("latin-1")) for o in origins]
        scope = {"type": "http", "headers": raw, "scheme": "https" if secure else "http"}
        return KnownHostsOnly(None).refusal(scope)

    return said


@pytest.mark.parametrize(
    "host",
    ["cells.example.org", "CELLS.example.org.", "cells.example.org:443", "a.lab.example",
     "a.b.lab.example:81", "localhost:8501", "127.0.0.1:8501", "[::1]:8501"],
)  # fmt: skip
def test_names_of_the_settings_and_its_own_are_known(refusal, host):
    assert refusal(host) == ""


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "lab.example", "evil-lab.example", "cells.example.org.evil.example",
     "localhost:8502", "localhost", "127.0.0.1:80", "a@localhost:8501", "localhost:8501/a",
     "localhost:85o1", "localhost:8501,evil.example", "[::1", "::1:8501", "0.0.0.0:8501",
     "localhost:99999", (), ("localhost:8501", "localhost:8501")],
)  # fmt: skip
def test_other_names_are_refused(refusal, host):
    assert "does not answer" in refusal(host)


@pytest.mark.parametrize(
    ("host", "origin", "secure", "same"),
    [
        ("cells.example.org", "https://cells.example.org", True, True),
        ("cells.example.org", "https://cells.example.org", False, True),  # TLS ends in front
        ("cells.example.org", "https://cells.example.org:443", True, True),
        ("cells.example.org:443", "https://cells.example.org", True, True),
        ("cells.example.org", "http://cells.example.org", True, False),
        ("cells.example.org", "http://cells.example.org", False, True),
        ("cells.example.org", "https://cells.example.org:8443", True, False),
        ("cells.example.org:8443", "https://cells.example.org", True, False),
        ("cells.example.org", "https://a.lab.example", True, False),
        ("cells.example.org", "null", True, False),
        ("cells.example.org", "", True, False),
        ("cells.example.org", "https://", True, False),
        ("cells.example.org", "ftp://cells.example.org", True, False),
        ("cells.example.org", "https://cells.example.org/a", True, False),
        ("cells.example.org", ("https://cells.example.org",) * 2, True, False),
        ("localhost:8501", "http://localhost:8501", False, True),
        ("localhost:8501", "https://localhost:8501", False, False),
        ("localhost:8501", "http://127.0.0.1:8501", False, False),
    ],
)
def test_a_page_of_another_origin_is_refused(refusal, host, origin, secure, same):
    assert (refusal(host, origin, secure=secure) == "") is same


def test_the_settings_let_in_other_names_and_pages(refusal):
    assert refusal("evil.example", allowedHosts=[]) == ""
    assert refusal("evil.example", allowedHosts=["*"]) == ""
    assert refusal("10.0.0.7:8501", address="10.0.0.7") == ""
    assert refusal("10.0.0.7:8501") != ""
    front = ["https://front.example"]
    assert refusal("localhost:8501", "https://front.example", corsAllowedOrigins=front) == ""


def test_every_costly_route_has_its_turns():
    assert set(door.TURNS.values()) | {request_limits.PROJECT, request_limits.REMARK} == set(
        request_limits.config.TURNS
    )
