"""The review queue: groups of doubtful cells, the evidence, and the reviewer's decisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.annotation.queue import ReviewGroup, review_queue
from scanvi_core.errors import InputError
from scanvi_core.project import events
from scanvi_core.services import provisional, results
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
    """One card of the queue: similar cells that wait for a name.

    `run_id` and `seq` say which predictions made it: those of a run, or (seq > 0) the provisional
    ones after that label event. It stays as it is, whatever is predicted later.
    """

    key: str
    rows: np.ndarray
    candidates: tuple[Candidate, ...]
    confidence: float
    run_id: str
    seq: int

    @property
    def token(self) -> str:
        """A short name by which `card` finds it again."""
        return f"{self.run_id}.{self.seq}.{self.key}"


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
    """Return the cards of the newest predictions that are ready, in order, decided ones included.

    After a decision these are provisional ones, a moment later.
    """
    found = results.current(project_id)
    if found is None:
        return []
    made = provisional.state(project_id).found
    return list(_cards(project_id, found.run_id, made.seq if made else 0))


@lru_cache(maxsize=64)
def _cards(project_id: str, run_id: str, seq: int) -> tuple[ReviewItem, ...]:
    """Return the cards made from a run (seq 0) or from provisional predictions still there."""
    if seq:
        made = provisional.state(project_id).found
        if made is None or made.moment != (run_id, seq):
            return ()
        groups, names = made.groups, made.predictions.names
    else:
        found = results.load(project_id, run_id)
        y = found.array(project_id, "y")  # labels as they were when it was trained
        reviewable = (y < 0) & ~found.holdout & (found.prediction >= 0)
        z1 = found.array(project_id, results.Z1)
        groups = tuple(review_queue(z1, found.probabilities, reviewable, seed=0))
        names = found.names
    return tuple(_item(group, names, run_id, seq) for group in groups)


def _item(group: ReviewGroup, names: tuple[str, ...], run_id: str, seq: int) -> ReviewItem:
    candidates = tuple(Candidate(names[code], p) for code, p in group.candidates)
    return ReviewItem(group.key, group.rows, candidates, group.confidence, run_id, seq)


def card(project_id: str, token: str) -> ReviewItem | None:
    """Return a card by its token, None when its predictions are gone (after a restart)."""
    run_id, seq, key = token.split(".")
    cards = _cards(project_id, run_id, int(seq))
    return next((item for item in cards if item.key == key), None)


def next_card(project_id: str, seen: Iterable[ReviewItem]) -> ReviewItem | None:
    """Return the first open card that does not ask again about the cells of cards seen before."""
    known = np.concatenate([np.empty(0, np.int64), *(item.rows for item in seen)])
    for item in queue(project_id):
        again = 2 * np.isin(item.rows, known).sum() > item.rows.size
        if not again and not is_decided(project_id, item):
            return item
    return None


@dataclass(frozen=True)
class Progress:
    """How far the review of a model's doubtful cells is.

    Attributes
    ----------
    n_cells
        Cells that were doubtful when the model was trained.
    n_named, n_clear
        Of these, cells that have a label by now, and others that are no longer doubtful.
    n_groups
        Open cards.
    """

    n_cells: int
    n_named: int
    n_clear: int
    n_groups: int

    @property
    def fraction(self) -> float:
        """Share of the cells that need nothing more."""
        return (self.n_named + self.n_clear) / max(1, self.n_cells)


def progress(project_id: str) -> Progress:
    """Count what is done and what is left; a model must be there."""
    found = results.current(project_id)
    if found is None:
        return Progress(0, 0, 0, 0)
    opened, made = workspace(project_id), provisional.state(project_id).found
    cards = _cards(project_id, found.run_id, 0)
    rows = np.concatenate([np.empty(0, np.int64), *(item.rows for item in cards)])
    named = opened.labels().codes[rows] >= 0
    clear = np.zeros_like(named)
    if made is not None:
        clear = ~named & (made.predictions.confidence[rows] >= config.LOW_CONFIDENCE)
    open_cards = [item for item in queue(project_id) if not is_decided(project_id, item)]
    return Progress(rows.size, int(named.sum()), int(clear.sum()), len(open_cards))


def is_decided(project_id: str, item: ReviewItem) -> bool:
    """Tell whether every cell of the card has a label by now."""
    return bool((workspace(project_id).labels().codes[item.rows] >= 0).all())


def accept(project_id: str, item: ReviewItem) -> None:
    """Take the first suggestion for the card's cells."""
    name, store = item.candidates[0].name, workspace(project_id).store
    store.append(events.accept(item.rows, name, reason="review", model=item.run_id))


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
def _evidence(project_id: str, token: str) -> Evidence:
    from scanvi_core.annotation.markers import contrast

    item = card(project_id, token)
    if item is None:
        raise InputError("This group is gone.", "Reload the page.")
    dataset = workspace(project_id).dataset
    first, second = (item.candidates * 2)[:2]
    trusted = {name: _trusted(project_id, item, name) for name in (first.name, second.name)}
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
    return _evidence(project_id, item.token)


def _trusted(project_id: str, item: ReviewItem, name: str) -> np.ndarray:
    """Return cells that surely are of a type: labelled so, else confidently predicted."""
    made = provisional.state(project_id).found if item.seq else None
    found = results.load(project_id, item.run_id) if made is None else made.predictions
    if name not in found.names:  # newer than the model, and the provisional predictions are gone
        return np.empty(0, dtype=np.int64)
    y = found.array(project_id, "y") if made is None else made.y
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
