"""Rules in a project: what they select, the labels they led to, and using them elsewhere."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from scanvi_core.annotation.selection.cell_sets import Bits, evaluate, size, unpacked
from scanvi_core.annotation.selection.polygon import Operation
from scanvi_core.annotation.selection.rules import (
    MAX_STEPS,
    UNREADABLE,
    Group,
    Kind,
    Rule,
    Term,
    rule_in_words,
)
from scanvi_core.annotation.selection.rules import in_words as term_in_words
from scanvi_core.errors import InputError
from scanvi_core.project import names
from scanvi_core.project.label_log import events
from scanvi_core.services.explore import colours, conditions, maps
from scanvi_core.services.workspace import workspace

__all__ = ["MAX_STEPS", "Group", "Kind", "Operation", "Rule", "Term"]  # for pages

RULE = "rule"  # its key in the payload of an event
FILE = "scanvi_rules"
FILE_VERSION = 1
MAX_FILE_BYTES = 20_000_000
MAX_RULES = 1_000
MAX_WORDS = 300  # of a reason in the history


@dataclass(frozen=True, eq=False)
class Selection:
    """What a rule selects in a project.

    Attributes
    ----------
    mask
        Cells it selects for sure [n_obs].
    counts
        Cells that fulfil each condition alone, in order; None where nobody can tell, and for
        steps to neighbours.
    notes
        What is not here, in sentences.
    """

    rule: Rule
    mask: np.ndarray
    n: int
    counts: tuple[int | None, ...]
    notes: tuple[str, ...]


def select(project_id: str, rule: Rule) -> Selection:
    """Return what a rule selects now.

    A condition that cannot be looked up here counts as unknown: only cells that fulfil the rule
    whatever it would say are selected, and a note says so.
    """
    n_obs = workspace(project_id).dataset.n_obs
    notes: dict[str, None] = {}

    def look(term: Term) -> Bits | None:
        found = conditions.answer(project_id, term)
        if found.note:
            notes[found.note] = None
        return found.bits

    def grow(bits: Bits, steps: int) -> Bits | None:
        grown = conditions.grown(project_id, bits, steps)
        if grown is None:
            notes[f"{conditions.NEAR_WHERE} is not here: train a model first."] = None
        return grown

    found = evaluate(rule, n_obs, look, grow)
    counts = tuple(
        None if term.kind == "near" else _count(look(term.about), term, n_obs)
        for term in rule.terms
    )
    mask = unpacked(found.surely, n_obs)
    mask.flags.writeable = False
    return Selection(rule, mask, size(found.surely), counts, tuple(notes))


def _count(bits: Bits | None, term: Term, n_obs: int) -> int | None:
    if bits is None:
        return None
    return n_obs - size(bits) if term.negated else size(bits)


def advice(project_id: str, selection: Selection) -> str:
    """Say which condition to take away when none is left; empty when there is no such one."""
    if selection.n or not selection.rule:
        return ""
    best, most = "", 0
    for g, group in enumerate(selection.rule.groups):
        for t, term in enumerate(group.terms):
            n = select(project_id, selection.rule.without(g, t)).n
            if n > most:
                best, most = words_of(term), n
    return f"Without “{best}” it would be {most:,}." if most else ""


def words_of(term: Term) -> str:
    """Return a condition in words."""
    return term_in_words(term, maps.TITLES)


def words(rule: Rule) -> str:
    """Return a whole rule in words, for the history."""
    said = rule_in_words(rule, maps.TITLES)
    return said if len(said) <= MAX_WORDS else f"{said[: MAX_WORDS - 1]}…"


def of_markers(project_id: str, text: str) -> tuple[Term, ...]:
    """Return the conditions of a marker rule such as ``MS4A1+, CD3D-``.

    Raises
    ------
    InputError
        If it cannot be read or names a gene that is not there.
    """
    return tuple(
        Term("gene", marker.gene, low=marker.threshold, negated=not marker.positive)
        for marker in colours.markers_of(project_id, text)
    )


# The log ----------------------------------------------------------------------------------------


def name_cells(project_id: str, selection: Selection, label: str, seen: int | None = None) -> None:
    """Give the selected cells a label; the rule is kept with it.

    Raises
    ------
    StaleEdit
        If somebody changed the same cells since step `seen`; both versions are in it.
    """
    opened = workspace(project_id)
    model = opened.project.settings.get("current_run") or ""
    rows, reason = np.flatnonzero(selection.mask), words(selection.rule)
    event = events.assign(rows, label, reason=reason, model=model)
    payload = {**event.payload, RULE: selection.rule.to_json()}
    opened.store.append(replace(event, payload=payload), seen)


@dataclass(frozen=True)
class LabelRule:
    """A rule and the label it led to."""

    label: str
    rule: Rule

    @property
    def words(self) -> str:
        """The rule in words."""
        return words(self.rule)


def logged(project_id: str) -> list[LabelRule]:
    """Return the rules behind the labels of a project, in the order they were used."""
    opened = workspace(project_id)
    return opened.kept.get(("rules", opened.labels().seq), lambda: _logged(opened.store.events()))


def _logged(entries: list[events.Event]) -> list[LabelRule]:
    found: dict[LabelRule, None] = {}
    for event in entries:
        plain = event.payload.get(RULE)
        if event.kind == "assign" and plain is not None and not event.undone:
            with suppress(InputError):  # of a newer version, or of a colleague's damaged copy
                found[LabelRule(event.payload["labels"][0], Rule.from_json(plain))] = None
    return list(found)


def to_file(project_id: str) -> bytes:
    """Return the rules of a project as JSON, to run them on other data."""
    plain = {
        FILE: FILE_VERSION,
        "project": workspace(project_id).project.name,
        "rules": [{"label": own.label, "rule": own.rule.to_json()} for own in logged(project_id)],
    }
    return json.dumps(plain, ensure_ascii=False, indent=1).encode()


def from_file(text: bytes) -> list[LabelRule]:
    """Read what `to_file` wrote.

    Raises
    ------
    InputError
        If it is no such file, too large, or of a newer version.
    """
    if len(text) > MAX_FILE_BYTES:
        raise InputError(f"The file has {len(text) >> 20:,} MB: no rules.", UNREADABLE)
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("This file holds no rules.", UNREADABLE) from error
    if not isinstance(plain, dict) or not isinstance(plain.get(FILE), int):
        raise InputError("This file holds no rules.", UNREADABLE)
    if plain[FILE] > FILE_VERSION:
        raise InputError("These rules have a newer format.", "Update the program.")
    rules = plain.get("rules")
    if not isinstance(rules, list) or not all(map(_is_named, rules)):
        raise InputError("This file holds no rules.", UNREADABLE)
    if len(rules) > MAX_RULES:
        raise InputError(f"The file holds {len(rules):,} rules.", f"At most {MAX_RULES:,} work.")
    return [
        LabelRule(names.clean_label(str(own["label"])), Rule.from_json(own["rule"]))
        for own in rules
    ]


def _is_named(own: object) -> bool:
    return isinstance(own, dict) and {"label", "rule"} <= set(own)


# On other data ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Applied:
    """What one rule would do here.

    Attributes
    ----------
    rows
        Cells that would be named.
    labelled, contested
        Cells it selects that stay as they are: they have a label already, or another rule with
        another label selects them too.
    notes
        What is not here, in sentences.
    """

    own: LabelRule
    rows: np.ndarray
    selection: Selection
    labelled: int
    contested: int

    @property
    def note(self) -> str:
        """What is left out and why, in words."""
        said = list(self.selection.notes)
        if said and not self.selection.n:
            said.append("The rule cannot be used here.")
        elif said:
            said.append("Only cells that fulfil the rule without that are named.")
        if self.contested:
            said.append(f"{self.contested:,} cells fit other rules too and are left out.")
        if self.labelled:
            said.append(f"{self.labelled:,} cells have a label already and keep it.")
        return " ".join(said)


def preview(
    project_id: str, rules: Sequence[LabelRule], *, replace_labels: bool = False
) -> list[Applied]:
    """Return what each rule would do here, all of them together."""
    state = workspace(project_id).labels()
    found = [select(project_id, own.rule) for own in rules]
    places = {name: code for code, name in enumerate(dict.fromkeys(own.label for own in rules))}
    claims = np.full(len(state.codes), -1, dtype=np.int32)
    torn = np.zeros(len(state.codes), dtype=bool)
    for own, selection in zip(rules, found, strict=True):
        torn |= selection.mask & (claims >= 0) & (claims != places[own.label])
        claims[selection.mask] = places[own.label]
    free = np.ones_like(torn) if replace_labels else state.codes < 0
    return [
        Applied(
            own,
            np.flatnonzero(selection.mask & free & ~torn),
            selection,
            int((selection.mask & ~free & ~torn).sum()),
            int((selection.mask & torn).sum()),
        )
        for own, selection in zip(rules, found, strict=True)
    ]


def apply(project_id: str, chosen: Sequence[Applied], seen: int | None = None) -> int:
    """Name the cells of each rule, one step of the history each; return how many cells.

    Raises
    ------
    InputError
        If no cell would be named.
    """
    chosen = [item for item in chosen if item.rows.size]
    if not chosen:
        raise InputError("None of these rules selects a cell here.", "Choose others.")
    for item in chosen:
        mask = np.zeros_like(item.selection.mask)
        mask[item.rows] = True
        name_cells(project_id, replace(item.selection, mask=mask), item.own.label, seen)
        seen = None if seen is None else workspace(project_id).labels().seq
    return int(sum(item.rows.size for item in chosen))
