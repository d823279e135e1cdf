"""The review queue: cards, groups of similar cells that wait for a name."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scanvi_core import config
from scanvi_core.annotation.review.asked import Asked
from scanvi_core.annotation.review.doubt_groups import (
    N_CANDIDATES,
    ReviewGroup,
    describe,
    random_checks,
    review_queue,
)
from scanvi_core.annotation.review.grouping import is_splittable, split_group
from scanvi_core.annotation.uncertainty.hierarchy import back_off
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.errors import InputError
from scanvi_core.services.diagnostics import measured_batches, uncertainty
from scanvi_core.services.opinions import candidates, proposals
from scanvi_core.services.opinions.kept import revision
from scanvi_core.services.review import first_cards
from scanvi_core.services.review.progress import ReviewProgress, doubts, progress
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.runs.review_cards import suggested
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import TypeTree

SUGGESTED, RANDOM, CHECK = "suggested", "random", "check"
REASONS = {reason.label: reason for reason in (Reason.NOVEL, Reason.TECHNICAL)}
KINDS = (SUGGESTED, *REASONS, RANDOM, CHECK)
CHECK_SEED = 1
MOST_CHECKS = 400  # of cells drawn from all, to be looked at one by one


@dataclass(frozen=True)
class Candidate:
    """A type the cells may be, with the model's mean probability.

    Before there is a model `probability` is a share of the labels nearby; or of the cells, where
    an opinion says so: `whose` then.
    """

    name: str
    probability: float
    whose: str = ""


@dataclass(frozen=True)
class ReviewItem:
    """One card of the queue: similar cells that wait for a name.

    `run_id` and `seq` say which predictions made it: those of a run, or (seq > 0) the provisional
    ones after that label event; before there is a model, `run_id` is empty. It stays as it is,
    whatever is predicted later. `kind` is one of `KINDS`; `asked` says why it is among those that
    are suggested. `drawn` is the cell that a random check is about, alone or with cells like it.
    `n_alike` are the cells it speaks for, and `gain` how many of them may be wrong now. `path`
    says which part of which part of a card it is, where a mixed one was split.
    """

    key: str
    rows: np.ndarray
    candidates: tuple[Candidate, ...]
    confidence: float
    run_id: str
    seq: int
    kind: str = SUGGESTED
    drawn: int = -1
    n_alike: int = 0
    gain: float = 0.0
    asked: Asked | None = None
    path: tuple[int, ...] = ()

    @property
    def token(self) -> str:
        """A short name by which `card` finds it again."""
        names = (self.run_id, self.seq, self.kind, self.key, *self.path)
        return ".".join(map(str, names))

    @property
    def can_split(self) -> bool:
        """Whether it has cells enough for two cards, and a model to tell them apart."""
        return bool(self.run_id) and is_splittable(self.rows)

    @property
    def is_provisional(self) -> bool:
        """Whether provisional predictions made it."""
        return bool(self.run_id and self.seq)


def _cards(opened: Workspace, run_id: str, seq: int, kind: str) -> tuple[ReviewItem, ...]:
    """Return the cards of a kind: of a run (seq 0) or of provisional predictions still there."""
    above = () if seq else tuple(opened.labels().parents.items())
    cache, key = opened.cache, ("cards", run_id, seq, kind, above)
    if not run_id:
        begun = kind == SUGGESTED and first_cards.progress(opened) is not None
        told = (*key, revision(opened))
        return cache.get(told, lambda: _first_cards(opened, seq)) if begun else ()
    made = provisional.state(opened).newest if seq else None
    if seq and (made is None or made.moment != (run_id, seq)):
        return cache.peek(key) or ()
    return cache.get(key, lambda: _made_cards(opened, run_id, made, kind))


def _first_cards(opened: Workspace, seq: int) -> tuple[ReviewItem, ...]:
    """Return the cards before there is a model: what opinions say first, then names nearby."""
    groups, names = first_cards.groups(opened), opened.labels().names
    items = [_item(group, names, "", seq, SUGGESTED) for group in groups]
    offers = proposals.of_groups(opened, [group.rows for group in groups])
    return tuple(
        replace(item, candidates=_offered(own, item.candidates))
        for item, own in zip(items, offers, strict=True)
    )


def _offered(
    offers: tuple[candidates.Offer, ...], nearby: tuple[Candidate, ...]
) -> tuple[Candidate, ...]:
    """Return each type once, the first who says it named."""
    said = [Candidate(offer.name, offer.share, offer.whose) for offer in offers]
    once = {own.name: own for own in reversed([*said, *nearby])}
    return tuple(reversed(once.values()))[:N_CANDIDATES]


def _made_cards(
    opened: Workspace, run_id: str, made: provisional.Provisional | None, kind: str
) -> tuple[ReviewItem, ...]:
    if made is not None:
        groups, names = made.groups, made.predictions.names
    else:
        predictions = results.load(opened, run_id)
        groups = _groups(opened, predictions, kind)
        names = predictions.names
    return tuple(_item(group, names, run_id, made.seq if made else 0, kind) for group in groups)


def _groups(opened: Workspace, predictions: results.Results, kind: str) -> tuple[ReviewGroup, ...]:
    y, open_ = predictions.run.array("y"), _open_cells(predictions)
    z1, p = predictions.run.array(results.Z1), predictions.probabilities
    if kind == RANDOM:
        return tuple(
            random_checks(z1, p, open_ & (predictions.confidence >= config.LOW_CONFIDENCE))
        )
    if kind == CHECK:
        drawn = open_ & to_check(opened, predictions)
        return tuple(random_checks(z1, p, drawn, n=MOST_CHECKS, around=1, seed=CHECK_SEED))
    if kind == SUGGESTED:
        tree = TypeTree(predictions.names, opened.labels().parents)
        return suggested(predictions.run, (p, p), open_, y, tree.members)[0]
    found = uncertainty.reasons(opened)
    if found is None or found.run_id != predictions.run_id:
        return ()
    open_ = open_ & (found.reason == REASONS[kind])
    return tuple(review_queue(z1, p, open_, known=y, threshold=np.inf))


def to_check(opened: Workspace, predictions: results.Results) -> np.ndarray:
    """Return the cells [n_obs] to draw random checks from: all, or those nobody measured.

    Where held-out cells tell of some batches only, the others are what is to be known.
    """
    found = measured_batches.gap(opened, predictions.run)
    return np.ones(predictions.prediction.size, bool) if found is None else found.cells


def _open_cells(predictions: results.Results) -> np.ndarray:
    """Return the cells [n_obs] that had no label when a model was trained, and can be named."""
    no_label = predictions.run.array("y") < 0
    return np.asarray(no_label & ~predictions.holdout & (predictions.prediction >= 0))


def _item(
    group: ReviewGroup, names: tuple[str, ...], run_id: str, seq: int, kind: str
) -> ReviewItem:
    candidates = tuple(Candidate(names[code], p) for code, p in group.candidates)
    return ReviewItem(
        group.key, group.rows, candidates, group.confidence, run_id, seq, kind, group.drawn,
        group.n_alike, group.gain, group.asked,
    )  # fmt: skip


def card(opened: Workspace, token: str) -> ReviewItem | None:
    """Return a card by its token, None when its predictions are gone (after a restart).

    So is a card from before the first model once there is one.
    """
    run_id, seq, kind, key, *path = token.split(".")
    if not run_id and opened.current_run() is not None:
        return None
    cards = _cards(opened, run_id, int(seq), kind)
    item = next((item for item in cards if item.key == key), None)
    for place in path:
        item = parts(opened, item)[int(place)] if item is not None else None
    return item


def parts(opened: Workspace, item: ReviewItem) -> tuple[ReviewItem, ...]:
    """Return the two to four cards a mixed one falls into, the largest first.

    Only itself when it `can_split` no more.
    """
    if not item.can_split:
        return (item,)
    key = ("parts of a card", item.token)
    return opened.cache.get(key, lambda: _parts(opened, item.token))


def _parts(opened: Workspace, token: str) -> tuple[ReviewItem, ...]:
    item = card(opened, token)
    if item is None:
        raise InputError("This group is gone.", "Reload the page.")
    predictions = _predictions(opened, item)
    rows = split_group(item.rows, predictions.run.array(results.Z1))
    groups = [describe(np.sort(part), predictions.probabilities) for part in rows]
    return tuple(
        replace(
            _item(group, predictions.names, item.run_id, item.seq, item.kind),
            key=item.key,
            drawn=item.drawn if item.drawn in group.rows else -1,
            asked=item.asked,
            path=(*item.path, place),
        )
        for place, group in enumerate(groups)
    )


def _predictions(opened: Workspace, item: ReviewItem) -> results.Results:
    """Return the predictions that a card of a model is of."""
    made = provisional.state(opened).newest if item.seq else None
    return results.load(opened, item.run_id) if made is None else made.predictions


def broad(opened: Workspace, item: ReviewItem) -> Candidate | None:
    """Return the deepest broader type that is sure of a card; None if a type is, or nothing.

    What types stand under is asked of the labels of now.
    """
    parents = opened.labels().parents
    if not parents:
        return None
    predictions = _predictions(opened, item)
    tree = TypeTree(predictions.names, parents)
    mean = np.nanmean(predictions.probabilities[item.rows], axis=0)
    said = back_off(mean[None], tree, config.LOW_CONFIDENCE)
    code = int(said.code[0])
    if code < len(tree.leaves):
        return None
    return Candidate(tree.code_names[code], float(said.confidence[0]))


@dataclass(frozen=True)
class ReviewState:
    """The review at one moment: labels and predictions are read once for all that is asked.

    Attributes
    ----------
    run_id
        The model in use, None before the first training.
    named
        Cells that have a label [n_obs].
    made
        The provisional predictions, and whether newer ones are on their way.
    """

    opened: Workspace
    run_id: str | None
    named: np.ndarray
    made: provisional.ProvisionalState

    @cached_property
    def queue(self) -> tuple[ReviewItem, ...]:
        """The cards of the newest predictions that are ready, in order, decided ones included.

        After a decision these are provisional ones, a moment later.
        """
        newest = self.made.newest
        seq = newest.seq if newest else 0 if self.run_id else self.opened.labels().seq
        return _cards(self.opened, self.run_id or "", seq, SUGGESTED)

    def cards(self, kind: str) -> tuple[ReviewItem, ...]:
        """Return the cards of a kind, in order; none while their reasons are not known."""
        if kind == SUGGESTED:
            return self.queue
        if self.run_id is None:
            return ()
        if kind in REASONS and uncertainty.reasons(self.opened) is None:
            return ()  # not kept: they may be known a moment later
        return _cards(self.opened, self.run_id, 0, kind)

    def n_open(self, kind: str) -> int:
        """Return how many cards of a kind wait; 0 while their reasons are not known."""
        return sum(not self.is_decided(item) for item in self.cards(kind))

    def is_decided(self, item: ReviewItem) -> bool:
        """Tell whether every cell of the card has a label."""
        return bool(self.named[item.rows].all())

    def next_card(self, seen: Iterable[ReviewItem], kind: str = SUGGESTED) -> ReviewItem | None:
        """Return the first open card that does not ask again about cells of cards seen before."""
        if kind in (RANDOM, CHECK):  # every draw counts, whatever it is near to
            tokens = {item.token for item in seen}
            checks = (c for c in self.cards(kind) if c.token not in tokens)
            return next((c for c in checks if not self.named[c.drawn]), None)
        known = np.zeros(self.named.size, dtype=bool)
        for item in seen:
            known[item.rows] = True
        for item in self.cards(kind):
            again = 2 * np.count_nonzero(known[item.rows]) > item.rows.size
            if not again and not self.is_decided(item):
                return item
        return None

    @cached_property
    def progress(self) -> ReviewProgress:
        """What is done and what is left."""
        if self.run_id is None:
            return ReviewProgress(0, 0, 0, 0)
        found = uncertainty.reasons(self.opened)
        model = results.load(self.opened, self.run_id)
        reason, n_groups = doubts(model, found), self.n_open(SUGGESTED)
        job = uncertainty.latest(self.opened)
        is_looking = found is None and job is not None and not job.status.final
        beside = _open_cells(model) & self.named & (reason == Reason.OK)
        return progress(
            reason, self.named, self.made.newest, n_groups, is_known=found is not None,
            is_looking=is_looking, n_beside=int(np.count_nonzero(beside)),
        )  # fmt: skip


def review_state(opened: Workspace) -> ReviewState:
    """Return the review as it is now."""
    run, made = opened.current_run(), provisional.state(opened)
    named = opened.labels().codes >= 0
    return ReviewState(opened, None if run is None else run.id, named, made)


def queue(opened: Workspace) -> tuple[ReviewItem, ...]:
    """Return the cards as they are now, see `ReviewState.queue`."""
    return review_state(opened).queue
