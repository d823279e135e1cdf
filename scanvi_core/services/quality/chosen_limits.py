"""What the user chose about poor cells, and how a project remembers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scanvi_core.services.workspace import Workspace

SETTING = "quality"  # in the project's settings


@dataclass(frozen=True)
class Limit:
    """What the user chose for one number: a limit for all batches, and some batches' own."""

    every: float | None = None
    own: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """All that the user chose; what is not chosen is as suggested.

    Attributes
    ----------
    limits
        By the name of the number.
    leave_out
        Whether flagged cells stay out of training.
    """

    limits: Mapping[str, Limit] = field(default_factory=dict)
    leave_out: bool = False

    def with_limit(self, measure: str, value: float, batch: str | None = None) -> "Choice":
        """Return the choice with a limit for one batch, or (None) for all of them alike."""
        before = self.limits.get(measure, Limit())
        own = replace(before, own={**before.own, batch: value}) if batch is not None else None
        return replace(self, limits={**self.limits, measure: own or Limit(every=value)})

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        limits = {
            name: {"every": limit.every, "own": dict(limit.own)}
            for name, limit in sorted(self.limits.items())
        }
        return {"limits": limits, "leave_out": self.leave_out}

    @property
    def key(self) -> str:
        """A text that is the same for the same choice."""
        return json.dumps(self.as_dict(), sort_keys=True)


def saved(opened: Workspace, batch_key: str | None) -> Choice:
    """Return what was chosen for the project; limits of single batches hold for their column."""
    chosen = opened.project.settings.get(SETTING) or {}
    same = chosen.get("batch_key") == batch_key
    limits = {
        name: Limit(limit["every"], limit["own"] if same else {})
        for name, limit in chosen.get("limits", {}).items()
        if limit["every"] is not None or same
    }
    return Choice(limits, bool(chosen.get("leave_out")))


def save(opened: Workspace, choice: Choice) -> None:
    """Put limits in force for the project's batches, and record them.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    opened.project.update_settings(
        **{SETTING: {"batch_key": opened.batch_key, **choice.as_dict()}}
    )
