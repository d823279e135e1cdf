"""The cards of a review in the order in which they teach most.

A card is the tight middle of a cluster (:mod:`.card_clusters`): cells so alike that one name fits
all of them. First come clusters unlike every labeled cell, until nothing is left to discover; then
those where the model is in doubt; and every third card is the most novel one there is, so that
small new types are met early. What was named explains the clusters near it, so that nobody is
asked again about cells that only looked new. In simulations (``python -m benchmarks.quality.review
FOLDER``) the area under macro-F1 against decisions was .766 in this order, .708 for the least sure
groups first, .664 for groups in random order, and .738 before decisions explained what is near.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.review.asked import asked, chance_right
from scanvi_core.annotation.review.card_clusters import LEAST_CELLS, Clusters
from scanvi_core.annotation.review.doubt_groups import FEW_LABELS, ReviewGroup, describe
from scanvi_core.annotation.uncertainty.novelty import NOVEL_FROM
from scanvi_core.config import LOW_CONFIDENCE

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]

NOVEL_EVERY = 3  # each third card is the most novel one
NOVEL_CELLS = 6  # more cells make a cluster no more worth a look
SIZE_POWER = 0.25
NEW_TYPE_CELLS = 20  # that a type nobody named is taken to have


def cards(
    clusters: Clusters,
    probabilities: Floats,
    novelty: Floats,
    reviewable: npt.NDArray[np.bool_],
    *,
    known: npt.NDArray[np.integer[Any]],
    broader: npt.NDArray[np.bool_] | None = None,
    n_asked: int = 0,
    max_items: int | None = None,
) -> list[ReviewGroup]:
    """Return a card per cluster with a doubtful or novel cell, in the order of their worth.

    Parameters
    ----------
    clusters
        Those of all cells.
    probabilities
        Calibrated probabilities [n, K]; rows of NaN are left out.
    novelty
        How unlike all labeled cells each cell is [n], 0 to 1; NaN where unknown.
    reviewable
        Cells [n] that wait for a name.
    known
        Label codes [n], below 0 where there is none.
    broader
        Which types are part of each broader one [nodes, K]; None: there is none.
    n_asked
        Cards shown before, which decides which of these is the most novel one.
    """
    usable = reviewable & np.isfinite(probabilities).all(axis=1) & (clusters.codes >= 0)
    rows = np.flatnonzero(usable)
    novelty = np.nan_to_num(novelty)
    doubt = 1.0 - chance_right(probabilities, novelty)
    groups = [own for own in clusters.groups(rows) if (doubt[own] > 1.0 - LOW_CONFIDENCE).any()]
    if not groups:
        return []
    worth, strange = _worth(groups, probabilities, (novelty, doubt), known)
    places = _interleaved(worth, strange, [len(own) for own in groups], n_asked)[:max_items]
    return [_card(groups[place], clusters, probabilities, novelty, broader) for place in places]


def faded(novelty: Floats, before: Floats, now: Floats, explained: Floats) -> Floats:
    """Return novelty [n] as far as decisions have not yet explained the cells.

    It fades by the share of a cell's probabilities [n, K] that is elsewhere `now` than `before`,
    and by how near cells were named since (`Clusters.nearness`, [n]): where a name is what the
    model had said, no probability moves.
    """
    moved = 0.5 * np.abs(now - before).sum(axis=1)
    return np.asarray(novelty * (1.0 - moved) * (1.0 - explained))


def _worth(
    groups: list[Rows],
    p: Floats,
    signs: tuple[Floats, Floats],
    known: npt.NDArray[np.integer[Any]],
) -> tuple[Floats, Floats]:
    """Return the worth and the mean novelty of each group; `signs` are novelty and doubt [n]."""
    novelty, doubt = signs
    n_types = p.shape[1]
    counts = np.bincount(known[(known >= 0) & (known < n_types)], minlength=n_types)
    guess = np.where(np.isfinite(p).all(axis=1), np.nan_to_num(p).argmax(axis=1), 0)
    guessed = np.bincount(guess, minlength=n_types)
    of_type = 1.0 / np.sqrt(guessed + 1.0)  # macro-F1 counts types, not cells
    worth, strange = np.empty(len(groups)), np.empty(len(groups))
    for i, own in enumerate(groups):
        new = novelty[own]
        few = np.where(counts[guess[own]] < FEW_LABELS, 2.0, 1.0)
        weight = np.where(new > NOVEL_FROM, NEW_TYPE_CELLS**-0.5, of_type[guess[own]])
        worth[i] = doubt[own].mean() * len(own) ** SIZE_POWER * few.mean() * weight.mean()
        strange[i] = new.mean()
    return worth, strange


def _interleaved(worth: Floats, strange: Floats, sizes: list[int], n_asked: int) -> list[int]:
    """Return the groups in order: novel ones first, each third the most novel of what is left."""
    novel = strange > NOVEL_FROM
    best = list(np.lexsort((-worth, ~novel)))
    odd = list(np.argsort(-strange * np.minimum(sizes, NOVEL_CELLS) ** SIZE_POWER, kind="stable"))
    order, taken = list[int](), set[int]()
    while len(order) < len(worth):
        third = (n_asked + len(order)) % NOVEL_EVERY == NOVEL_EVERY - 1
        queue = odd if third else best
        while queue[0] in taken:
            queue.pop(0)
        place = int(queue.pop(0))
        taken.add(place)
        order.append(place)
    return order


def _card(
    group: Rows,
    clusters: Clusters,
    p: Floats,
    novelty: Floats,
    broader: npt.NDArray[np.bool_] | None,
) -> ReviewGroup:
    """Return the middle of those cells of a cluster that the model calls the same, as a card."""
    said = p[group].argmax(axis=1)
    same = group[said == np.bincount(said).argmax()]
    own = same if same.size >= LEAST_CELLS else group
    if broader is not None:
        own = _settled_broadly(group, own, p, broader)
    gain = float((1.0 - p[own].max(axis=1)).sum())
    why = asked(p[group].max(axis=1), novelty[group])
    return replace(describe(clusters.middle(own), p), gain=gain, n_alike=len(own), asked=why)


def _settled_broadly(group: Rows, own: Rows, p: Floats, broader: npt.NDArray[np.bool_]) -> Rows:
    """Return the cells of a broader type that is sure, where these are more than its `own` card.

    Where the type of the card's own cells is sure, these are asked about: that says more.
    """
    if p[own].mean(axis=0).max() >= LOW_CONFIDENCE:
        return own
    said = p[group].argmax(axis=1)
    for types in sorted(broader, key=np.count_nonzero):  # the narrowest that settles more
        wider = group[types[said]]
        if wider.size > own.size and p[np.ix_(wider, types)].sum(axis=1).mean() >= LOW_CONFIDENCE:
            return wider
    return own
