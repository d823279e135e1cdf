"""The documentation builds, strictly: every link to a page, a heading or an object is right."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

FROM_ELSEWHERE = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="?(https?:)?//', re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages, built."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(
        [*command, "-f", "docs/mkdocs.yml", "-d", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site):
    pages = ROOT / "docs" / "pages"
    named = {path.relative_to(pages).with_suffix(".html") for path in pages.rglob("*.md")}
    built = {path.relative_to(site) for path in site.rglob("*.html")}
    assert built == named | {Path("404.html")}


def test_what_is_public_is_described(site):
    text = (site / "api.html").read_text(encoding="utf-8")
    for name in ("scanvi.SCANVI.classify", "annotator.Annotator.predict", "errors.InputError"):
        assert re.search(rf'id="scanvi_core\.[\w.]*{re.escape(name)}"', text), name


def test_no_page_loads_anything_from_elsewhere(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not FROM_ELSEWHERE.search(text), path.name


def test_a_link_to_a_file_of_the_repository_is_its_path(site):
    text = (site / "contributing.html").read_text(encoding="utf-8")
    assert "../../CONTRIBUTING.md" not in text
    assert "CONTRIBUTING.md" in text
