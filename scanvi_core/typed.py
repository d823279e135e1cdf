"""JSON held against the types that a program expects: what comes from elsewhere is no promise.

A kind is written as a type: ``str``, ``int``, ``float``, ``bool``, ``None``, ``Literal[...]``,
``list[X]``, ``dict[str, X]``, ``X | Y``, a ``TypedDict``, a dataclass whose constructor knows its
bounds, or ``Annotated[X, rule]``, where the rule says what is wrong with a value.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from scanvi_core.errors import SettingInvalid
from scanvi_core.keys import as_now

Rule = Callable[[Any], str]
SHOWN = 40  # letters of a wrong value
WORDS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false",
    NoneType: "nothing",
}  # fmt: skip
EARLIEST, LATEST = 1970, 9998  # years that every time zone can tell


class Mistyped(ValueError):
    """A value is not of the kind it has to be; says which and where."""


def taken(value: Any, kind: Any, where: str = "it") -> Any:
    """Return a value of JSON as a kind has it: keys that the kind does not know are left out.

    Parameters
    ----------
    value
        What was read.
    kind
        See the module.
    where
        What the value is called in the error.

    Raises
    ------
    Mistyped
        If it is of another kind.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in _GENERIC:
        return _GENERIC[origin](value, get_args(kind), where)
    if is_typeddict(kind) or is_dataclass(kind):
        return _record(value, kind, where)
    return _plain(value, kind, where)


LARGEST = 2**63  # whole numbers that databases and arrays can hold


def between(low: float, high: float) -> Rule:
    """Return the rule that a number lies between two others."""
    return lambda value: "" if low <= value <= high else f"is not between {low} and {high}"


def matches(pattern: str) -> Rule:
    """Return the rule that all of a text follows a pattern."""
    known = re.compile(pattern, re.ASCII)
    return lambda value: "" if known.fullmatch(value) else f"does not follow {pattern}"


def is_date(text: str) -> str:
    """Say what is wrong with a date: it has to be ISO text."""
    try:
        year = datetime.fromisoformat(text).year
    except ValueError:
        return "is no date"
    return "" if EARLIEST <= year <= LATEST else "is a date out of range"


def _plain(value: Any, kind: Any, where: str) -> Any:
    right = type(value) is kind or (kind is float and type(value) is int)
    if not right:
        raise _wrong(where, value, f"is not {WORDS[kind]}")
    if type(value) is int and abs(value) > LARGEST:
        raise _wrong(where, "a number", f"has {len(str(value)):,} digits")
    if kind is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _wrong(where, value, "holds half a letter") from error
    return value


def _record(value: Any, kind: Any, where: str) -> Any:
    if type(value) is not dict:
        raise _wrong(where, value, "is no table")
    value = as_now(value)
    hints, required = _members(kind)
    missing = sorted(required - value.keys())
    if missing:
        raise Mistyped(f"{where} has no {missing[0]}")
    checked = {
        name: taken(value[name], hint, f"{where}.{name}" if where != "it" else name)
        for name, hint in hints.items()
        if name in value
    }
    if is_dataclass(kind):
        try:
            kind(**checked)  # type: ignore[operator]  # a class, not an instance
        except SettingInvalid as error:
            raise Mistyped(f"{where}: {error.message}") from error
    return checked


@cache
def _members(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the kinds of the members of a record, and which of them it must have."""
    hints = get_type_hints(kind, include_extras=True)
    if is_dataclass(kind):
        own = [item for item in fields(kind) if item.default is item.default_factory is MISSING]
        return hints, frozenset(item.name for item in own)
    plain = {
        name: get_args(hint)[0] if get_origin(hint) is NotRequired else hint
        for name, hint in hints.items()
    }
    return plain, kind.__required_keys__


def _annotated(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    kind, *rules = arguments
    checked = taken(value, kind, where)
    for rule in rules:
        if problem := rule(checked):
            raise _wrong(where, checked, problem)
    return checked


def _one_of(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    problem: Mistyped | None = None
    for kind in arguments:
        try:
            return taken(value, kind, where)
        except Mistyped as error:
            problem = problem or error
    raise problem or Mistyped(where)


def _literal(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if not any(type(value) is type(known) and value == known for known in arguments):
        raise _wrong(where, value, f"is none of {', '.join(map(str, arguments))}")
    return value


def _list(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if type(value) is not list:
        raise _wrong(where, value, "is no list")
    if arguments[0] is str and all(type(item) is str for item in value):  # names of all genes
        taken("".join(value), str, where)
        return list(value)
    return [taken(item, arguments[0], where) for item in value]


def _dict(value: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if type(value) is not dict:
        raise _wrong(where, value, "is no table")
    names = [taken(name, str, where) for name in value]
    return {name: taken(value[name], arguments[1], where) for name in names}


def _wrong(where: str, value: Any, problem: str) -> Mistyped:
    return Mistyped(f"{where} {problem} ({str(value)[:SHOWN]!r})")


_GENERIC: dict[Any, Callable[[Any, tuple[Any, ...], str], Any]] = {
    Annotated: _annotated, Union: _one_of, UnionType: _one_of, Literal: _literal,
    list: _list, dict: _dict,
}  # fmt: skip
