"""The sentence for a step that is not taken back alone, since later ones build on it."""

from scanvi_core.errors import StepInUse
from scanvi_core.plurals import count
from scanvi_core.project.label_log.events import Event, describe
from scanvi_core.project.label_log.replay.row_sets import Rows


def step_in_use(seq: int, steps: list[Event], rows: Rows) -> StepInUse:
    """Return why step `seq` stays: the later `steps`, latest first, and the cells they share."""
    cells = f" in {count(len(rows), 'cell')}" if len(rows) else ""
    named = "; ".join(f"step {step.seq} ({describe(step)})" for step in steps[:3])
    more = f" and {len(steps) - 3} more" if len(steps) > 3 else ""
    return StepInUse(
        f"Step {seq} cannot be taken back alone: later steps build on it{cells}: {named}{more}.",
        "Undo those first, or go back to before this step.",
        steps,
        rows,
    )
