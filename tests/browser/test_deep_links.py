"""Each page by its own address, as the first request to a fresh server."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace
from tests import ROOT
from tests.projects import copy_of

START_S = 60
PAGES = {
    "check": "Check data",
    "labels": "Labels",
    "train": "Train",
    "explore": "Explore",
    "review": "Review",
    "evaluate": "Evaluate",
    "export": "Export",
}

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def labeled(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with one project that has labels, and the project's id."""
    home = tmp_path_factory.mktemp("home")
    with runtime.home_at(home):
        project = copy_of(imported, "Deep cells")
        edit.use_column(workspace(project), "cell_type", set())
    return home, project


@pytest.fixture
def fresh_server(labeled: tuple[Path, str], tmp_path: Path) -> Iterator[str]:
    """A server that has answered nothing yet; it stops after the test, since seven are many."""
    log = tmp_path / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true",
               f"--server.port={_free_port()}"]  # fmt: skip
    environment = os.environ | {"SCANVI_HOME": str(labeled[0]), "OMP_NUM_THREADS": "1"}
    with log.open("wb") as sink:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=sink)
    try:
        yield _when_up(f"http://127.0.0.1:{command[-1].rpartition('=')[2]}", server, log)
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _when_up(url: str, server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")


@pytest.mark.parametrize("slug", PAGES)
def test_a_deep_link_is_answered_by_the_whole_app(
    page: Any, fresh_server: str, labeled: tuple[Path, str], slug: str
) -> None:
    """Streamlit's own discovery would answer with a bare page, or with none, on a fresh server."""
    page.goto(f"{fresh_server}/{slug}?project={labeled[1]}")
    page.get_by_role("heading", name=PAGES[slug], exact=True).wait_for()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Explore").wait_for()
    page.locator(".st-key-status-strip").get_by_text("Deep cells").wait_for()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    assert page.get_by_text("Page not found").count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    assert labeled[1] in page.url
