"""How many decisions of the review the model in use has learned, and how many came since."""

from dataclasses import dataclass

from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

REVIEW = "review"  # the reason that steps of the review have in the log


@dataclass(frozen=True)
class DecisionCount:
    """Decisions that stand, before and after the training of the model with this number."""

    model: int
    learned: int
    since: int

    @property
    def sentence(self) -> str:
        """The count in words, so that it does not begin anew without one."""
        if self.since:
            return f"{count(self.since, 'decision')} since model {self.model}"
        if self.learned:
            return f"Model {self.model} has learned your {count(self.learned, 'decision')}"
        return "No decision yet"


def decision_count(opened: Workspace) -> DecisionCount:
    """Return how many decisions stand; all are open before the first model."""
    run, seq = opened.current_run(), opened.labels().seq
    key = ("decision count", "" if run is None else run.id, seq)
    return opened.cache.get(key, lambda: _decision_count(opened))


def _decision_count(opened: Workspace) -> DecisionCount:
    run = opened.current_run()
    number, trained = (0, 0) if run is None else (run.summary["number"], run.settings.labels_seq)
    steps = [
        event.seq for event in opened.store.events()
        if event.payload.get("reason") == REVIEW and not event.undone
    ]  # fmt: skip
    learned = sum(step <= trained for step in steps)
    return DecisionCount(int(number), learned, len(steps) - learned)
