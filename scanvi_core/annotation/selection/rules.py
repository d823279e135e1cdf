"""Rules that select cells: conditions joined by and, or, not; as plain JSON.

Conditions are read from left to right: each joins what was selected before it. Several of them in
one group are worked out first, like a bracket. A rule says nothing about one data set: what a
condition means there is looked up by whoever evaluates it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import chain
from math import isfinite
from typing import Any, Literal, get_args

from scanvi_core.annotation.selection.polygon import MAX_VERTICES, MIN_VERTICES, Operation
from scanvi_core.errors import InputError, SettingInvalid

Join = Literal["and", "or"]
Kind = Literal[
    "polygon", "gene", "label", "given", "predicted", "batch", "confidence", "cluster", "column",
    "reason", "cells", "near",
]  # fmt: skip
Corner = tuple[float, float]

SCHEMA = 1
VERSION = "scanvi_rule"  # the key of the schema's number
MAX_TERMS = 60
MAX_STEPS = 10
MAX_NUMBER = 1e300
NO_VALUE = ""  # among values: cells without any
UNREADABLE = "Choose a file written by “Download the rules”."
_NEED_VALUES = ("label", "given", "predicted", "batch", "cluster", "reason")
_NEED_NAME = ("polygon", "gene", "column", "cells")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes
    ----------
    kind
        One of `Kind`. ``near`` is no condition but a step: it adds the nearest cells of those
        selected before it.
    name
        The map of a ``polygon``, the gene, the column, or the name of a set of ``cells``.
    values
        What the value must be one of; `NO_VALUE` for cells without one.
    low, high
        A gene is above `low`, other numbers are from `low` to `high`, ends included.
    corners
        Of a polygon, in the units of its map.
    origin
        What tells this very map, or these very clusters, from others of the same name.
    steps
        How many times ``near`` goes on from neighbor to neighbor.
    negated
        Whether cells that do not fulfill it are meant.
    join
        How it joins the conditions before it in its group.
    """

    kind: Kind
    name: str = ""
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    corners: tuple[Corner, ...] = field(default=(), repr=False)
    origin: str = ""
    steps: int = 0
    negated: bool = False
    join: Join = "and"

    @property
    def about(self) -> "Condition":
        """The condition alone, the same however it is joined or negated."""
        return replace(self, negated=False, join="and")


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions that are worked out first, and how they join the groups before."""

    terms: tuple[Condition, ...]
    join: Join = "and"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Groups of conditions, read from left to right; without any, no cell is selected."""

    groups: tuple[Group, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.groups)

    @property
    def terms(self) -> Iterator[Condition]:
        """All conditions, in order."""
        return (term for group in self.groups for term in group.terms)

    def joined(self, terms: Sequence[Condition], operation: Operation) -> "Rule":
        """Add conditions, several as one bracket, in the words of the map's tools.

        Raises
        ------
        SettingInvalid
            If there would be more than 60 conditions.
        """
        new = Group(tuple(terms), "or" if operation == "add" else "and")
        if operation == "subtract":
            new = replace(new, negated=True)
        if operation == "clear" or (not self.groups and operation in ("subtract", "intersect")):
            return Rule()  # nothing to take from, nothing to cut
        before = () if operation == "replace" else self.groups
        return _checked(Rule((*before, _tidy(new))))

    def without(self, group: int, term: int) -> "Rule":
        """Take one condition away."""
        own = self.groups[group]
        rest = own.terms[:term] + own.terms[term + 1 :]
        return self._with(group, replace(own, terms=rest))

    def negate(self, group: int, term: int) -> "Rule":
        """Turn one condition into its opposite, or back."""
        own = self.groups[group]
        turned = replace(own.terms[term], negated=not own.terms[term].negated)
        return self._with(
            group, replace(own, terms=(*own.terms[:term], turned, *own.terms[term + 1 :]))
        )

    def rejoin(self, group: int, term: int) -> "Rule":
        """Swap "and" and "or" before one condition; before the first of a group, the group's."""
        own = self.groups[group]
        if term == 0:
            return self._with(group, replace(own, join=_other(own.join)))
        swapped = replace(own.terms[term], join=_other(own.terms[term].join))
        return self._with(
            group, replace(own, terms=(*own.terms[:term], swapped, *own.terms[term + 1 :]))
        )

    def tie(self, group: int) -> "Rule":
        """Move a lone condition into one bracket with the group before it."""
        before, own = self.groups[group - 1 : group + 1]
        moved = replace(own.terms[0], join=own.join)
        kept = replace(before, terms=(*before.terms, moved))
        return Rule((*self.groups[: group - 1], kept, *self.groups[group + 1 :]))

    def untie(self, group: int) -> "Rule":
        """Move the last condition of a bracket out of it."""
        own = self.groups[group]
        last = own.terms[-1]
        freed = _tidy(Group((last,), last.join))
        short = self._with(group, replace(own, terms=own.terms[:-1])).groups
        return Rule((*short[: group + 1], freed, *short[group + 1 :]))

    def _with(self, at: int, group: Group) -> "Rule":
        kept = (_tidy(group),) if group.terms else ()
        return Rule((*self.groups[:at], *kept, *self.groups[at + 1 :]))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, which `from_json` reads; what is at its default is left out."""
        empty = Condition("gene")
        groups = []
        for group in self.groups:
            terms = [
                {"kind": term.kind}
                | {
                    name: _plain(value)
                    for name, value in asdict(term).items()
                    if value != getattr(empty, name)
                }
                for term in group.terms
            ]
            groups.append({"join": group.join, "negated": group.negated, "terms": terms})
        return {VERSION: SCHEMA, "groups": groups}

    @classmethod
    def from_json(cls, plain: Any) -> "Rule":
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If it is no rule, or of a newer version.
        """
        version = plain.get(VERSION) if isinstance(plain, Mapping) else None
        if not isinstance(version, int):
            raise _no_rule()
        if version > SCHEMA:
            raise InputError("This rule has a newer format.", "Update the program.")
        return _checked(cls(tuple(_group(item) for item in _listed(plain, "groups"))))


def _tidy(group: Group) -> Group:
    """Return the same group; a lone condition is negated itself, and joins as the group does."""
    if len(group.terms) > 1:
        return group
    term = group.terms[0]
    return Group((replace(term, negated=term.negated != group.negated, join="and"),), group.join)


def _other(join: Join) -> Join:
    return "or" if join == "and" else "and"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _no_rule() -> InputError:
    return InputError("This is no rule that selects cells.", UNREADABLE)


def _listed(plain: Any, name: str, default: Any = None) -> list[Any]:
    """Return a list of a foreign record, or what to take where it has none."""
    values = plain.get(name, default) if isinstance(plain, Mapping) else None
    if not isinstance(values, list):
        raise _no_rule()
    return values


def _group(plain: Any) -> Group:
    terms = tuple(_term(item) for item in _listed(plain, "terms"))
    return Group(terms, plain.get("join"), plain.get("negated") is True)


def _term(plain: Any) -> Condition:
    corners, values = _listed(plain, "corners", []), _listed(plain, "values", [])
    ends = [plain.get(end) for end in ("low", "high")]
    steps = plain.get("steps", 0)
    right = (
        set(plain) <= {item.name for item in fields(Condition)}
        and plain.get("kind") in get_args(Kind)
        and all(isinstance(corner, list) and len(corner) == 2 for corner in corners)
        and all(map(_is_number, [*filter(_is_given, ends), *chain.from_iterable(corners), steps]))
    )
    if not right:
        raise _no_rule()
    low, high = (None if end is None else float(end) for end in ends)
    return Condition(
        plain["kind"],
        str(plain.get("name", "")),
        tuple(str(value) for value in values),
        low,
        high,
        tuple((float(x), float(y)) for x, y in corners),
        str(plain.get("origin", "")),
        int(steps),
        plain.get("negated") is True,
        plain.get("join", "and"),
    )


def _is_given(value: Any) -> bool:
    return value is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < MAX_NUMBER


def _checked(rule: Rule) -> Rule:
    """Return the rule, or refuse what nobody could evaluate."""
    terms = list(rule.terms)
    if len(terms) > MAX_TERMS:
        raise SettingInvalid(f"The rule has {len(terms)} conditions.", f"Use at most {MAX_TERMS}.")
    joins = [group.join for group in rule.groups] + [term.join for term in terms]
    sound = all(join in get_args(Join) for join in joins) and all(g.terms for g in rule.groups)
    if not (sound and all(_is_whole(term) for term in terms)):
        raise InputError("The rule has a condition that cannot be read.", UNREADABLE)
    return rule


def _is_whole(term: Condition) -> bool:
    ends = [end for end in (term.low, term.high) if end is not None]
    ranged = bool(ends)
    return (
        all(isfinite(number) for number in (*ends, *chain.from_iterable(term.corners)))
        and (bool(term.name) or term.kind not in _NEED_NAME)
        and (bool(term.values) or term.kind not in _NEED_VALUES)
        and (ranged or term.kind not in ("confidence", "gene"))
        and (ranged or bool(term.values) or term.kind != "column")
        and (term.kind != "near" or 1 <= term.steps <= MAX_STEPS)
        and (term.kind != "polygon" or MIN_VERTICES <= len(term.corners) <= MAX_VERTICES)
    )
