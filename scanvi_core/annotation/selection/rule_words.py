"""Rules in words, as a page or a history shows them."""

from collections.abc import Mapping, Sequence

from scanvi_core.annotation.selection.rules import Condition, Join, Rule
from scanvi_core.plurals import count

NOUNS = {
    "label": "label", "given": "label in the file", "predicted": "predicted type",
    "batch": "batch", "cluster": "cluster", "reason": "reason for doubt",
}  # fmt: skip


def in_words(term: Condition, titles: Mapping[str, str] | None = None) -> str:
    """Return what a condition asks for, such as ``CD3D over 1.2`` or ``not batch A``.

    Parameters
    ----------
    titles
        What to call the maps, by name.
    """
    text = _text(term, titles or {})
    return f"not {text}" if term.negated else text


def rule_in_words(rule: Rule, titles: Mapping[str, str] | None = None) -> str:
    """Return a whole rule in one line, with brackets wherever reading could go wrong."""
    parts = []
    for group in rule.groups:
        inner = _sequence([(term.join, in_words(term, titles), term) for term in group.terms])
        if len(group.terms) > 1:
            inner = f"not ({inner})" if group.negated else f"({inner})"
        parts.append((group.join, inner, group.terms[0] if len(group.terms) == 1 else None))
    return _sequence(parts)


def _sequence(parts: Sequence[tuple[Join, str, Condition | None]]) -> str:
    """Join texts from left to right; a change between "and" and "or" sets a bracket."""
    line, before = "", None
    for join, text, term in parts:
        if term is not None and term.kind == "near":
            line, before = f"({line}) {text}" if before else f"{line} {text}", None
        elif not line:
            line = text
        else:
            line = f"({line})" if before not in (None, join) else line
            line, before = f"{line} {join} {text}", join
    return line.strip()


def _text(term: Condition, titles: Mapping[str, str]) -> str:
    kind = term.kind
    if kind == "polygon":
        return f"drawn on {titles.get(term.name, term.name)}"
    if kind == "gene":
        return f"{term.name} over {term.low or 0:g}"
    if kind == "cells":
        return "picked cells"
    if kind == "near":
        return f"and neighbors ({count(term.steps, 'step')})"
    if kind == "confidence":
        return f"confidence {_range(term, 100, ' %')}"
    if term.values:
        noun = term.name if kind == "column" else NOUNS[kind]
        return f"{noun} {' or '.join(value or 'missing' for value in term.values)}"
    return f"{term.name} {_range(term, 1, '')}"


def _range(term: Condition, scale: float, unit: str) -> str:
    low, high = (None if end is None else f"{end * scale:g}" for end in (term.low, term.high))
    if low is None or high is None:
        return f"up to {high}{unit}" if low is None else f"from {low}{unit}"
    return f"{low} to {high}{unit}"
