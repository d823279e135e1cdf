"""What is counted above the cards of a review: cells in doubt, each in one number only."""

from dataclasses import dataclass, field

import numpy as np

from scanvi_core import config
from scanvi_core.annotation.review.asked import chance_right
from scanvi_core.annotation.uncertainty.reasons import REASON_NAMES, Reason
from scanvi_core.services.diagnostics.uncertainty import Uncertainty
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.runs.provisional import Provisional
from scanvi_core.services.runs.results import Results


@dataclass(frozen=True)
class ReviewProgress:
    """How far the review of a model's doubtful cells is.

    Attributes
    ----------
    n_cells
        Cells in doubt when the model was trained: without a label, and with a `Reason` for doubt.
    n_named, n_clear
        Of these, cells that have a label by now, and others that decisions made clear.
    n_groups
        Open cards that are suggested.
    reasons
        The cells in doubt by reason, by name; they add up to `n_cells`.
    is_known
        Whether novel and technical cells were looked for; else ambiguous ones alone are counted.
    is_looking
        Whether they are being looked for.
    n_beside
        Cells that were in no doubt and have a label since the training.
    """

    n_cells: int
    n_named: int
    n_clear: int
    n_groups: int
    reasons: dict[str, int] = field(default_factory=dict)
    is_known: bool = True
    is_looking: bool = False
    n_beside: int = 0

    @property
    def n_left(self) -> int:
        """Cells that are still in doubt and have no label."""
        return self.n_cells - self.n_named - self.n_clear

    @property
    def fraction(self) -> float:
        """Share of the cells that need nothing more."""
        return (self.n_named + self.n_clear) / max(1, self.n_cells)

    @property
    def sentence(self) -> str:
        """The counts in one line."""
        clear = f", {self.n_clear:,} clear by now" if self.n_clear else ""
        beside = f" (and {self.n_beside:,} beside them)" if self.n_beside else ""
        more = "; looking for more: new types and poor cells" if self.is_looking else ""
        return (
            f"Of {count(self.n_cells, 'cell')} in doubt, {self.n_named:,} named{beside}{clear}, "
            f"{self.n_left:,} left; {count(self.n_groups, 'group')} to decide{more}"
        )

    @property
    def meaning(self) -> str:
        """What each number counts, in lines."""
        kinds = " + ".join(f"{n:,} {name}" for name, n in self.reasons.items())
        novel = "" if self.is_known else " Novel and technical cells were not looked for yet."
        low = percent(config.LOW_CONFIDENCE)
        return (
            f"**In doubt**, {self.n_cells:,}: cells without a label when this model was trained "
            f"that are ambiguous (less than {low} sure), novel (unlike every labeled cell) or "
            f"technical (poor cells); each is counted once: {kinds or 'none'}.{novel}  \n"
            f"**Named**, {self.n_named:,}: of these, cells with a label by now; "
            f"{self.n_beside:,} beside them, on the same cards or elsewhere, were in no doubt.  \n"
            f"**Clear by now**, {self.n_clear:,}: no label, but with your decisions a name is at "
            f"least {low} likely to be right.  \n"
            f"**Left**, {self.n_left:,}: all others in doubt. Named, clear and left add up.  \n"
            f"**Groups to decide**, {self.n_groups:,}: cards on the tab Suggested. A card shows "
            "the middle of a cluster and speaks for more cells than it shows; cells of very "
            "small clusters are on none. Each answer changes what the model says of the rest, so "
            "this number may also grow. The number on another tab counts its own cards, and "
            "falls when all cells of one have a label.  \n"
            "**Decisions**: answers given here, however many cells each names."
        )


def doubts(model: Results, found: Uncertainty | None) -> np.ndarray:
    """Return the reason for doubt [n_obs] of each cell that had no label; OK for all others."""
    if found is not None and found.run_id == model.run_id:
        reason = found.reason
    else:
        unsure = (model.prediction >= 0) & (model.confidence < config.LOW_CONFIDENCE)
        reason = np.where(unsure, Reason.AMBIGUOUS, Reason.OK)
    open_ = (model.run.array("y") < 0) & ~model.holdout
    return np.where(open_, reason, Reason.OK).astype(np.int8)


def progress(
    reason: np.ndarray, named: np.ndarray, made: Provisional | None, n_groups: int,
    *, is_known: bool, is_looking: bool = False, n_beside: int = 0,
) -> ReviewProgress:  # fmt: skip
    """Count the cells in doubt.

    Parameters
    ----------
    reason
        See `doubts`.
    named
        Cells that have a label by now [n_obs].
    made
        What is predicted since the training; None before a decision.
    n_groups, is_known, is_looking, n_beside
        See `ReviewProgress`.
    """
    n_clear, in_doubt = 0, reason != Reason.OK
    if made is not None:  # which makes no poor cell a better one
        rows = np.flatnonzero(in_doubt & ~named & (reason != Reason.TECHNICAL))
        likely = chance_right(made.predictions.probabilities[rows], made.novelty[rows])
        n_clear = int(np.count_nonzero(likely >= config.LOW_CONFIDENCE))
    n = np.bincount(reason, minlength=len(REASON_NAMES))
    kinds = {name: int(n[code]) for code, name in enumerate(REASON_NAMES) if code and n[code]}
    return ReviewProgress(
        int(in_doubt.sum()), int((in_doubt & named).sum()), n_clear, n_groups, kinds, is_known,
        is_looking, n_beside,
    )  # fmt: skip
