"""What a library raised is never lost on the way to a sentence, and nothing rests on `assert`."""

import ast
from functools import cache

import pytest

from tests import ROOT

SOURCES = sorted(path for part in ("scanvi_core", "pages") for path in (ROOT / part).rglob("*.py"))
ANY = {"Exception", "BaseException"}
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}  # methods of a logger
KEEPS = {"log_cause", "log_fault", "in_words"}  # functions that log what they are given


def names(path):
    return str(path.relative_to(ROOT))


def catches_anything(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in ANY for kind in kinds)


@cache
def parsed(source):
    return ast.parse(source)


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            yield called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def loses_the_cause(handler, functions):
    """Tell whether a handler neither raises nor logs, itself or in a function of its module."""
    called = set(calls(handler))
    called |= {name for own in called & set(functions) for name in calls(functions[own])}
    return not called & (LOGS | KEEPS) and not any(
        isinstance(node, ast.Raise) for node in ast.walk(handler)
    )


def losing(source):
    tree = parsed(source)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and catches_anything(node)
        and loses_the_cause(node, functions)
    ]


def lines_of(find):
    """Return {file: lines} of all sources in which something is found."""
    each = {names(path): find(path.read_text(encoding="utf-8")) for path in SOURCES}
    return {name: lines for name, lines in each.items() if lines}


def test_whoever_catches_any_exception_logs_it_or_raises():
    assert lines_of(losing) == {}


@pytest.mark.parametrize(
    "caught",
    ["", " Exception", " (ValueError, Exception) as error", " BaseException"],
    ids=["bare", "any", "among others", "base"],
)
def test_a_handler_that_says_nothing_is_seen(caught):
    silent = f"try:\n    f()\nexcept{caught}:\n    x = 'a sentence'\n"
    assert losing(silent) == [3]
    assert losing(silent + "    logger.warning('', exc_info=True)\n") == []
    assert losing(silent + "    raise Known(x)\n") == []


def asserting(source):
    return [node.lineno for node in ast.walk(parsed(source)) if isinstance(node, ast.Assert)]


def test_nothing_rests_on_assert():
    assert lines_of(asserting) == {}
    assert asserting("assert x\n") == [1]


QUOTES_NUMBERS = {"reason_of", "match", "search"}  # of what was raised: its number, or one in it
OF_OUR_FILES = {  # models and checkpoints, which nobody else writes and no pack may hold
    f"scanvi_core/{name}.py"
    for name in ("module/imported", "train/checkpoint", "train/compiled", "train/device")
}


@cache
def own_errors():
    """Return the names of the program's own classes: what these say was written here."""
    trees = [parsed(path.read_text(encoding="utf-8")) for path in SOURCES]
    return {
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }


def parts_of(node):
    """Yield the parts of an expression but for those that only take numbers out of an error."""
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in QUOTES_NUMBERS:
            return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from parts_of(child)


def quotes(node, name):
    """Tell whether an expression makes a text of the error of that name, or of its kind."""
    is_text = isinstance(node, ast.FormattedValue) or (
        isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"str", "repr"}
    )
    return is_text and any(getattr(part, "id", "") == name for part in parts_of(node))


def quoting(source):
    """Return the lines that put into a sentence what a library raised."""
    return [
        part.lineno
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.ExceptHandler) and node.name and not kinds_of(node) <= own_errors()
        for statement in node.body
        for part in parts_of(statement)
        if quotes(part, node.name)
    ]


def kinds_of(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {getattr(kind, "id", getattr(kind, "attr", "")) for kind in kinds}


def test_no_sentence_quotes_what_a_library_raised():
    assert lines_of(quoting).keys() - OF_OUR_FILES == set()


@pytest.mark.parametrize(
    "said", ["f'no: {error}'", "f'no: {type(error).__name__}'", "str(error)", "repr(error.args)"]
)
def test_a_quoted_error_is_seen(said):
    handler = "try:\n    f()\nexcept (KeyError, FileRefused) as error:\n    raise Known({})\n"
    assert quoting(handler.format(said)) == [4]
    assert quoting(handler.replace("KeyError, ", "").format(said)) == []
    assert quoting(handler.format("f'no: {reason_of(error)}'")) == []
