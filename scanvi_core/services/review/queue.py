"""The review queue: groups of doubtful cells, and the reviewer's decisions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from scanvi_core import config, keys
from scanvi_core.annotation.review.grouping import is_splittable, split_group
from scanvi_core.annotation.review.queue import ReviewGroup, describe, random_checks, review_queue
from scanvi_core.annotation.uncertainty.reasons import Reason
from scanvi_core.errors import InputError
from scanvi_core.project.label_log import events
from scanvi_core.services.diagnostics import uncertainty
from scanvi_core.services.runs import provisional, results
from scanvi_core.services.workspace import workspace

SUGGESTED, RANDOM = "suggested", "random"
REASONS = {reason.label: reason for reason in (Reason.NOVEL, Reason.TECHNICAL)}
KINDS = (SUGGESTED, *REASONS, RANDOM)


@dataclass(frozen=True)
class Candidate:
    """A type the cells may be, with the model's mean probability."""

    name: str
    probability: float


@dataclass(frozen=True)
class ReviewItem:
    """One card of the queue: similar cells that wait for a name.

    `run_id` and `seq` say which predictions made it: those of a run, or (seq > 0) the provisional
    ones after that label event. It stays as it is, whatever is predicted later. `kind` says why it
    is asked: one of `KINDS`. `drawn` is the cell that a random check is about. `path` says which
    part of which part of a card it is, where a mixed one was split.
    """

    key: str
    rows: np.ndarray
    candidates: tuple[Candidate, ...]
    confidence: float
    run_id: str
    seq: int
    kind: str = SUGGESTED
    drawn: int = -1
    path: tuple[int, ...] = ()

    @property
    def token(self) -> str:
        """A short name by which `card` finds it again."""
        names = (self.run_id, self.seq, self.kind, self.key, *self.path)
        return ".".join(map(str, names))

    @property
    def can_split(self) -> bool:
        """Whether it has cells enough for two cards."""
        return is_splittable(self.rows)


@lru_cache(maxsize=64)
def _cards(project_id: str, run_id: str, seq: int, kind: str) -> tuple[ReviewItem, ...]:
    """Return the cards of a kind: of a run (seq 0) or of provisional predictions still there."""
    if seq:
        made = provisional.state(project_id).found
        if made is None or made.moment != (run_id, seq):
            return ()
        groups, names = made.groups, made.predictions.names
    else:
        found = results.load(project_id, run_id)
        y = found.array(project_id, "y")  # labels as they were when it was trained
        open_ = (y < 0) & ~found.holdout & (found.prediction >= 0)
        groups = _groups(project_id, found, y, open_, kind)
        names = found.names
    return tuple(_item(group, names, run_id, seq, kind) for group in groups)


def _groups(
    project_id: str, found: results.Results, y: np.ndarray, open_: np.ndarray, kind: str
) -> tuple[ReviewGroup, ...]:
    z1, p = found.array(project_id, results.Z1), found.probabilities
    if kind == RANDOM:
        return tuple(random_checks(z1, p, open_ & (found.confidence >= config.LOW_CONFIDENCE)))
    if kind == SUGGESTED:
        return tuple(review_queue(z1, p, open_, known=y))
    doubts = uncertainty.reasons(project_id)
    if doubts is None or doubts.run_id != found.run_id:
        return ()
    open_ = open_ & (doubts.reason == REASONS[kind])
    return tuple(review_queue(z1, p, open_, known=y, threshold=np.inf))


def _item(
    group: ReviewGroup, names: tuple[str, ...], run_id: str, seq: int, kind: str
) -> ReviewItem:
    candidates = tuple(Candidate(names[code], p) for code, p in group.candidates)
    return ReviewItem(
        group.key, group.rows, candidates, group.confidence, run_id, seq, kind, group.drawn
    )


def card(project_id: str, token: str) -> ReviewItem | None:
    """Return a card by its token, None when its predictions are gone (after a restart)."""
    run_id, seq, kind, key, *path = token.split(".")
    cards = _cards(project_id, run_id, int(seq), kind)
    item = next((item for item in cards if item.key == key), None)
    for place in path:
        item = parts(project_id, item)[int(place)] if item is not None else None
    return item


def parts(project_id: str, item: ReviewItem) -> tuple[ReviewItem, ...]:
    """Return the two to four cards a mixed one falls into, the largest first.

    Only itself when it `can_split` no more.
    """
    return _parts(project_id, item.token) if item.can_split else (item,)


@lru_cache(maxsize=256)
def _parts(project_id: str, token: str) -> tuple[ReviewItem, ...]:
    item = card(project_id, token)
    if item is None:
        raise InputError("This group is gone.", "Reload the page.")
    made = provisional.state(project_id).found if item.seq else None
    found = results.load(project_id, item.run_id) if made is None else made.predictions
    rows = split_group(item.rows, found.array(project_id, results.Z1))
    groups = [describe(np.sort(part), found.probabilities) for part in rows]
    return tuple(
        replace(
            _item(group, found.names, item.run_id, item.seq, item.kind),
            key=item.key,
            drawn=item.drawn if item.drawn in group.rows else -1,
            path=(*item.path, place),
        )
        for place, group in enumerate(groups)
    )


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


@dataclass(frozen=True)
class Desk:
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

    project_id: str
    run_id: str | None
    named: np.ndarray
    made: provisional.State

    @cached_property
    def queue(self) -> tuple[ReviewItem, ...]:
        """The cards of the newest predictions that are ready, in order, decided ones included.

        After a decision these are provisional ones, a moment later.
        """
        if self.run_id is None:
            return ()
        found = self.made.found
        return _cards(self.project_id, self.run_id, found.seq if found else 0, SUGGESTED)

    def cards(self, kind: str) -> tuple[ReviewItem, ...]:
        """Return the cards of a kind, in order; none while their reasons are not known."""
        if kind == SUGGESTED or self.run_id is None:
            return self.queue
        if kind in REASONS and uncertainty.reasons(self.project_id) is None:
            return ()  # not kept: they may be known a moment later
        return _cards(self.project_id, self.run_id, 0, kind)

    def n_open(self, kind: str) -> int:
        """Return how many cards of a kind wait; 0 while their reasons are not known."""
        if kind != SUGGESTED and (
            self.run_id is None or uncertainty.reasons(self.project_id) is None
        ):
            return 0
        return sum(not self.is_decided(item) for item in self.cards(kind))

    def is_decided(self, item: ReviewItem) -> bool:
        """Tell whether every cell of the card has a label."""
        return bool(self.named[item.rows].all())

    def next_card(self, seen: Iterable[ReviewItem], kind: str = SUGGESTED) -> ReviewItem | None:
        """Return the first open card that does not ask again about cells of cards seen before."""
        if kind == RANDOM:  # every draw counts, whatever it is near to
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
    def progress(self) -> Progress:
        """What is done and what is left."""
        if self.run_id is None:
            return Progress(0, 0, 0, 0)
        cards = _cards(self.project_id, self.run_id, 0, SUGGESTED)
        rows = np.concatenate([np.empty(0, np.int64), *(item.rows for item in cards)])
        named = self.named[rows]
        clear = np.zeros_like(named)
        if self.made.found is not None:
            confidence = self.made.found.predictions.confidence[rows]
            clear = ~named & (confidence >= config.LOW_CONFIDENCE)
        return Progress(rows.size, int(named.sum()), int(clear.sum()), self.n_open(SUGGESTED))


def desk(project_id: str) -> Desk:
    """Return the review as it is now."""
    opened = workspace(project_id)
    run, made = opened.current_run(), provisional.state(project_id)
    named = opened.labels().codes >= 0
    return Desk(project_id, None if run is None else run.id, named, made)


def queue(project_id: str) -> list[ReviewItem]:
    """Return the cards as they are now, see `Desk.queue`."""
    return list(desk(project_id).queue)


def n_open_cells(project_id: str, item: ReviewItem) -> int:
    """Return how many cells of a card have no label yet."""
    return int(np.count_nonzero(workspace(project_id).labels().codes[item.rows] < 0))


def last_step(project_id: str) -> str:
    """Say in words what an undo would take back; empty when there is nothing."""
    event = workspace(project_id).store.undoable()
    return "" if event is None else events.describe(event)


def accept(project_id: str, item: ReviewItem, seen: int | None = None) -> None:
    """Take the first suggestion for the card's cells.

    Parameters
    ----------
    seen
        The last step of the labels (`LabelState.seq`) the reader was shown.

    Raises
    ------
    StaleEdit
        If somebody changed cells of the card since `seen`; both versions are in it.
    """
    name, store = item.candidates[0].name, workspace(project_id).store
    _refuse_stale(project_id, item, name, seen)
    store.append(events.accept(item.rows, name, reason="review", model=item.run_id))


def choose(project_id: str, item: ReviewItem, name: str, seen: int | None = None) -> None:
    """Give the card's open cells another name; see `accept`.

    Cells the user labelled before keep theirs.
    """
    _refuse_stale(project_id, item, name, seen)
    opened = workspace(project_id)
    labels = opened.labels()
    rows = item.rows[labels.codes[item.rows] < 0]
    if not rows.size:
        raise InputError("These cells have a label already.", "Undo it first.")
    opened.store.append(events.assign(rows, name, reason="review", model=item.run_id), labels.seq)


def unknown(project_id: str, item: ReviewItem, seen: int | None = None) -> None:
    """Say that these cells cannot be named; they stay out of training as labels."""
    choose(project_id, item, keys.UNKNOWN, seen)


def _refuse_stale(project_id: str, item: ReviewItem, name: str, seen: int | None) -> None:
    if seen is not None:
        workspace(project_id).store.refuse_stale(events.assign(item.rows, name), seen)
