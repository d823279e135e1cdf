"""Edits that are not made: somebody was there before, or later steps build on them."""

from scanvi_core.errors import ProjectError
from scanvi_core.plurals import count
from scanvi_core.project.label_log.events import Event, describe
from scanvi_core.project.label_log.replay.row_sets import Rows


class StaleEdit(ProjectError):
    """Somebody else changed the same cells since this edit was begun.

    Attributes
    ----------
    theirs, yours
        Both versions in words.
    """

    def __init__(self, theirs: str, yours: str) -> None:
        super().__init__(
            f"Meanwhile: {theirs}. Your edit was not saved: {yours}.",
            "Look at the cells again, then repeat your edit or leave theirs.",
        )
        self.theirs = theirs
        self.yours = yours


class StepInUse(ProjectError):
    """A step cannot be taken back alone, since later ones build on it.

    Attributes
    ----------
    steps
        The later events, the latest first.
    rows
        The cells they share with it; empty where they meet in a label only.
    """

    def __init__(self, seq: int, steps: list[Event], rows: Rows) -> None:
        cells = f" in {count(len(rows), 'cell')}" if len(rows) else ""
        named = "; ".join(f"step {step.seq} ({describe(step)})" for step in steps[:3])
        more = f" and {len(steps) - 3} more" if len(steps) > 3 else ""
        super().__init__(
            f"Step {seq} cannot be taken back alone: later steps build on it{cells}: "
            f"{named}{more}.",
            "Undo those first, or go back to before this step.",
        )
        self.steps = steps
        self.rows = rows
