"""What a strict build cannot see: commands, options, keys, files and pictures that texts name."""

import argparse
import os
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from docs import drawing, repository_links
from scanvi_core import keys
from scanvi_core.cli import COMMANDS, build_parser
from scanvi_core.project.label_log.events import KINDS
from tests import ROOT

PAGES = ROOT / "docs" / "pages"
TEXTS = [*sorted(PAGES.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
OTHERS = ("benchmarks/README.md", ".docker/README.md", ".github/SECURITY.md")
LINKED = [*TEXTS, *(ROOT / name for name in OTHERS)]
IDS = [path.relative_to(ROOT).as_posix() for path in TEXTS]
MOST_BYTES = 150_000
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*|-[a-z])(?![\w-])")
CALLED = re.compile(r"(?:scanvi|-m scanvi_core) +([a-z]+)([^\n`]*)")
MODULE = re.compile(r"python -m ([A-Za-z_][\w.]*)")
OTHER_MODULES = {"venv", "pip", "pytest", "streamlit"}
IN_CODE = re.compile(
    r"`((?:scanvi_core|pages|benchmarks|tests|docs|assets|\.docker|\.github|\.ci)/[\w./-]*)`"
)
VARIABLE = re.compile(r"\bSCANVI_[A-Z_]+\b")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    (made,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(made.choices)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    known = {name for action in parser._actions for name in action.option_strings}
    return known - {"-h", "--help"}


def section(text: str, title: str) -> str:
    """Return what stands below a heading, up to the next of its level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, title
    return found[1]


def rows(text: str) -> list[str]:
    """Return the first cell of each row of the tables in a text."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", [command.__name__.rpartition(".")[2] for command in COMMANDS])
def test_the_options_of_a_command_are_those_it_takes(name):
    told = section(text_of(PAGES / "command-line.md"), f"`scanvi {name}`")
    listed = {option for cell in rows(told) for option in OPTION.findall(cell)}
    assert listed == options_of(parsers()[name])


@pytest.mark.parametrize("path", TEXTS, ids=IDS)
def test_commands_and_their_options_exist(path):
    known = parsers()
    for name, rest in CALLED.findall("\n".join(code_of(text_of(path)))):
        assert name in known, f"scanvi {name}"
        options = set(OPTION.findall(rest.partition(" -- ")[0]))
        assert options <= options_of(known[name]) | {"--help"}, f"scanvi {name}{rest}"


def code_of(text: str) -> list[str]:
    """Return the blocks and spans of code of a text."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [*blocks, *spans]


@pytest.mark.parametrize("path", TEXTS, ids=IDS)
def test_modules_that_are_run_exist(path):
    for name in MODULE.findall(text_of(path)):
        assert name in OTHER_MODULES or find_spec(name), name


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(path):
    named = set(IN_CODE.findall(text_of(path))) if path in TEXTS else set[str]()
    if path.is_relative_to(PAGES):
        page = path.relative_to(PAGES).as_posix()
        links = [found[1] for found in re.findall(repository_links.LINK, text_of(path))]
        named |= {found for link in links if (found := repository_links.target(page, link))}
    else:
        links = re.findall(r"\]\(([^)#:\s]+)[#)]", text_of(path))
        named |= {os.path.relpath(path.parent / link, ROOT) for link in links}
    missing = sorted(name for name in named if not (ROOT / name).exists())
    assert not missing


def test_the_keys_of_the_export_are_those_of_the_program():
    source = text_of(ROOT / "scanvi_core" / "keys.py")
    written = source.partition("# Written to the exported .h5ad")[2].partition("# Where a final")[
        0
    ]
    names = re.findall(r"^([A-Z_0-9]+) = ", written, re.M)
    table = section(text_of(PAGES / "formats.md"), "What is written into the exported file")
    listed = [line.split(" | ") for line in table.splitlines()]
    told = {
        key for cells in listed if len(cells) > 2 for key in re.findall(r"`([^`]+)`", cells[1])
    }
    assert {getattr(keys, name) for name in names} == told


def test_the_sources_of_labels_are_those_of_the_program():
    source = text_of(ROOT / "scanvi_core" / "keys.py")
    listed = source.partition("# Where a final label came from")[2].partition("# What users")[0]
    table = section(text_of(PAGES / "formats.md"), "What is written into the exported file")
    for value in re.findall(r'= "(\w+)"', listed):
        assert f"| `{value}` |" in table, value


def test_the_kinds_of_events_are_those_of_the_log():
    told = section(text_of(PAGES / "formats.md"), "The event log")
    line = told.partition("Kinds: ")[2].partition(". Undo")[0]
    assert re.findall(r"`(\w+)`", line) == list(KINDS)


def test_variables_that_are_named_are_read():
    folders = (ROOT / "scanvi_core", ROOT / "benchmarks")
    code = "".join(text_of(path) for folder in folders for path in folder.rglob("*.py"))
    for path in TEXTS:
        for name in VARIABLE.findall(text_of(path)):
            assert f'"{name}"' in code, f"{name} in {path.name}"


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    told = rows(section(text_of(PAGES / "command-line.md"), "Extras"))
    assert {name.strip("`") for name in told} == set(project["optional-dependencies"]) - {"bench"}


def test_every_table_of_results_has_its_place():
    text = section(text_of(PAGES / "benchmarks.md"), "What the tables are about")
    listed = [line.split(" | ")[1] for line in text.splitlines() if "| `" in line]
    told = {name for cell in listed for name in re.findall(r"`(\w+)`", cell)}
    shown = re.findall(r"<!-- benchmark:(\w+) -->", text_of(ROOT / "benchmarks" / "README.md"))
    assert told == set(shown)


def test_the_example_of_the_library_runs():
    text = text_of(PAGES / "api.md")
    code = re.search(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert code
    names: dict[str, object] = {}
    exec(compile(code[1], "api.md", "exec"), names)
    assert tuple(names["probabilities"].shape) == (64, 5)
    assert tuple(names["z1"].shape) == tuple(names["z2"].shape) == (64, 10)


def test_the_drawing_is_made_from_the_layers_of_today():
    assert text_of(drawing.TARGET) == drawing.svg(), "run python -m docs.drawing"


def test_pictures_are_small_and_shown():
    shown = "".join(text_of(path) for path in PAGES.rglob("*.md"))
    for path in (PAGES / "pictures").iterdir():
        assert path.stat().st_size <= MOST_BYTES, path.name
        assert f"pictures/{path.name})" in shown, path.name
