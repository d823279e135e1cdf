"""What README, docs and docstrings say of the code as a whole, held against the code."""

import ast
import importlib
import re
import warnings

import pytest

from scanvi_core import errors
from scanvi_core.data.guard.child_process import ERRORS
from scanvi_core.errors import ScanviError
from tests import ROOT

CORE = sorted((ROOT / "scanvi_core").rglob("*.py"))
COMMANDS = sorted((ROOT / "scanvi_core" / "cli").glob("*.py"))


def kinds(of=ScanviError):
    """Return an error and all that are of its kind, wherever they are defined."""
    return {of}.union(*(kinds(kind) for kind in of.__subclasses__()))


def modules():
    for path in CORE:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.endswith(("__main__", "__init__")):
            yield name


@pytest.fixture(scope="module")
def every_kind():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules():
            importlib.import_module(name)
    return {kind for kind in kinds() if kind.__module__.startswith("scanvi_core")}


def test_every_error_that_is_said_in_a_sentence_is_in_errors(every_kind):
    elsewhere = {f"{kind.__module__}.{kind.__name__}" for kind in every_kind}
    assert {name for name in elsewhere if not name.startswith("scanvi_core.errors.")} == set()


def test_the_tree_of_errors_shows_each_below_the_one_it_is_of(every_kind):
    tree = (errors.__doc__ or "").split("\n\n")[1]
    shown, above = {}, []
    for line in tree.splitlines():
        name = re.search(r"\w+", line)[0]
        depth = line.index(name)
        above = [one for one in above if one[0] < depth]
        shown[name] = above[-1][1] if above else None
        above.append((depth, name))
    assert shown == {
        kind.__name__: None if kind is ScanviError else kind.__bases__[0].__name__
        for kind in every_kind
    }


def test_the_library_page_names_every_error(every_kind):
    page = (ROOT / "docs" / "pages" / "api.md").read_text(encoding="utf-8")
    block = page[page.index("::: scanvi_core.errors") :]
    named = re.search(r"members: \[(.*?)\]", block, re.DOTALL)[1]
    assert set(re.findall(r"\w+", named)) == {kind.__name__ for kind in every_kind}


@pytest.mark.parametrize("kind", ERRORS.values(), ids=lambda kind: kind.__name__)
def test_what_a_guarded_process_answers_is_made_of_a_message_and_a_hint(kind):
    assert str(kind("Seen.", "Do this.")) == "Seen. Do this."


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_commands_take_their_defaults_from_config(path):
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    own = [
        ast.unparse(word.value)
        for call in calls
        if ast.unparse(call.func).endswith(("add", "add_argument"))
        for word in call.keywords
        if word.arg == "default" and isinstance(word.value, ast.Constant)
    ]
    assert own == []
