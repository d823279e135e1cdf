"""The cards of a review before there is a model: what is in the data, part by part.

Each part of the data (a Louvain cluster) is asked about once, the largest first, before any is
asked about again: the most typical cells of the largest part nobody has named (as in TypiClust:
Hacohen et al. 2022, arXiv:2202.02794). Cards are the tight middles of :mod:`.card_clusters`, as
later.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.review.card_clusters import CARD_CELLS, Clusters
from scanvi_core.annotation.review.doubt_groups import N_CANDIDATES, ReviewGroup, key_of

Codes = npt.NDArray[np.integer[Any]]


def discovery_cards(
    clusters: Clusters, parts: Codes, known: Codes, reviewable: npt.NDArray[np.bool_]
) -> list[ReviewGroup]:
    """Return a card per cluster of cells without a label, in the order of their worth.

    Parameters
    ----------
    clusters
        Tight clusters of all cells.
    parts
        The part of the data each cell is in [n], 0 for the largest; -1: in none.
    known
        Label codes [n], below 0 where there is none.
    reviewable
        Cells [n] that wait for a name.

    Returns
    -------
    list
        Groups whose candidates are the types named in the same part, the most frequent first,
        with their shares of its labels.
    """
    rows = np.flatnonzero(reviewable & (clusters.codes >= 0) & (parts >= 0))
    groups = clusters.groups(rows)
    part = [int(np.bincount(parts[own]).argmax()) for own in groups]
    asked = _clusters_named(clusters.codes, parts, known)
    spread = [float(clusters.distance[own].mean()) for own in groups]
    is_small = [len(own) < CARD_CELLS for own in groups]
    turns = list[tuple[int, int, int]]()
    for place in np.lexsort((spread, is_small)):  # the tightest of a part first
        own = part[place]
        turns.append((asked.get(own, 0), own, int(place)))
        asked[own] = asked.get(own, 0) + 1
    names = {own: _named_in(known[parts == own]) for own in set(part)}
    cards = []
    for _turn, own, place in sorted(turns):
        near = clusters.middle(groups[place])
        n_alike = len(groups[place])
        cards.append(ReviewGroup(key_of(near), near, names[own], np.nan, np.nan, n_alike=n_alike))
    return cards


def _clusters_named(clusters: Codes, parts: Codes, known: Codes) -> dict[int, int]:
    """Return in how many clusters of each part a cell has a name."""
    pairs = np.unique(np.stack([parts, clusters])[:, known >= 0], axis=1)
    asked, times = np.unique(pairs[0], return_counts=True)
    return dict(zip(asked.tolist(), times.tolist(), strict=True))


def _named_in(known: Codes) -> tuple[tuple[int, float], ...]:
    """Return the likeliest codes and their shares of the labels given."""
    labeled = known[known >= 0]
    if not labeled.size:
        return ()
    counts = np.bincount(labeled)
    best = np.argsort(-counts, kind="stable")[:N_CANDIDATES]
    return tuple((int(code), float(counts[code] / labeled.size)) for code in best if counts[code])
