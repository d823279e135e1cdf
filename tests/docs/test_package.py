"""What a package index and citing programs read: the wheel's metadata, CITATION.cff."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser

import pytest
import yaml

from scanvi_core import __version__
from tests import ROOT

CITATION = ROOT / "CITATION.cff"
# Keys of the Citation File Format 1.2.0, and those without which a file is none.
KEYS = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi",
    "identifiers", "keywords", "license", "license-url", "message", "preferred-citation",
    "references", "repository", "repository-artifact", "repository-code", "title", "type", "url",
    "version",
}  # fmt: skip
NEEDED = {"authors", "cff-version", "message", "title"}
PERSON = {"family-names", "given-names", "name-particle", "name-suffix", "orcid", "affiliation"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_the_metadata_say_who_for_what_and_under_which_license(metadata):
    assert metadata["Version"] == __version__
    holder = re.search(r"Copyright \(c\) \d+, (.*)", (ROOT / "LICENSE").read_text())[1]
    assert metadata["Author"] == holder
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    told = metadata.get_all("Classifier")
    python = [name.rpartition(" ")[2] for name in told if re.search(r":: 3\.\d+$", name)]
    assert python == ["3.11", "3.12", "3.13"]
    assert "Typing :: Typed" in told
    assert not [name for name in told if name.startswith("License ::")]  # the expression says it


def test_the_types_come_with_it(wheel):
    assert "scanvi_core/py.typed" in wheel.namelist()


def test_the_long_description_has_no_link_that_leads_nowhere(metadata):
    text = metadata.get_payload()
    assert len(text) > 1_000
    links = re.findall(r"\]\(([^)]*)\)|<img|src=", text)
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_version_stands_in_one_place_and_is_repeated_where_programs_read_it():
    assert yaml.safe_load(CITATION.read_text())["version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project and project["dynamic"] == ["version"]


def test_citing_programs_can_read_the_citation():
    cited = yaml.safe_load(CITATION.read_text())
    assert set(cited) <= KEYS and set(cited) >= NEEDED
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    article = cited["preferred-citation"]
    assert {"type", "title", "authors"} <= set(article)
    for person in (*cited["authors"], *article["authors"]):
        assert set(person) == {"name"} or set(person) <= PERSON
    page = (ROOT / "docs" / "pages" / "citing.md").read_text()
    assert article["doi"] in page
    assert article["title"] in " ".join(page.replace("> ", "").split())
