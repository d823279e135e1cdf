"""Which model is in use: a new one, unless it is worse; what it changed; and going back."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.errors import InputError
from scanvi_core.project.runs import Run
from scanvi_core.services.opinions import prediction
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.runs.train_request import AWAITED
from scanvi_core.services.workspace import Workspace

# Settings of a project
KEPT_RUN = "kept_run"  # the run the user said to keep
OFFERED = "offered_run"  # a newer run that is worse than the one in use, until the user decides


@dataclass(frozen=True)
class Update:
    """What came with the current model since the one that was kept.

    Attributes
    ----------
    before, now
        The earlier results and those of now.
    changed
        Cells that changed their predicted type: columns ``before``, ``now``, ``cells``.
    rows
        Positions of these cells.
    comparison
        Both models on the cells held out from both, in words; empty without such cells.
    """

    before: results.Results
    now: results.Results
    changed: pd.DataFrame
    rows: np.ndarray
    comparison: str


@dataclass(frozen=True)
class Offer:
    """A newer model that is not in use, as it is right less often beyond chance.

    `number` and `in_use` are the models' numbers; `comparison` says by how much it is worse.
    """

    number: int
    in_use: int
    comparison: str


def take_up(opened: Workspace, run: Run) -> None:
    """Put a finished run in use; one that is worse than the model in use is only offered.

    Opinions have their say in its probabilities first.

    Worse: right less often on the cells held out from both, with all of the 95 % interval below
    zero. Without such cells nothing is known, and the new model is put in use.
    """
    _heed_opinions(opened, run)
    current = opened.current_run()
    compared = None if current is None else model_list.compare(opened, run.id, current.id)
    if compared is not None and compared.is_worse:
        opened.project.update_settings(**{OFFERED: run.id, AWAITED: None})
    else:
        opened.project.update_settings(current_run=run.id, **{OFFERED: None, AWAITED: None})


def _heed_opinions(opened: Workspace, run: Run) -> None:
    said = prediction.pool_into(opened, run)
    if said:
        scores = results.holdout_scores(run, run.array("probabilities"))
        summary = run.summary
        run.write_summary(summary | {"notes": [*summary["notes"], said], "holdout": scores})


def offered(opened: Workspace) -> Offer | None:
    """Return the newer model that was not put in use, None when there is none to decide on."""
    run_id, current = opened.project.settings.get(OFFERED), opened.current_run()
    if run_id is None or current is None or current.id == run_id:
        return None
    compared = model_list.compare(opened, run_id, current.id)
    if compared is None:  # other cells are held out by now
        return None
    number = int(results.load(opened, run_id).summary["number"])
    in_use = int(current.summary["number"])
    return Offer(number, in_use, compared.sentence(number, in_use))


def take_offered(opened: Workspace) -> None:
    """Put the model that was only offered in use; `go_back` returns to the one of now."""
    run_id, current = opened.project.settings.get(OFFERED), opened.current_run()
    if run_id is not None and current is not None:
        opened.project.update_settings(current_run=run_id, **{KEPT_RUN: current.id, OFFERED: None})


def leave_offered(opened: Workspace) -> None:
    """Stay with the model in use, and ask no more."""
    opened.project.update_settings(**{OFFERED: None})


def latest(opened: Workspace) -> Update | None:
    """Return what the last update brought, None when it was kept or there is no earlier model."""
    now, before = results.current(opened), _before(opened)
    if now is None or before is None:
        return None
    cache, key = opened.cache, ("changes", before.run_id, now.run_id)
    compared = model_list.compare(opened, now.run_id, before.run_id)
    numbers = now.summary["number"], before.summary["number"]
    sentence = "" if compared is None else compared.sentence(*numbers)
    return Update(before, now, *cache.get(key, lambda: _changes(before, now)), sentence)


def keep(opened: Workspace) -> None:
    """Stay with the current model: later updates are compared with it."""
    _settle(opened, results.current(opened))


def go_back(opened: Workspace) -> None:
    """Make the model before the update the current one again; all labels stay.

    Raises
    ------
    InputError
        If there is no earlier model.
    """
    before = _before(opened)
    if before is None:
        raise InputError("There is no earlier model to go back to.", "Train again instead.")
    _settle(opened, before)


def _settle(opened: Workspace, chosen: results.Results | None) -> None:
    if chosen is not None:
        project = opened.project
        project.update_settings(**{"current_run": chosen.run_id, KEPT_RUN: chosen.run_id})


def _before(opened: Workspace) -> results.Results | None:
    """Return the results to compare with: those kept last, else those of the run before."""
    current = results.current(opened)
    kept_id = opened.project.settings.get(KEPT_RUN)
    if kept_id is None:
        return results.previous(opened)
    if current is None or current.run_id == kept_id:
        return None
    return results.load(opened, kept_id)


def _changes(before: results.Results, now: results.Results) -> tuple[pd.DataFrame, np.ndarray]:
    names_before, names_now = (np.array([*pairs_seen.names, ""]) for pairs_seen in (before, now))
    pairs = before.prediction * len(names_now) + now.prediction  # -1 in both: without counts
    pairs_seen, which, cells = np.unique(
        pairs[now.prediction >= 0], return_inverse=True, return_counts=True
    )
    old, new = np.divmod(pairs_seen, len(names_now))
    differs = names_before[old] != names_now[new]
    table = pd.DataFrame({"before": names_before[old], "now": names_now[new], "cells": cells})
    table = table[differs].sort_values("cells", ascending=False, kind="stable", ignore_index=True)
    return table, np.flatnonzero(now.prediction >= 0)[differs[which]]
