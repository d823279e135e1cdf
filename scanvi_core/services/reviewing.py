"""The review queue: groups of doubtful cells, the evidence, and the reviewer's decisions."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.annotation.queue import ReviewGroup, review_queue
from scanvi_core.errors import InputError
from scanvi_core.project import events
from scanvi_core.services import results
from scanvi_core.services.workspace import workspace

MARKERS = 6
TRUSTED = 0.9  # confidence from which predicted cells serve as evidence


@dataclass(frozen=True)
class Candidate:
    """A type the cells may be, with the model's mean probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class ReviewItem:
    """One card of the queue: similar cells that wait for a name."""

    key: str
    rows: np.ndarray
    candidates: tuple[Candidate, ...]
    confidence: float


@dataclass(frozen=True)
class Evidence:
    """What speaks for one candidate and what for the other.

    Attributes
    ----------
    markers
        One row per gene that separates the two candidates: mean expression in trusted cells of
        the first, in these cells, and in trusted cells of the second.
    verdict
        One plain line.
    batches
        Cells per batch.
    """

    markers: pd.DataFrame
    verdict: str
    batches: pd.DataFrame


def queue(project_id: str) -> list[ReviewItem]:
    """Return the cards of the current model in order, decided ones included."""
    found = results.current(project_id)
    return [] if found is None else list(_queue(project_id, found.run_id))


@lru_cache(maxsize=8)
def _queue(project_id: str, run_id: str) -> tuple[ReviewItem, ...]:
    found = results.load(project_id, run_id)
    y = found.array(project_id, "y")  # labels as they were when it was trained
    reviewable = (y < 0) & ~found.holdout & (found.prediction >= 0)
    z1 = found.array(project_id, results.Z1)
    groups = review_queue(z1, found.probabilities, reviewable, seed=0)
    return tuple(_item(group, found.names) for group in groups)


def _item(group: ReviewGroup, names: tuple[str, ...]) -> ReviewItem:
    candidates = tuple(Candidate(names[code], p) for code, p in group.candidates)
    return ReviewItem(group.key, group.rows, candidates, group.confidence)


def is_decided(project_id: str, item: ReviewItem) -> bool:
    """Tell whether every cell of the card has a label by now."""
    return bool((workspace(project_id).labels().codes[item.rows] >= 0).all())


def accept(project_id: str, item: ReviewItem) -> None:
    """Take the model's first suggestion for the card's cells."""
    store = workspace(project_id).store
    found = results.current(project_id)
    model = found.run_id if found else ""
    store.append(events.accept(item.rows, item.candidates[0].name, reason="review", model=model))


def choose(project_id: str, item: ReviewItem, name: str) -> None:
    """Give the card's open cells another name; cells the user labelled before keep theirs."""
    opened = workspace(project_id)
    rows = item.rows[opened.labels().codes[item.rows] < 0]
    if not rows.size:
        raise InputError("These cells have a label already.", "Undo it first.")
    opened.store.append(events.assign(rows, name, reason="review"))


def unknown(project_id: str, item: ReviewItem) -> None:
    """Say that these cells cannot be named; they stay out of training as labels."""
    choose(project_id, item, keys.UNKNOWN)


@lru_cache(maxsize=64)
def _evidence(project_id: str, run_id: str, key: str) -> Evidence:
    from scanvi_core.annotation.markers import contrast

    found = results.load(project_id, run_id)
    item = next(item for item in _queue(project_id, run_id) if item.key == key)
    dataset = workspace(project_id).dataset
    first, second = (item.candidates * 2)[:2]
    trusted = {name: _trusted(project_id, found, name) for name in (first.name, second.name)}
    genes = contrast(dataset.counts, trusted[first.name], trusted[second.name], n=MARKERS)
    rows = []
    for gene in genes:
        values = dataset.gene(str(dataset.var_names[gene.gene]))
        rows.append(
            {
                "gene": dataset.symbols[gene.gene],
                first.name: float(values[trusted[first.name]].mean()),
                "these cells": float(values[item.rows].mean()),
                second.name: float(values[trusted[second.name]].mean()),
            }
        )
    table = pd.DataFrame(rows)
    return Evidence(
        table, _verdict(table, first.name, second.name), _batches(project_id, item.rows)
    )


def evidence(project_id: str, item: ReviewItem) -> Evidence:
    """Return the genes that separate the two likeliest candidates, and these cells' levels."""
    found = results.current(project_id)
    if found is None:
        raise InputError("There is no model yet.", "Train one first.")
    return _evidence(project_id, found.run_id, item.key)


def _trusted(project_id: str, found: results.Results, name: str) -> np.ndarray:
    """Return cells that surely are of a type: labelled so, else confidently predicted."""
    y = found.array(project_id, "y")
    code = found.names.index(name)
    rows = np.flatnonzero(y == code)
    if rows.size < 2 * config.RARE_CELLS:
        sure = (found.prediction == code) & (found.confidence >= TRUSTED)
        rows = np.union1d(rows, np.flatnonzero(sure))
    return rows


def _verdict(table: pd.DataFrame, first: str, second: str) -> str:
    """Say in one line which candidate the separating genes look more like."""
    if table.empty or first == second:
        return "No genes separate the candidates."
    nearer = (table["these cells"] - table[first]).abs() < (
        table["these cells"] - table[second]
    ).abs()
    n = int(nearer.sum())
    better, genes = (first, n) if n * 2 >= len(table) else (second, len(table) - n)
    return f"{genes} of {len(table)} separating genes look like {better}."


def _batches(project_id: str, rows: np.ndarray) -> pd.DataFrame:
    from scanvi_core.services.design import batches_of

    opened = workspace(project_id)
    index, names = batches_of(opened, opened.project.settings.get("batch_key"))
    cells = np.bincount(index[rows], minlength=len(names))
    table = pd.DataFrame({"batch": list(names), "cells": cells})
    return table[table["cells"] > 0].sort_values("cells", ascending=False)


def changes(project_id: str) -> pd.DataFrame:
    """Return how many cells changed their prediction from the model before to the current one."""
    now, before = results.current(project_id), results.previous(project_id)
    if now is None or before is None:
        return pd.DataFrame(columns=["before", "now", "cells"])
    names_before = np.array([*before.names, ""], dtype=object)[before.prediction]
    names_now = np.array([*now.names, ""], dtype=object)[now.prediction]
    table = pd.DataFrame({"before": names_before, "now": names_now})
    table = table[table["before"] != table["now"]]
    return table.value_counts().rename("cells").reset_index()
