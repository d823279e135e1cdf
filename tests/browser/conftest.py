"""A streamlit server and a real browser for the tests of this folder."""

import math
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT, children

APPS = Path(__file__).parent / "apps"
START_S = 60
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
SERVER_FLAGS = [
    "--server.address=127.0.0.1", "--server.headless=true", "--server.fileWatcherType=none",
    "--browser.gatherUsageStats=false",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium from the variable CHROMIUM; missing, it skips here and fails in CI."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    if not path.exists():
        reason = f"no browser at {path}; set CHROMIUM to its path"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page, 1280 x 720; an uncaught error in it fails the test."""
    context = new_context(browser)
    with page_of(context) as fresh:
        yield fresh
        context.close()


def new_context(browser: Any) -> Any:
    """Return a memory of the browser of its own, for pages of 1280 x 720."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(30_000)
    return context


@contextmanager
def page_of(context: Any) -> Iterator[Any]:
    """Open a page; at the end, an uncaught error in it fails the test."""
    fresh, errors = context.new_page(), []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    yield fresh
    assert not errors, f"the page threw: {errors}"


@pytest.fixture(scope="session")
def serving(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., AbstractContextManager[str]]]:
    """A server of streamlit on a script, as long as the context lasts; it gives its address.

    ``with serving(script, env={...}, args=[...]) as url``: `env` adds variables, `args` adds
    flags of ``streamlit run``.
    """
    imported = children.Server("app")

    @contextmanager
    def serve(
        script: Path | str, env: dict[str, str] | None = None, args: Sequence[str] = ()
    ) -> Iterator[str]:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        server, url = _serve(imported, [str(script), *args], env or {}, log)
        try:
            yield url
        finally:
            _stop(server)

    yield serve
    imported.close()


@pytest.fixture(scope="session")
def start_app(
    serving: Callable[..., AbstractContextManager[str]],
) -> Iterator[Callable[..., str]]:
    """Start streamlit on a script and return its address; the same call gives the same server.

    ``start_app(script, env={...}, args=[...])``, see `serving`. All servers stop with the test
    session.
    """
    running: dict[tuple[Any, ...], str] = {}

    with ExitStack() as servers:

        def start(
            script: Path | str, env: dict[str, str] | None = None, args: Sequence[str] = ()
        ) -> str:
            asked = (str(script), tuple(sorted((env or {}).items())), tuple(args))
            if asked not in running:
                running[asked] = servers.enter_context(serving(script, env, args))
            return running[asked]

        yield start


def _serve(
    imported: children.Server, arguments: list[str], env: dict[str, str], log: Path
) -> tuple[children.Fork, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", arguments[0], f"--server.port={port}"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with log.open("wb") as sink:
        server = children.Fork(
            imported,
            [*command, *SERVER_FLAGS, *arguments[1:]],
            env=os.environ | {"PYTHONPATH": path} | env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return server, url
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    _stop(server)
    pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")


def _stop(server: children.Fork) -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.fixture
def lasso(page: Any) -> Callable[..., None]:
    """Draw a circle on a map: ``lasso(map, center=(.5, .5), radius=.2, hold="Shift")``.

    `center` is in shares of the canvas, `radius` in shares of its height.
    """

    def draw(
        cells: Any, center: tuple[float, float], radius: float, hold: str | None = None
    ) -> None:
        box = cells.locator(".over").bounding_box()
        x, y = box["x"] + center[0] * box["width"], box["y"] + center[1] * box["height"]
        reach = radius * box["height"]
        if hold:
            page.keyboard.down(hold)
        page.mouse.move(x + reach, y)
        page.mouse.down()
        for step in range(1, 25):
            turn = 2 * math.pi * step / 24
            page.mouse.move(x + reach * math.cos(turn), y + reach * math.sin(turn))
        page.mouse.up()
        if hold:
            page.keyboard.up(hold)

    return draw
