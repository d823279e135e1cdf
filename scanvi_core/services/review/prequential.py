"""What decisions taught: how often models were right on what was decided after their training.

Each decision is foretold by the newest model that had not learned it, and counted before any model
does: the prequential principle (Dawid 1984, doi:10.2307/2981683). No label has to be set aside.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.project.runs import Run
from scanvi_core.services.formatting import count, percent
from scanvi_core.services.labels.decisions import namings
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.workspace import Workspace

RECENT = 10  # decisions that one point of the curve is the mean of


@dataclass(frozen=True)
class Taught:
    """The models of a project against the decisions that came after them.

    Attributes
    ----------
    curve
        One row per decision, in order: ``decision`` from 1, ``right`` (share of its cells that
        the newest earlier model named so), ``recent`` (mean of the last ten), ``model``.
    updates
        One sentence per later model that was followed by decisions.
    """

    curve: pd.DataFrame
    updates: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The curve in words."""
        right = self.curve["right"]
        said = (
            f"You decided {count(len(right), 'time')} since the first model. "
            f"It was right beforehand for {percent(right.mean())} of the cells of a decision"
        )
        if len(right) < 2 * RECENT:
            return f"{said}."
        first, last = (percent(part.mean()) for part in (right[:RECENT], right[-RECENT:]))
        return f"{said}: {first} in the first {RECENT} decisions, {last} in the last {RECENT}."


def taught(opened: Workspace) -> Taught | None:
    """Return what decisions taught; None before the first decision that a model could foretell."""
    runs = sorted(results.finished_runs(opened), key=lambda run: run.settings.labels_seq)
    key = ("taught", opened.labels().seq, tuple(run.id for run in runs))
    return opened.cache.get(key, lambda: _taught(opened, runs))


def _taught(opened: Workspace, runs: list[Run]) -> Taught | None:
    if not runs:
        return None
    state = opened.labels()
    step = namings(opened, state.seq).step
    rows = np.flatnonzero(step > runs[0].settings.labels_seq)
    names = np.array(state.names, dtype=object)
    rows = rows[names[state.codes[rows]] != keys.UNKNOWN] if rows.size else rows
    if not rows.size:
        return None
    steps, which = np.unique(step[rows], return_inverse=True)
    right = np.stack([_right(opened, run, rows, which) for run in runs])
    learned = np.array([run.settings.labels_seq for run in runs])
    asked = np.searchsorted(learned, steps) - 1  # the newest that had not learned the decision
    numbers = [int(run.summary["number"]) for run in runs]
    curve = pd.DataFrame({
        "decision": np.arange(1, len(steps) + 1),
        "right": right[asked, np.arange(len(steps))],
        "model": np.array(numbers)[asked],
    })  # fmt: skip
    curve["recent"] = curve["right"].rolling(RECENT, min_periods=1).mean()
    updates = [
        _update(numbers[i - 1 : i + 1], right[i - 1 : i + 1, steps > learned[i]])
        for i in range(1, len(runs))
        if (steps > learned[i]).any()
    ]
    return Taught(curve, tuple(updates))


def _right(opened: Workspace, run: Run, rows: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Return for each decision the share of its cells that a model calls what they are now.

    Where somebody said a broader type, any type below it is that.
    """
    same = model_list.is_right(opened, run, opened.labels(), rows)
    return np.bincount(which, same) / np.bincount(which)


def _update(numbers: list[int], right: np.ndarray) -> str:
    """Compare a model with the one before on the decisions after both, in words."""
    before, now = (percent(share) for share in right.mean(axis=1))
    return (
        f"In the {count(right.shape[1], 'decision')} after model {numbers[1]}, it was right "
        f"for {now} of the cells, model {numbers[0]} for {before}."
    )
