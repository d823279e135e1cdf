"""Types that the opinions of a project offer for groups of cells; each is only an offer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanvi_core.services.opinions.kept import kept, meant, types_of
from scanvi_core.services.workspace import Workspace

LEAST = 1 / 3  # share below which a type is not offered


@dataclass(frozen=True)
class Offer:
    """A type that some cells of a group may be.

    Attributes
    ----------
    name
        Of the type.
    share
        Of the cells of the group for which it is said, each counting as much as the opinion is
        sure of it.
    whose
        Who says so.
    """

    name: str
    share: float
    whose: str


def of_groups(opened: Workspace, groups: Sequence[np.ndarray]) -> list[tuple[Offer, ...]]:
    """Return what the opinions say of each group of cells (rows), the most frequent first."""
    told = [(own, types_of(own)) for own in kept(opened)]
    heard = [(own.name, own.scores, meant(own, names), names) for own, names in told]
    answers = []
    for rows in groups:
        offers = [
            Offer(names[code], share, whose)
            for whose, scores, codes, names in heard
            for code, share in _shares(codes[rows], scores[rows])
        ]
        answers.append(tuple(sorted(offers, key=lambda offer: -offer.share)))
    return answers


def cells_said(opened: Workspace, name: str) -> np.ndarray:
    """Return the cells [n_obs] that some opinion says are of a type."""
    said = np.zeros(opened.dataset.n_obs, dtype=bool)
    for own in kept(opened):
        said |= meant(own, [name]) == 0
    return said


def _shares(codes: np.ndarray, scores: np.ndarray) -> list[tuple[int, float]]:
    said = codes >= 0
    sure = np.where(np.isnan(scores), 1.0, scores)  # where it does not say how sure it is
    shares = np.bincount(codes[said], sure[said]) / max(1, codes.size)
    return [(int(code), float(shares[code])) for code in np.flatnonzero(shares >= LEAST)]
