"""A simulated review in progress, and the orders in which it may be asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from scanvi_core.annotation.decisions.refit import Known, refit
from scanvi_core.annotation.review.card_clusters import Clusters, make_clusters
from scanvi_core.annotation.review.card_order import cards, faded
from scanvi_core.annotation.review.doubt_groups import ReviewGroup, random_checks, review_queue
from scanvi_core.annotation.uncertainty.novelty import find_novel
from scanvi_core.config import LOW_CONFIDENCE

CHECK_EVERY = 10


@dataclass
class Review:
    """A review in progress: what is known, what the model says, what the oracle knows.

    Parameters
    ----------
    types, aside
        True codes and the cells set aside [n].
    start, p_start, z
        Labels [n] of the model (-1: none), what it says [n, K] and z1 [n, d].
    components
        Principal components of the cells [n, d].
    decision
        Which decision named each cell [n], -1 for none.
    """

    types: np.ndarray
    aside: np.ndarray
    start: np.ndarray
    p_start: np.ndarray
    z: np.ndarray
    components: np.ndarray
    random: np.random.Generator
    y: np.ndarray = field(init=False)
    p: np.ndarray = field(init=False)
    decision: np.ndarray = field(init=False)
    n_asked: int = 0

    def __post_init__(self) -> None:
        self.y, self.p = self.start.copy(), self.p_start
        self.decision = np.full(self.start.size, -1)

    @property
    def open(self) -> np.ndarray:
        """Cells that may be shown [n]."""
        return np.asarray((self.y < 0) & ~self.aside)

    def learn(self) -> None:
        """Refit the predictions to the labels as they are."""
        self.p = self.refitted(self.y)

    def refitted(self, y: np.ndarray) -> np.ndarray:
        """Return probabilities [n, K] for the labels `y` [n]."""
        (old, before), (new, now) = (known(codes, self.p.shape[1]) for codes in (self.start, y))
        p = np.zeros_like(self.p_start)
        p[:, new] = refit(self.z, self.p_start[:, old], before, now)
        return p

    def macro_f1(self, p: np.ndarray) -> float:
        """Return the macro-F1 on the cells set aside."""
        from sklearn.metrics import f1_score

        truth, said = self.types[self.aside], p[self.aside].argmax(axis=1)
        return float(f1_score(truth, said, labels=np.unique(truth), average="macro"))


def known(y: np.ndarray, n_types: int) -> tuple[np.ndarray, Known]:
    """Return the codes that have a label, and the labels [n] counted among these."""
    names = np.unique(y[y >= 0])
    places = np.full(n_types + 1, -1)
    places[names] = np.arange(names.size)
    return names, Known(places[y], tuple(map(str, names)))


def ours(review: Review) -> Iterator[np.ndarray]:
    """Give the first card of the queue, each tenth time a random check, as the page does."""
    clusters = make_clusters(review.z, lambda rows: review.components[rows])
    n_types = review.p_start.shape[1]
    found = find_novel(review.components, review.start, n_types, np.random.default_rng(0))
    sure = review.open & (review.p_start.max(axis=1) >= LOW_CONFIDENCE)
    checks = [group.rows for group in random_checks(review.z, review.p_start, sure)]
    while True:
        rows = np.empty(0, dtype=np.int64)
        if review.n_asked % CHECK_EVERY == CHECK_EVERY - 1 and checks:
            rows = checks.pop(0)
        if not review.open[rows].any():
            rows = first_card(review, clusters, found.score)
        yield rows[review.open[rows]]


def first_card(review: Review, clusters: Clusters, novelty: np.ndarray) -> np.ndarray:
    """Return the cells the queue asks about next; where it asks nothing more, a doubtful group."""
    near = clusters.nearness((review.y >= 0) & (review.start < 0))
    asked = cards(
        clusters, review.p, faded(novelty, review.p_start, review.p, near), review.open,
        known=review.y, n_asked=review.n_asked, max_items=1,
    )  # fmt: skip
    return asked[0].rows if asked else least_sure(review)


def all_groups(review: Review) -> list[ReviewGroup]:
    """Return all open cells in groups made like those of the queue."""
    return review_queue(review.z, review.p, review.open, threshold=np.inf)


def least_sure(review: Review) -> np.ndarray:
    """Return the group of the lowest mean confidence."""
    return min(all_groups(review), key=lambda group: group.confidence).rows


def least_sure_groups(review: Review) -> Iterator[np.ndarray]:
    """Give the group of the lowest mean confidence."""
    while True:
        yield least_sure(review)


def least_sure_cells(review: Review) -> Iterator[np.ndarray]:
    """Give the cell of the lowest confidence."""
    while True:
        rows = np.flatnonzero(review.open)
        yield rows[[review.p[rows].max(axis=1).argmin()]]


def random_groups(review: Review) -> Iterator[np.ndarray]:
    """Give the groups of the start in random order."""
    groups = all_groups(review)
    for at in review.random.permutation(len(groups)):
        yield groups[at].rows


def random_cells(review: Review) -> Iterator[np.ndarray]:
    """Give cells in random order."""
    for row in review.random.permutation(np.flatnonzero(review.open)):
        yield np.array([row])


Way = Callable[[Review], Iterator[np.ndarray]]
WAYS: dict[str, Way] = {
    "our queue": ours,
    "least confidence, groups": least_sure_groups,
    "least confidence, single cells": least_sure_cells,
    "random order, groups": random_groups,
    "random order, single cells": random_cells,
}
OURS, RANDOM = "our queue", "random order, groups"
