"""What speaks for one candidate of a review card and what for the other."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.errors import InputError
from scanvi_core.services import provisional, results
from scanvi_core.services.reviewing import ReviewItem, card
from scanvi_core.services.workspace import workspace

MARKERS = 6
TRUSTED = 0.9  # confidence from which predicted cells serve as evidence


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


def of(project_id: str, item: ReviewItem) -> Evidence:
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
