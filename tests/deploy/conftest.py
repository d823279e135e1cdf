"""The app as the container runs it, a provider of accounts, and a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scanvi_core import runtime
from scanvi_core.project import access
from scanvi_core.project.folder import open_project
from tests.browser.conftest import CHROMIUM_FLAGS
from tests.deploy import image
from tests.projects import copy_of

HOST = "cells.localhost"  # browsers find it on this machine
COOKIE_SECRET = "0" * 48
ALLOWED = "lab.example, guest@other.example"
OWNER, READER, ADMIN = "anna@lab.example", "guest@other.example", "root@lab.example"


@dataclass
class Team:
    """A server of a group: where it is, what it holds, who vouches for people."""

    url: str
    port: int
    project: str
    provider: Any
    running: image.Running
    home: Path


def values(data: Path) -> dict[str, str]:
    """Return what an .env of this group says."""
    return {
        "SCANVI_HOST": HOST, "SCANVI_TLS": "internal", "SCANVI_ALLOWED_EMAILS": ALLOWED,
        "SCANVI_DATA": str(data), "SCANVI_ADMINS": ADMIN,
    }  # fmt: skip


def write_secrets(path: Path, address: str, provider: str) -> None:
    """Write how people sign in: the template, with the words filled in that it leaves open."""
    text = (image.FOLDER / "login.toml.example").read_text()
    for gap, word in {
        "https://HOST": address,
        "https://PROVIDER": provider,
        "COOKIE_SECRET": COOKIE_SECRET,
        'client_id = ""': 'client_id = "scanvi"',
        'client_secret = ""': 'client_secret = "known-to-both"',
    }.items():
        assert gap in text
        text = text.replace(gap, word)
    path.write_text(text)


def variables(base: Path, port: int) -> dict[str, str]:
    """Return what the container has in its environment, its places moved to a folder."""
    service = image.compose(values(base))["services"]["app"]["environment"]
    service.pop("SCANVI_DATABASE_URL")  # tests/project has PostgreSQL
    moved = dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), str(base))
    moved["NUMBA_CACHE_DIR"] = ""  # beside the library: compiled once, not by every server
    moved |= {"SCANVI_HOME": str(base / "home"), "SCANVI_DATA_ROOT": str(base)}
    moved |= {"STREAMLIT_SECRETS_FILES": str(base / "login.toml")}
    both = image.environment() | service
    assert moved.keys() <= both.keys()
    return both | moved | {"STREAMLIT_SERVER_PORT": str(port)}


@pytest.fixture(scope="session")
def secret_project(imported: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with a project that has been exported, and the project's id."""
    home = tmp_path_factory.mktemp("secret")
    with runtime.home_at(home):
        project = open_project(copy_of(imported, "Secret cells"))
    access.keep(project.root, access.Access(OWNER, people={READER: access.READ}))
    project.exports.mkdir(exist_ok=True)
    (project.exports / "cells.h5ad").write_bytes(b"all cells")
    return home, project.id


@pytest.fixture(scope="session")
def team_at(
    tmp_path_factory: pytest.TempPathFactory, secret_project: tuple[Path, str]
) -> Iterator[Callable[[str], Team]]:
    """Start the app from the image's files, with the settings of image and service.

    ``team_at(address)``: what people type, ``{port}`` in it being the app's own.
    """
    pytest.importorskip("authlib", reason="signing in needs Authlib: pip install '.[server]'")
    from tests.deploy import provider

    with ExitStack() as stack:

        def begin(address: str) -> Team:
            base, port = tmp_path_factory.mktemp("team"), image.free_port()
            known = stack.enter_context(provider.running(image.free_port()))
            url = address.replace("{port}", str(port))
            write_secrets(base / "login.toml", url, known.url)
            shutil.copytree(secret_project[0], base / "home")
            folder = image.unpack(base / "app")
            running = image.start(image.command(), folder, variables(base, port), base / "log.txt")
            stack.callback(running.stop)
            running.wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            return Team(url, port, secret_project[1], known, running, base / "home")

        yield begin


@pytest.fixture(scope="session")
def drive() -> Iterator[Callable[[Callable[[Any], None]], None]]:
    """Let a function drive a fresh browser: ``drive(lambda page: ...)``.

    On a thread of its own, since Playwright allows one browser at a time on each, and the tests of
    the pages keep theirs.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    path = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    if not path.exists():
        reason = f"no browser at {path}; set CHROMIUM to its path"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)

    def begin() -> tuple[Any, Any]:
        playwright = sync_api.sync_playwright().start()
        flags = {"executable_path": str(path), "args": CHROMIUM_FLAGS}
        return playwright, playwright.chromium.launch(**flags)

    def run(visit: Callable[[Any], None]) -> None:
        size = {"width": 1280, "height": 720}
        context = chromium.new_context(viewport=size, ignore_https_errors=True)
        context.set_default_timeout(90_000)
        try:
            visit(context.new_page())
        finally:
            context.close()

    with ThreadPoolExecutor(1) as thread:
        playwright, chromium = thread.submit(begin).result()
        yield lambda visit: thread.submit(run, visit).result()
        thread.submit(chromium.close).result()
        thread.submit(playwright.stop).result()
