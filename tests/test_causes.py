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
