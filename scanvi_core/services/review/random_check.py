"""How right a model is on cells without a label, told by a person who names some at random.

It needs no labels set aside, so it is what remains where nobody brought any. The cells are drawn
evenly from all that had no label when the model was trained; where held-out cells tell of some
batches only, from those of the others. Their order is fixed before the first is named; so their
share is an unbiased look at all of them. Only names given on their cards count: who names a region
has not looked at each of its cells, and who accepts predictions asks the model about itself.
"""

from dataclasses import dataclass

import numpy as np

from scanvi_core import keys
from scanvi_core.metrics.intervals import Interval, exact_interval
from scanvi_core.project.label_log.events import Event
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.diagnostics.measured_batches import named
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.review.decision_count import REVIEW
from scanvi_core.services.review.queue import CHECK, ReviewState, to_check
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

N_CHECKS = 40  # a share of .9 is then known to within about .1


@dataclass(frozen=True)
class RandomCheck:
    """What the cells that were drawn and named say of a model.

    Attributes
    ----------
    n_checked, n_right
        Cells that were named, and those of them that the model had named so.
    n_open
        Cells the model has named and that had no label when it was trained, without those that
        were named otherwise since.
    n_left
        Cells that were drawn and have no name yet.
    batches
        The batches they are of, where held-out cells tell of the others.
    """

    n_checked: int
    n_right: int
    n_open: int
    n_left: int = 0
    batches: tuple[str, ...] = ()

    @property
    def of(self) -> str:
        """Return `` of donor_2``, to stand behind the cells that are drawn; empty for all."""
        return f" of {named(self.batches)}" if self.batches else ""

    @property
    def interval(self) -> Interval:
        """Exact 95 % interval of the share of these cells that are right."""
        return exact_interval(self.n_right, self.n_checked)

    @property
    def n_missing(self) -> int:
        """Cells still to be named until the share is known well enough."""
        return min(max(0, N_CHECKS - self.n_checked), self.n_left)

    @property
    def sentence(self) -> str:
        """Say what is known; empty before a cell was named."""
        if not self.n_checked:
            return ""
        low, high = self.interval
        drawn = f"{count(self.n_checked, 'cell')}{self.of}"
        return (
            f"The model was right about {self.n_right} of {drawn} "
            f"drawn at random: between {percent(low)} and {percent(high)} of the {self.n_open:,} "
            f"cells{self.of} without a label are right (95 % interval)."
        )


def random_check(review: ReviewState) -> RandomCheck | None:
    """Return what is known of the model in use; None without one."""
    if review.run_id is None:
        return None
    predictions = results.load(review.opened, review.run_id)
    open_ = (predictions.run.array("y") < 0) & ~predictions.holdout
    open_ = open_ & to_check(review.opened, predictions)
    open_ = open_ & (~review.named | shown(review, CHECK))
    right = outcomes(review, CHECK)
    n_open = int(np.count_nonzero(open_ & (predictions.prediction >= 0)))
    n_left = sum(not review.named[card.drawn] for card in review.cards(CHECK))
    gap = measured_batches.gap(review.opened, predictions.run)
    return RandomCheck(len(right), sum(right), n_open, n_left, () if gap is None else gap.missing)


def outcomes(review: ReviewState, kind: str) -> list[bool]:
    """Return whether the model was right about each cell that `checked` returns."""
    return list(map(bool, checked(review, kind)[1]))


def checked(review: ReviewState, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the drawn cells that were named, in their order, and if the model was right of each.

    They count up to the first that has no name yet: which of them count does not depend on what
    they turned out to be, so that their share is unbiased. They begin anew with every model,
    which has learned the old ones. Cells called "unknown" are left out, and so are those that were
    named otherwise before their turn.
    """
    predictions, state = results.load(review.opened, str(review.run_id)), review.opened.labels()
    on_card, rows, right = shown(review, kind), list[int](), list[bool]()
    for check in review.cards(kind):
        if not review.named[check.drawn]:
            break
        name = state.names[state.codes[check.drawn]]
        if name != keys.UNKNOWN and on_card[check.drawn]:
            rows.append(check.drawn)
            right.append(
                name in state.tree.above(predictions.names[predictions.prediction[check.drawn]])
            )
    return np.array(rows, dtype=np.int64), np.array(right, dtype=bool)


def shown(review: ReviewState, kind: str) -> np.ndarray:
    """Return which cells [n_obs] were named on a card of this kind since the model was trained."""
    opened, run_id, seq = review.opened, str(review.run_id), review.opened.labels().seq
    return opened.cache.get(
        ("shown", run_id, kind, seq), lambda: _shown(opened, run_id, kind, seq)
    )


def _shown(opened: Workspace, run_id: str, kind: str, seq: int) -> np.ndarray:
    cells = np.zeros(opened.dataset.n_obs, dtype=bool)
    since = results.load(opened, run_id).run.settings.labels_seq
    for event in opened.store.events():
        if event.kind == "import" and event.seq <= seq:
            cells[:] = False
        elif since < event.seq <= seq and not event.undone and _card(event, kind) == kind:
            rows = opened.store.event(event.seq).rows
            cells[np.empty(0, dtype=np.int64) if rows is None else rows] = True
    return cells


def _card(event: Event, kind: str) -> str:
    """Return the kind of card that a step answered; earlier versions wrote that it was one."""
    unsaid = kind if event.payload.get("reason") == REVIEW else ""
    return str(event.payload.get("card", unsaid))
