"""Rules in a project: what they select, the labels they led to, and using them elsewhere."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scanvi_core.annotation.selection.cell_sets import Bits, evaluate, size, unpacked
from scanvi_core.annotation.selection.polygon import Operation
from scanvi_core.annotation.selection.rule_words import in_words as term_in_words
from scanvi_core.annotation.selection.rule_words import rule_in_words
from scanvi_core.annotation.selection.rules import (
    MAX_STEPS,
    UNREADABLE,
    Condition,
    Group,
    Kind,
    Rule,
)
from scanvi_core.errors import InputError
from scanvi_core.project import names, pack
from scanvi_core.project.label_log import events
from scanvi_core.services.explore import colors, conditions, maps
from scanvi_core.services.labels import edit
from scanvi_core.services.labels.pack_types import PACK_RUN
from scanvi_core.services.workspace import Workspace

__all__ = ["MAX_STEPS", "Condition", "Group", "Kind", "Operation", "Rule"]  # for pages

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
        Cells that fulfill each condition alone, in order; None where nobody can tell, and for
        steps to neighbors.
    notes
        What is not here, in sentences.
    """

    rule: Rule
    mask: np.ndarray
    n: int
    counts: tuple[int | None, ...]
    notes: tuple[str, ...]


def select(opened: Workspace, rule: Rule) -> Selection:
    """Return what a rule selects now.

    A condition that cannot be looked up here counts as unknown: only cells that fulfill the rule
    whatever it would say are selected, and a note says so.
    """
    n_obs = opened.dataset.n_obs
    notes: dict[str, None] = {}

    def bits_of(term: Condition) -> Bits | None:
        answern = conditions.answer(opened, term)
        if answern.note:
            notes[answern.note] = None
        return answern.bits

    def grow(bits: Bits, steps: int) -> Bits | None:
        grown = conditions.grown(opened, bits, steps)
        if grown is None:
            notes[f"{conditions.NEAR_WHERE} is not here: train a model first."] = None
        return grown

    chosen = evaluate(rule, n_obs, bits_of, grow)
    counts = tuple(
        None if term.kind == "near" else _count(bits_of(term.about), term, n_obs)
        for term in rule.terms
    )
    mask = unpacked(chosen.surely, n_obs)
    mask.flags.writeable = False
    return Selection(rule, mask, size(chosen.surely), counts, tuple(notes))


def _count(bits: Bits | None, term: Condition, n_obs: int) -> int | None:
    if bits is None:
        return None
    return n_obs - size(bits) if term.negated else size(bits)


def advice(opened: Workspace, selection: Selection) -> str:
    """Say which condition to take away when none is left; empty when there is no such one."""
    if selection.n or not selection.rule:
        return ""
    best, most = "", 0
    for g, group in enumerate(selection.rule.groups):
        for t, term in enumerate(group.terms):
            n = select(opened, selection.rule.without(g, t)).n
            if n > most:
                best, most = words_of(term), n
    return f"Without “{best}” it would be {most:,}." if most else ""


def words_of(term: Condition) -> str:
    """Return a condition in words."""
    return term_in_words(term, maps.TITLES)


def words(rule: Rule) -> str:
    """Return a whole rule in words, for the history."""
    text = rule_in_words(rule, maps.TITLES)
    return text if len(text) <= MAX_WORDS else f"{text[: MAX_WORDS - 1]}…"


def of_markers(opened: Workspace, text: str) -> tuple[Condition, ...]:
    """Return the conditions of a marker rule such as ``MS4A1+, CD3D-``.

    Raises
    ------
    InputError
        If it cannot be read or names a gene that is not there.
    """
    return tuple(
        Condition("gene", marker.gene, low=marker.threshold, negated=not marker.positive)
        for marker in colors.markers_of(opened, text)
    )


# The log ----------------------------------------------------------------------------------------


def name_cells(
    opened: Workspace, selection: Selection, label: str, seen: int | None = None
) -> None:
    """Give the selected cells a label, the rule being kept with it; '' takes theirs off.

    Raises
    ------
    StaleEdit
        If somebody changed the same cells since step `seen`; both versions are in it.
    """
    model = opened.project.settings.get("current_run") or ""
    rows, reason = np.flatnonzero(selection.mask), words(selection.rule)
    if not label:
        edit.clear_cells(opened, rows, reason, seen)
        return
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


def logged(opened: Workspace) -> list[LabelRule]:
    """Return the rules behind the labels of a project, in the order they were used.

    Those of the pack it began from come first.
    """
    key = ("rules", opened.labels().seq, opened.project.settings.get(PACK_RUN))
    return opened.cache.get(key, lambda: _logged(opened))


def _brought(opened: Workspace) -> list[LabelRule]:
    """Return the rules of the pack that a project began from."""
    record = pack.read(opened.project) if opened.project.settings.get(PACK_RUN) else None
    return [] if record is None else of_plain(record["rules"])


def _logged(opened: Workspace) -> list[LabelRule]:
    rules: dict[LabelRule, None] = dict.fromkeys(_brought(opened))
    for event in opened.store.events():
        plain = event.payload.get(RULE)
        if event.kind == "assign" and plain is not None and not event.undone:
            with suppress(InputError):  # of a newer version, or of a colleague's damaged copy
                rules[LabelRule(event.payload["labels"][0], Rule.from_json(plain))] = None
    return list(rules)


def to_file(opened: Workspace) -> bytes:
    """Return the rules of a project as JSON, to run them on other data."""
    plain = {
        FILE: FILE_VERSION,
        "project": opened.project.name,
        "rules": to_plain(logged(opened)),
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
    return of_plain(rules)


def to_plain(rules: Sequence[LabelRule]) -> list[dict[str, Any]]:
    """Return rules as plain JSON."""
    return [{"label": own.label, "rule": own.rule.to_json()} for own in rules]


def of_plain(rules: Sequence[Mapping[str, Any]]) -> list[LabelRule]:
    """Return the rules that `to_plain` made plain.

    Raises
    ------
    InputError
        If they are too many, or one is none.
    """
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
    labeled, contested
        Cells it selects that stay as they are: they have a label already, or another rule with
        another label selects them too.
    notes
        What is not here, in sentences.
    """

    own: LabelRule
    rows: np.ndarray
    selection: Selection
    labeled: int
    contested: int

    @property
    def note(self) -> str:
        """What is left out and why, in words."""
        sentences = list(self.selection.notes)
        if sentences and not self.selection.n:
            sentences.append("The rule cannot be used here.")
        elif sentences:
            sentences.append("Only cells that fulfill the rule without that are named.")
        if self.contested:
            sentences.append(f"{self.contested:,} cells fit other rules too and are left out.")
        if self.labeled:
            sentences.append(f"{self.labeled:,} cells have a label already and keep it.")
        return " ".join(sentences)


def preview(
    opened: Workspace, rules: Sequence[LabelRule], *, replace_labels: bool = False
) -> list[Applied]:
    """Return what each rule would do here, all of them together."""
    state = opened.labels()
    selections = [select(opened, own.rule) for own in rules]
    places = {name: code for code, name in enumerate(dict.fromkeys(own.label for own in rules))}
    claims = np.full(len(state.codes), -1, dtype=np.int32)
    torn = np.zeros(len(state.codes), dtype=bool)
    for own, selection in zip(rules, selections, strict=True):
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
        for own, selection in zip(rules, selections, strict=True)
    ]


def apply(opened: Workspace, chosen: Sequence[Applied], seen: int | None = None) -> int:
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
        name_cells(opened, replace(item.selection, mask=mask), item.own.label, seen)
        seen = None if seen is None else opened.labels().seq
    return int(sum(item.rows.size for item in chosen))
