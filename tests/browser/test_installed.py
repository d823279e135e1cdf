"""The wheel and the sdist hold all of the app, and the wheel works where nothing else is."""

import os
import re
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anndata
import pytest

from scanvi_core import __version__
from tests import ROOT
from tests.deploy.image import tracked

APP = ("app.py", "pages/", "assets/", ".streamlit/")
START_S = 120
SCRIPTS = "Scripts" if os.name == "nt" else "bin"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both files, by their endings."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return {path.suffix: path for path in folder.iterdir()}


def test_the_wheel_holds_the_program_and_nothing_else(built):
    names = set(zipfile.ZipFile(built[".whl"]).namelist())
    app = {f"scanvi_core/_app/{name}" for name in tracked() if name.startswith(APP)}
    library = {name for name in tracked() if name.startswith("scanvi_core/")}
    assert app | library == {name for name in names if ".dist-info/" not in name}


def test_the_source_holds_what_makes_and_tests_it(built):
    with tarfile.open(built[".gz"]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    parts = (*APP, "scanvi_core/", "tests/")
    needed = {name for name in tracked() if name.startswith(parts)}
    assert needed | {"pyproject.toml", "README.md", "LICENSE", "constraints.txt"} <= names


@pytest.fixture(scope="module")
def installed(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs of an environment are that has the wheel and what it asks for alone."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / SCRIPTS
    wanted = ["-c", str(ROOT / "constraints.txt"), str(built[".whl"])]
    done = subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", "--no-compile", *wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and re.search("connection|resolution|No matching", done.stderr):
        reason = f"no package index can be reached: {done.stderr.strip()[-300:]}"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    assert not done.returncode, done.stderr
    return programs


def alone(tmp_path: Path) -> dict[str, str]:
    """An environment in which the checkout is out of sight."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return kept | {"SCANVI_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def cells(tmp_path: Path, example: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    anndata.read_h5ad(example)[:150].copy().write_h5ad(folder / "mine.h5ad")
    return folder / "mine.h5ad"


@pytest.mark.browser
def test_the_installed_program_annotates_and_shows_its_first_page(
    installed, cells, tmp_path, page
):
    program, told = installed / "scanvi", {"cwd": tmp_path, "env": alone(tmp_path)}
    version = subprocess.check_output([program, "--version"], text=True, **told)
    assert version.strip() == __version__
    target = tmp_path / "out.h5ad"
    quick = ["--labels-key", "cell_type", "--max-epochs", "1"]
    done = subprocess.run(
        [program, "annotate", cells, "-o", target, *quick],
        capture_output=True, text=True, check=False, **told,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "scanvi_prediction" in anndata.read_h5ad(target, backed="r").obs
    with serving(program, cells, **told) as url:
        page.goto(url)
        page.get_by_role("heading", name="Name the cells of a single-cell data set").wait_for()
        page.get_by_text("150 cells").first.wait_for(timeout=90_000)


@contextmanager
def serving(program: Path, file: Path, **told: Any) -> Iterator[str]:
    """Run ``scanvi serve FILE`` on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--", f"--server.port={port}", "--server.headless=true"]
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_S
    with subprocess.Popen([program, "serve", file, *flags], **told) as server:
        try:
            while not _answers(url):
                assert time.monotonic() < deadline and server.poll() is None
                time.sleep(0.2)
            yield url
        finally:
            server.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False
