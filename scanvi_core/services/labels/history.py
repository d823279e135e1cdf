"""The history of a project's labels: every step, going back, comparing, and others' work."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.errors import HistoryRefused
from scanvi_core.keys import one_line
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.exchange.import_log import Taken
from scanvi_core.project.label_log.exchange.lines import parsed, read_lines
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.services.labels import provenance
from scanvi_core.services.workspace import Workspace

FORMAT = "scanvi_label_log"
VERSION = 2  # with where each step is from and its signature; without them it can be read, too
NO_LABEL = "no label"
SHOWN_CELLS = 20
COLUMNS = [
    "step", "when", "who", "kind", "what", "cells", "why", "model", "undone", "verified", "proof",
    "proof_text",
]  # fmt: skip
WORDS = {
    "import": "column read", "assign": "named", "accept": "prediction accepted",
    "clear": "label taken off", "create": "type added", "rename": "renamed", "merge": "merged",
    "split": "split", "delete": "type deleted", "recolour": "color", "terms": "ontology term",
    "holdout": "set aside",
    "groups": "groups", "prior": "expected shares", "note": "note", "checkpoint": "checkpoint",
    "combine": "others' work", "undo": "undo", "redo": "redo",
}  # fmt: skip


def table(opened: Workspace) -> pd.DataFrame:
    """Return every step, the newest first.

    Returns
    -------
    pandas.DataFrame
        Columns ``step``, ``when`` (local time), ``who``, ``kind`` (in words), ``what``,
        ``cells``, ``why`` (reason or rule), ``model``, ``undone``, and what is known of it:
        ``verified`` (who and when are more than a claim), ``proof`` and
        ``proof_text`` (in words, see :mod:`scanvi_core.services.labels.provenance`).
    """
    steps: pd.DataFrame = opened.cache.get(
        ("history", opened.labels().seq), lambda: _table(opened.store.events())
    )
    return steps


def _table(entries: list[events.Event]) -> pd.DataFrame:
    rows = [
        {
            "step": event.seq,
            "when": provenance.moment(event.time),
            "who": event.actor,
            "kind": WORDS[event.kind],
            "what": events.describe(event),
            "cells": event.payload.get("n_cells", 0),
            "why": one_line(event.payload.get("reason", "")),
            "model": one_line(event.payload.get("model", "")),
            "undone": event.undone,
            "verified": provenance.is_verified(event),
            "proof": provenance.in_short(event),
            "proof_text": provenance.in_full(event),
        }
        for event in reversed(entries)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def warning(opened: Workspace) -> str:
    """Return what is wrong with the history as a whole; empty where nothing is."""
    sentence: str = opened.cache.get(
        ("history warning", opened.labels().seq),
        lambda: provenance.warning(opened.store, opened.store.events()),
    )
    return sentence


def brought(opened: Workspace) -> str:
    """Return in a sentence what of the history is only claimed by a file; empty for nothing."""
    sentence: str = opened.cache.get(
        ("history brought", opened.labels().seq),
        lambda: provenance.brought(opened.store.events()),
    )
    return sentence


def go_back_to(opened: Workspace, step: int) -> int:
    """Take back every change after a step; return how many. Redo brings them back."""
    return opened.store.undo_to(step)


def take_back_only(opened: Workspace, step: int) -> None:
    """Take back one step and leave the later ones.

    Raises
    ------
    StepInUse
        If later steps touch the same cells or labels; it has the cells and the steps.
    """
    opened.store.undo(step)


def cell_names(opened: Workspace, rows: np.ndarray) -> list[str]:
    """Return the names of the first cells of a list, to show them."""
    return [str(name) for name in opened.dataset.obs_names[rows[:SHOWN_CELLS]]]


def note(opened: Workspace, text: str) -> None:
    """Write a remark into the history."""
    opened.store.append(events.note(text))


def checkpoint(opened: Workspace, name: str) -> None:
    """Give the labels as they are now a name, to compare with and to go back to."""
    opened.store.append(events.checkpoint(name))


def moments(opened: Workspace) -> dict[int, str]:
    """Return what can be compared: step and name of the start, the checkpoints and now."""
    named = {
        event.seq: one_line(event.payload["name"])
        for event in opened.store.events()
        if event.kind == "checkpoint"
    }
    last = opened.labels().seq
    now = f"{named[last]}, now" if last in named else "Now"
    return {0: "The start, without labels", **named, last: now}


def compare(opened: Workspace, before: int, after: int) -> pd.DataFrame:
    """Return how many cells went from which label to which between two steps.

    Returns
    -------
    pandas.DataFrame
        Columns ``before``, ``after``, ``cells``; the largest change first. Cells whose label has
        another name but was only renamed count as changed.
    """
    store = opened.store
    old, new = _words(store.labels(before)), _words(store.labels(after))
    changed = old != new
    pairs = pd.DataFrame({"before": old[changed], "after": new[changed]})
    counts = pairs.value_counts().rename("cells").reset_index()
    return counts.sort_values(["cells", "before", "after"], ascending=[False, True, True])


def _words(state: LabelState) -> np.ndarray:
    return np.array([*state.names, NO_LABEL], dtype=object)[state.codes]


def export_log(opened: Workspace) -> bytes:
    """Return the whole history as lines of JSON; the first says what it belongs to."""
    head = {FORMAT: VERSION, "project": opened.project.name, **_identity(opened)}
    return "\n".join([json.dumps(head), *opened.store.export_log()]).encode()


def import_log(opened: Workspace, text: bytes) -> Taken | None:
    """Take over a history written by `export_log`, of a colleague or another computer.

    A project without labels gets it as it is (None is returned); else the two are merged. Who did
    what and when is what the file claims, also one that was exported here: who takes it over, and
    when, is written beside it.

    Raises
    ------
    HistoryRefused
        If the file is no history, is damaged, or belongs to other cells.
    ProjectError
        If the disk refuses.
    """
    lines = _lines(text)
    _refuse_other(opened, next(lines, ""))
    if opened.labels().seq:
        return opened.store.merge(lines)
    opened.store.fill(read_lines(lines, opened.dataset.n_obs))
    return None


def _lines(text: bytes) -> Iterator[str]:
    """Yield the lines of a file one by one."""
    for line in io.BytesIO(text):
        try:
            stripped = line.decode("utf-8").strip()
        except UnicodeError as error:
            raise _no_history() from error
        if stripped:
            yield stripped


def _no_history() -> HistoryRefused:
    return HistoryRefused(
        "This file is no label history.", "Choose a file from “Download the history”."
    )


def _refuse_other(opened: Workspace, head: str) -> None:
    """Refuse a file whose first line does not say that it is a history of these cells."""
    try:
        about = parsed(head, opened.dataset.n_obs)
        version, n_obs = about[FORMAT], about.get("n_obs")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_history() from error
    if type(version) is int and version > VERSION:
        raise HistoryRefused("This history has a newer format.", "Update the program.")
    if not (type(version) is type(n_obs) is int and version > 0):
        raise _no_history()
    own = _identity(opened)
    if any(about.get(key) != value for key, value in own.items()):
        name = str(about.get("project"))[:60]
        raise HistoryRefused(
            f"This history is of {name!r} with {n_obs:,} other cells.",
            "Open the same data file here first; for another version of it, use "
            "“Labels of an earlier project” on the Labels page.",
        )


def _identity(opened: Workspace) -> dict[str, object]:
    manifest = opened.dataset.manifest
    return {"n_obs": opened.dataset.n_obs, "counts_sha256": manifest["counts_sha256"]}


@dataclass(frozen=True)
class Difference:
    """Cells on which people differ: who says what, and which rows."""

    versions: tuple[tuple[str, str], ...]
    rows: np.ndarray


def conflicts(opened: Workspace) -> list[Difference]:
    """Return what merged histories disagree on and nobody has decided since, most cells first.

    These cells have no label until somebody names them.
    """
    undecided = opened.store.conflicts()
    return [Difference(item.versions, item.rows) for item in undecided]


def agreement_table(taken: Taken) -> pd.DataFrame:
    """Return per type how well two people agree, over the cells both have named themselves."""
    rows = [(name, *numbers) for name, numbers in taken.agreement.items()]
    return pd.DataFrame(rows, columns=["type", "your cells", "their cells", "Cohen's kappa"])
