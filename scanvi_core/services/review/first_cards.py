"""The review before there is a model: groups of similar cells to be named, part by part."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.services.explore import maps, telling_genes
from scanvi_core.services.opinions import candidates
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.annotation.review.doubt_groups import ReviewGroup

MARKERS = 8
CONSIDERED = 60  # genes that differ either way, of which the high ones are shown
OTHERS = 2_000  # cells that a group is compared with


@dataclass(frozen=True)
class Discovery:
    """How far the parts of the data are named.

    Attributes
    ----------
    n_parts, n_named
        Parts of the data (Louvain clusters), and those with a named cell.
    n_types
        Types with named cells.
    """

    n_parts: int
    n_named: int
    n_types: int

    @property
    def may_train(self) -> bool:
        """Whether there are types enough for a model."""
        return self.n_types >= config.MIN_LABELS


def groups(opened: Workspace) -> "tuple[ReviewGroup, ...]":
    """Return the groups to name, the most useful first; none before `maps.start_base_map`."""
    from scanvi_core.annotation.review.first_cards import discovery_cards

    small, parts = maps.small_clusters(opened), maps.clusters_of(opened)
    if small is None or parts is None:
        return ()
    state = opened.labels()
    open_ = (state.codes < 0) & (opened.dataset.totals > 0) & ~state.holdout
    cards = discovery_cards(small, parts, state.codes, open_)
    return tuple(replace(card, candidates=_types(card.candidates, state.names)) for card in cards)


def progress(opened: Workspace) -> Discovery | None:
    """Return how far the parts of the data are named; None before `maps.start_base_map`."""
    if not maps.is_clustered(opened):
        return None
    key = ("first cards named", opened.labels().seq)
    answer: Discovery | None = opened.cache.get(key, lambda: _progress(opened))
    return answer


def _progress(opened: Workspace) -> Discovery | None:
    parts, state = maps.clusters_of(opened), opened.labels()
    if parts is None or maps.small_clusters(opened) is None:  # damaged
        return None
    named = state.codes >= 0
    types = [code for code in np.unique(state.codes[named]) if state.names[code] != keys.UNKNOWN]
    return Discovery(len(np.unique(parts)), len(np.unique(parts[named])), len(types))


def _types(
    candidates: tuple[tuple[int, float], ...], names: tuple[str, ...]
) -> tuple[tuple[int, float], ...]:
    return tuple(item for item in candidates if names[item[0]] != keys.UNKNOWN)


def of_the_part(opened: Workspace, rows: np.ndarray, name: str) -> np.ndarray:
    """Return the cells that an offered name would be given with one key.

    They are those of a card without a label, and all in the same part of the data without one of
    which an opinion says the same.
    """
    state, parts = opened.labels(), maps.clusters_of(opened)
    chosen = np.zeros(state.codes.size, dtype=bool)
    if parts is not None:
        same = parts == np.bincount(parts[rows]).argmax()
        chosen = same & ~state.holdout & candidates.cells_said(opened, name)
    chosen[rows] = True
    return np.flatnonzero(chosen & (state.codes < 0))


def markers(opened: Workspace, rows: np.ndarray) -> pd.DataFrame:
    """Return the genes that are high in some cells: ``gene`` and both mean levels.

    They are compared with 2,000 cells drawn evenly from all others; levels are log1p of counts per
    10,000. Ribosomal and mitochondrial genes come last.
    """
    from scanvi_core.annotation.genes.quick_markers import contrast

    rest = np.setdiff1d(np.flatnonzero(opened.dataset.totals > 0), rows)
    others = np.sort(np.random.default_rng(0).permutation(rest)[:OTHERS])
    symbols = opened.dataset.symbols
    contrasts = contrast(opened.dataset.counts, rows, others, n=CONSIDERED)
    high = {item.gene: item for item in contrasts if item.score > 0}
    shown, _ = telling_genes.first_of(opened, list(high), MARKERS)
    return pd.DataFrame([
        {"gene": symbols[gene], "these cells": high[gene].mean_a, "all others": high[gene].mean_b}
        for gene in shown
    ])  # fmt: skip
