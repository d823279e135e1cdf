"""All models of a project: what was changed from one to the next, and what it brought."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.metrics.intervals import Interval, paired_difference
from scanvi_core.project.label_log.replay.state import GIVEN, MANUAL, LabelState
from scanvi_core.project.runs import Run
from scanvi_core.services.formatting import hundredths, percent, points, signed_range
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

LABELS = {
    field.name: field.metadata["label"]
    for config in (ModelConfig, TrainConfig)
    for field in fields(config)
    if "label" in field.metadata
}


@dataclass(frozen=True)
class Comparison:
    """How much more often one model is right than another, on `n` cells neither was shown."""

    n: int
    difference: float
    interval: Interval

    @property
    def is_worse(self) -> bool:
        """Whether the first is right less often, beyond chance."""
        return self.interval[1] < 0

    def sentence(self, number: int, other: int) -> str:
        """Say it in words, by the models' numbers."""
        cells = f"the {self.n:,} cells held out from both"
        if not self.difference:
            return f"On {cells}, model {number} is right as often as model {other}."
        luck = ", which may be luck" if self.interval[0] <= 0 <= self.interval[1] else ""
        return (
            f"On {cells}, model {number} is right {points(self.difference)} "
            f"{'more' if self.difference > 0 else 'less'} often than model {other} "
            f"(95 % interval {signed_range(self.interval)}{luck})."
        )


@dataclass(frozen=True)
class ModelList:
    """All finished models, the newest first.

    `current` is the number of the one in use, `others` the numbers of the rest, the nearest
    before it first, with their runs.
    """

    table: pd.DataFrame
    current: tuple[int, str]
    others: dict[int, str]

    def comparison(self, opened: Workspace, other: int) -> str:
        """Compare the current model with another, in words."""
        number, run_id = self.current
        compared = compare(opened, run_id, self.others[other])
        if compared is None:
            return (
                f"No cell was held out from both model {number} and model {other}, so they "
                "cannot be compared fairly."
            )
        return compared.sentence(number, other)


def models(opened: Workspace) -> ModelList:
    """List the models of a project that has one, with what changed from each to the next.

    Scores of models with different hold-outs cannot be compared; `ModelList.comparison` can.
    """
    done = results.finished_runs(opened)
    current = opened.current_run()
    current_id = current.id if current else ""
    key = ("models", tuple(run.id for run in done), current_id)
    return opened.cache.get(key, lambda: _models(done, current_id))


def _models(runs: list[Run], current_id: str) -> ModelList:
    rows = [_row(run, runs[i - 1] if i else None) for i, run in enumerate(runs)]
    numbers = {int(run.summary["number"]): run.id for run in reversed(runs)}
    current = next((int(run.summary["number"]), run.id) for run in runs if run.id == current_id)
    others = {number: run_id for number, run_id in numbers.items() if run_id != current_id}
    return ModelList(pd.DataFrame(rows[::-1]), current, others)


def _row(run: Run, before: Run | None) -> dict[str, str]:
    summary = run.summary
    score = summary["holdout"]
    return {
        "model": f"Model {summary['number']}",
        "trained": f"{run.created:%d %b, %H:%M}",
        "labeled cells": f"{summary['n_labeled']:,}",
        "held out": f"{score['n']:,}" if score else "none",
        "right": percent(score["accuracy"]) if score else "",
        "mean F1": f"{hundredths(score['macro_f1']):.2f}"
        if score and score["macro_f1"] is not None
        else "",
        "what changed": "; ".join(differences(before, run)) if before else "",
    }


def differences(before: Run, run: Run) -> list[str]:
    """Return what is different in `run`, in words: settings, labels, types, hold-out."""
    was, now = _flat(before), _flat(run)
    sentences = (
        [f"trained on from model {before.summary['number']}"]
        if run.settings.warm_from == before.id
        else []
    )
    sentences += [
        f"{LABELS.get(name, name)}: {_shown(was[name])} → {_shown(now[name])}"
        for name in now
        if name in was and was[name] != now[name]
    ]
    sentences += _label_differences(before, run)
    if (run.array("holdout") != before.array("holdout")).any():
        sentences.append("other cells set aside")
    return sentences or ["nothing"]


def _label_differences(before: Run, run: Run) -> list[str]:
    was, now = (
        np.array([*item.settings.code_names, ""], dtype=object)[item.array("y")]
        for item in (before, run)
    )
    types, earlier = (set(item.settings.label_names) for item in (run, before))
    changed = int((was != now).sum())
    sentences = [f"{changed:,} labels changed"] if changed else []
    sentences += [f"new type {name}" for name in sorted(types - earlier)]
    return sentences + [f"without type {name}" for name in sorted(earlier - types)]


def compare(opened: Workspace, run_id: str, other_id: str) -> Comparison | None:
    """Compare two models on the cells that were held out from both; None when there are none."""
    return opened.cache.get(
        ("compare", run_id, other_id), lambda: _compare(opened, run_id, other_id)
    )


def _compare(opened: Workspace, run_id: str, other_id: str) -> Comparison | None:
    run, other = (Run.open(opened.project, i) for i in (run_id, other_id))
    aside = np.asarray(run.array("holdout")) & np.asarray(other.array("holdout"))
    state = opened.store.labels(max(item.settings.labels_seq for item in (run, other)))
    rows = np.flatnonzero(aside & np.isin(state.sources, (GIVEN, MANUAL)))
    if not rows.size:
        return None
    right = [is_right(opened, item, state, rows) for item in (run, other)]
    difference, interval = paired_difference(*right)
    return Comparison(int(rows.size), difference, interval)


def is_right(opened: Workspace, run: Run, state: LabelState, rows: np.ndarray) -> np.ndarray:
    """Return whether a model calls cells what `state` does, or by a type below that, bool [m]."""
    return state.within[_predicted_codes(opened, run, rows), state.codes[rows]]


def _predicted_codes(opened: Workspace, run: Run, rows: np.ndarray) -> np.ndarray:
    """Return predicted label codes, which a rename between two models does not change."""
    from scanvi_core.annotation.model.prediction import summarize

    state = results.labels_then(opened, run)
    code_of = dict(zip(state.active, state.active_codes, strict=True))
    codes = np.array([*(code_of.get(name, -1) for name in run.settings.label_names), -1])
    return np.asarray(codes[summarize(run.array("probabilities")[rows]).label])


def _flat(run: Run) -> dict[str, Any]:
    settings = run.settings
    return {
        **asdict(settings.model), **asdict(settings.train), "batch column": settings.batch_key,
    }  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "not set" if value is None else str(value)
