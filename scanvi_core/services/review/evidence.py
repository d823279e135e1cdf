"""What speaks for one candidate of a review card and what for the other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core import config
from scanvi_core.errors import InputError
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.explore import telling_genes
from scanvi_core.services.formatting import count
from scanvi_core.services.review.queue import ReviewItem, card
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import Workspace

MARKERS = 6
CONSIDERED = 24  # genes that separate, of which those are shown
TRUSTED = 0.9  # confidence from which predicted cells serve as evidence
NEIGHBORS = 30  # labeled cells nearest to a group
INSIDE = 0.9  # share of a group's cells that lie within its radius
CLEAR = 2 / 3  # share of genes, of their levels or of neighbors that speaks for a type


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
    favors
        The type that all signs clearly speak for; empty where they do not agree.
    batches
        Per batch of these cells: ``batch``, ``cells``, ``share`` of them, and its share of
        ``all cells``, in percent.
    neighbors
        Types of the nearest labeled cells: ``type``, ``cells``, most first.
    quality
        Medians of ``these cells`` and of ``all cells``, one row per ``measure``.
    inside
        Labeled cells as near to the middle of these as they are: ``type``, ``cells``.
    leans
        The type that all signs speak for, one of them clearly; empty where they do not agree.
    behind
        Ribosomal and mitochondrial genes that separate as well, and are left out for others.
    """

    markers: pd.DataFrame
    verdict: str
    favors: str
    batches: pd.DataFrame
    neighbors: pd.DataFrame
    quality: pd.DataFrame
    inside: pd.DataFrame
    leans: str = ""
    behind: tuple[str, ...] = ()

    def effect(self, name: str, n_open: int) -> str:
        """Say what naming the card's `n_open` cells so would do."""
        others = self.inside[self.inside["type"] != name]
        n = int(others["cells"].sum())
        added = f"{count(n_open, 'cell')} will have this name"
        if not n:
            return f"{added}. No cell in their midst has another label."
        whose = others["type"].iloc[0] + (" and others" if len(others) > 1 else "")
        keep = "keeps its label" if n == 1 else "keep their labels"
        return (
            f"{added}. {count(n, 'labeled cell')} in their midst ({whose}) {keep}; the model "
            "learns both."
        )


def _evidence(opened: Workspace, token: str) -> Evidence:
    from scanvi_core.annotation.genes.quick_markers import contrast

    item = card(opened, token)
    if item is None:
        raise InputError("This group is gone.", "Reload the page.")
    dataset = opened.dataset
    first, second = (item.candidates * 2)[:2]
    trusted = {name: _trusted(opened, item, name) for name in (first.name, second.name)}
    found = contrast(dataset.counts, trusted[first.name], trusted[second.name], n=CONSIDERED)
    genes, behind = telling_genes.first_of(opened, [gene.gene for gene in found], MARKERS)
    rows = []
    for gene in genes:
        values = dataset.gene(str(dataset.var_names[gene]))
        rows.append(
            {
                "gene": dataset.symbols[gene],
                first.name: float(values[trusted[first.name]].mean()),
                "these cells": float(values[item.rows].mean()),
                second.name: float(values[trusted[second.name]].mean()),
            }
        )
    table = pd.DataFrame(rows)
    near, inside = _labeled_around(opened, item)
    said, favors, leans = _verdict(table, near, first.name, second.name)
    return Evidence(
        table,
        said,
        favors,
        _batches(opened, item.rows),
        near,
        _quality(opened, item.rows),
        inside,
        leans,
        tuple(behind),
    )


def of(opened: Workspace, item: ReviewItem) -> Evidence:
    """Return the genes that separate the two likeliest candidates, and these cells' levels."""
    cache = opened.cache
    return cache.get(("evidence", item.token), lambda: _evidence(opened, item.token))


def _trusted(opened: Workspace, item: ReviewItem, name: str) -> np.ndarray:
    """Return cells that surely are of a type: labeled so, else confidently predicted."""
    predictions, y = _as_predicted(opened, item)
    if (
        name not in predictions.names
    ):  # newer than the model, and the provisional predictions are gone
        return np.empty(0, dtype=np.int64)
    code = predictions.names.index(name)
    rows = np.flatnonzero(y == code)
    if rows.size < 2 * config.RARE_CELLS:
        sure = (predictions.prediction == code) & (predictions.confidence >= TRUSTED)
        rows = np.union1d(rows, np.flatnonzero(sure))
    return rows


def _as_predicted(opened: Workspace, item: ReviewItem) -> tuple[results.Results, np.ndarray]:
    """Return the predictions a card was made of, and the labels they know [n_obs]."""
    made = provisional.state(opened).newest if item.seq else None
    if made is not None:
        return made.predictions, made.y
    predictions = results.load(opened, item.run_id)
    return predictions, predictions.run.array("y")


def _labeled_around(opened: Workspace, item: ReviewItem) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the types of the nearest labeled cells, and of those in the midst of the group."""
    predictions, y = _as_predicted(opened, item)
    rows = np.flatnonzero((y >= 0) & (y < len(predictions.names)) & (predictions.prediction >= 0))
    z1 = predictions.run.array(results.Z1)
    own = z1[item.rows]
    middle = own.mean(axis=0)
    radius = np.quantile(((own - middle) ** 2).sum(axis=1), INSIDE)
    distance = ((z1[rows] - middle) ** 2).sum(axis=1)
    nearest = rows[np.argsort(distance, kind="stable")[:NEIGHBORS]]
    inside = rows[distance <= radius]
    return _counted(y[nearest], predictions.names), _counted(y[inside], predictions.names)


def _counted(codes: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    cells = np.bincount(codes, minlength=len(names))
    table = pd.DataFrame({"type": list(names), "cells": cells})
    table = table[table["cells"] > 0]
    return table.sort_values("cells", ascending=False, kind="stable", ignore_index=True)


def _verdict(
    table: pd.DataFrame, near: pd.DataFrame, first: str, second: str
) -> tuple[str, str, str]:
    """Say in one line which type the separating genes and the neighbors look like.

    Returns
    -------
    sentence, favors, leans
        The types that all of them clearly speak for, and that all speak for, one of them clearly;
        empty where they do not agree.
        The sentence says so where that is not `first`, the type that the model says.
    """
    signs = [sign for sign in (_of_genes(table, first, second), _of_neighbors(near)) if sign]
    if not signs:
        return "Nothing separates the candidates: no genes, no labeled cells nearby.", "", ""
    clear = [sign for sign in signs if sign.is_clear]
    if clear and len({sign.name for sign in signs}) == 1:
        name, faint = signs[0].name, [sign.text for sign in signs if not sign.is_clear]
        said = f"{'Probably' if faint else 'Looks like'} {name}: "
        said += " and ".join(sign.text for sign in clear)
        said += f"; only {faint[0]} agree." if faint else "."
        if name != first:
            said += f" The model says {first}."
        return said, "" if faint else name, name
    word = "Mixed signs" if len(clear) == len(signs) else "Unclear"
    return f"{word}: {', '.join(sign.words for sign in signs)}.", "", ""


@dataclass(frozen=True)
class _Sign:
    """What one kind of evidence speaks for, and whether clearly; no `name` where it is a tie."""

    name: str
    is_clear: bool
    text: str
    verb: str

    @property
    def words(self) -> str:
        """What speaks, and for whom."""
        return f"{self.text} {self.verb} {self.name or 'either'}"


def _of_genes(table: pd.DataFrame, first: str, second: str) -> _Sign | None:
    """Return which of the two the separating genes speak for, by their number and their levels.

    A gene weighs as much as the two types are apart in it.
    """
    if table.empty or first == second:
        return None
    above, apart = table["these cells"] - table[second], table[first] - table[second]
    toward = (above * np.sign(apart)).clip(0.0, apart.abs())
    level = float(toward.sum() / (apart.abs().sum() or 1.0))
    n, n_all = int((toward > apart.abs() / 2).sum()), len(table)
    better, genes, level = (first, n, level) if level > 1 / 2 else (second, n_all - n, 1 - level)
    text, is_clear = f"{genes} of {n_all} separating genes", level >= CLEAR
    if 2 * genes > n_all:
        return _Sign(better, is_clear and genes >= CLEAR * n_all, text, "look like")
    if is_clear:  # few, but they tell the two types apart best
        return _Sign(better, False, f"{text}, those furthest apart,", "look like")
    return _Sign("", False, f"{n_all} separating genes taken together", "look like")


def _of_neighbors(near: pd.DataFrame) -> _Sign | None:
    """Return which type most of the nearest labeled cells are of."""
    if near.empty:
        return None
    name, cells, n = str(near["type"].iloc[0]), int(near["cells"].iloc[0]), near["cells"].sum()
    text = f"{cells} of the {n} nearest labeled cells"
    return _Sign(name, bool(cells >= CLEAR * n), text, "are")


def _quality(opened: Workspace, rows: np.ndarray) -> pd.DataFrame:
    """Return the medians of counts, genes, mitochondrial share and doublet score."""
    data, doubts = opened.dataset, uncertainty.reasons(opened)
    measures = {
        "counts": data.totals,
        "genes seen": data.n_genes_by_counts,
    }
    if np.any(data.pct_counts_mt):  # else no such gene is in the data
        measures["mitochondrial, %"] = data.pct_counts_mt
    if doubts is not None and np.isfinite(doubts.doublet_score).any():
        measures["doublet score"] = doubts.doublet_score

    def everywhere() -> list[float]:
        return [float(np.nanmedian(values)) for values in measures.values()]

    key = ("medians", *measures, "" if doubts is None else doubts.run_id)
    these = [float(np.nanmedian(values[rows])) for values in measures.values()]
    every = opened.cache.get(key, everywhere)
    return pd.DataFrame({"measure": [*measures], "these cells": these, "all cells": every})


def _batches(opened: Workspace, rows: np.ndarray) -> pd.DataFrame:
    batches = opened.batches(opened.batch_key)
    index, names = batches.index, batches.names
    cells = np.bincount(index[rows], minlength=len(names))
    every = np.bincount(index, minlength=len(names))
    shares = {"share": 100 * cells / rows.size, "all cells": 100 * every / index.size}
    table = pd.DataFrame({"batch": list(names), "cells": cells, **shares})
    return table[table["cells"] > 0].sort_values("cells", ascending=False)
