"""Who decided what: the label history of a project, with or without names of people."""

import pandas as pd

from scanvi_core.project.label_log.events import Event, describe
from scanvi_core.project.label_log.exchange.merge import COMBINE
from scanvi_core.services.formatting import count
from scanvi_core.services.labels import history, provenance
from scanvi_core.services.report.parts import Section, Text, table_of
from scanvi_core.services.workspace import Workspace

STEPS = 300  # shown, the newest
SPEAK_OF_OTHERS = ("combine", "undo", "redo", "note", "checkpoint")  # may name a person
NOBODY = "nobody"


def decisions(opened: Workspace, *, people: bool) -> Section:
    """Return every step of the labels; without names, people are numbered."""
    entries = opened.store.events()
    if not entries:
        return Section("Decisions", [Text("No label was given or changed.")])
    numbers = {name: i + 1 for i, name in enumerate(dict.fromkeys(e.actor for e in entries))}
    who = {name: (name or NOBODY) if people else f"person {i}" for name, i in numbers.items()}
    steps = pd.DataFrame([_row(event, who[event.actor], people=people) for event in entries])
    section = Section("Decisions")
    warnings = [history.warning(opened), history.brought(opened) if people else ""]
    section.add(*(Text(words, loud=True) for words in warnings if words))
    section.add(table_of(_by_person(steps), "By person"))
    older = len(steps) - STEPS
    left_out = f"; {count(older, 'older step')} left out" if older > 0 else ""
    title = f"Steps, the newest first{left_out}"
    shown = steps[::-1][:STEPS].drop(columns="kind")
    doubted = bool((shown["not verified"] != "").any())
    section.add(table_of(shown if doubted else shown.drop(columns="not verified"), title))
    start = "The other steps are" if doubted else "All these steps are"
    section.add(Text(f"{start} verified. {provenance.HELP}"))
    return section


def _doubt(event: Event, *, people: bool) -> str:
    """Return what is not proven of a step; empty for one that this installation wrote."""
    if provenance.is_verified(event) and event.kind != COMBINE:
        return ""
    return provenance.in_short(event) if people else event.proof


def _row(event: Event, who: str, *, people: bool) -> dict[str, object]:
    moment = provenance.moment(event.time)
    named = people or event.kind not in SPEAK_OF_OTHERS
    return {
        "step": event.seq,
        "when": f"{moment:%Y-%m-%d %H:%M}" if moment else "not recorded",
        "who": who,
        "kind": history.WORDS[event.kind],
        "what": describe(event) if named else history.WORDS[event.kind],
        "cells": event.payload.get("n_cells", 0),
        "taken back": "yes" if event.undone else "",
        "not verified": _doubt(event, people=people),
    }


def _by_person(steps: pd.DataFrame) -> pd.DataFrame:
    """Return what each person did that was not taken back: steps of each kind, and their cells."""
    valid = steps[steps["taken back"] == ""]
    by = valid.groupby(["who", "kind"], sort=False)
    table = by.agg(steps=("step", "size"), cells=("cells", "sum")).reset_index()
    return table.rename(columns={"kind": "did"})
