"""An update of the model: what it changed, and keeping it or going back to the model before."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.errors import InputError
from scanvi_core.services.runs import model_list, results
from scanvi_core.services.workspace import Workspace

KEPT = "kept_run"  # setting of a project: the run the user said to keep


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
        project.update_settings(**{"current_run": chosen.run_id, KEPT: chosen.run_id})


def _before(opened: Workspace) -> results.Results | None:
    """Return the results to compare with: those kept last, else those of the run before."""
    current = results.current(opened)
    kept_id = opened.project.settings.get(KEPT)
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
