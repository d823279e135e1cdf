"""The labels set aside before training, so that the score is honest."""

from dataclasses import dataclass

import numpy as np

from scanvi_core import config
from scanvi_core.errors import LabelsUnusable, SettingInvalid
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.replay.state import ACCEPTED
from scanvi_core.services.workspace import Workspace

# GROUP leaves whole donors out altogether; HIDDEN hides their labels and keeps their counts.
CELLS, GROUP, HIDDEN, NONE = "cells", "group", "hidden", "none"
MIN_TYPE = 10  # smaller types keep all their labels for training
CAP = 200  # cells of one type
NO_NAME = "missing"  # cells without a donor, as `Workspace.batches` calls them


@dataclass(frozen=True)
class HoldoutRequest:
    """Which labels to set aside.

    Attributes
    ----------
    how
        ``cells`` (a share of each type), ``hidden`` (the labels of some donors; their counts stay
        among the unlabeled cells), ``group`` (some donors leave altogether) or ``none``.
    fraction
        Share of the labeled cells of each type, for ``cells``.
    column, values
        The obs column and its values that are set aside, for ``hidden`` and ``group``.
    """

    how: str = CELLS
    fraction: float = config.HOLDOUT_FRACTION
    column: str = ""
    values: tuple[str, ...] = ()
    seed: int = 0


def set_aside(opened: Workspace, request: HoldoutRequest) -> int:
    """Choose the hold-out anew; return its number of cells.

    Raises
    ------
    SettingInvalid
        If donors were to be set aside, but none was named.
    LabelsUnusable
        If fewer than two types would keep a visible label, or none would be set aside.
    """
    codes = opened.labels().codes
    choose = {CELLS: _cells, HIDDEN: _group, GROUP: _group, NONE: _none}[request.how]
    rows = choose(opened, codes, request)
    left = np.delete(codes, rows)
    if rows.size and np.unique(left[left >= 0]).size < config.MIN_LABELS:
        raise LabelsUnusable(
            "Fewer than two types would keep a label.", "Set fewer cells or donors aside."
        )
    opened.store.append(events.holdout(rows, how=request.how, seed=request.seed))
    opened.project.update_settings(
        holdout={"how": request.how, "column": request.column, "values": list(request.values)}
    )
    return int(rows.size)


def how_now(opened: Workspace, at: int | None = None) -> str:
    """Return the way the hold-out was chosen; undo brings the earlier way back.

    `at` asks for the way it was after that event.
    """
    ways: dict[int, str] = {}
    in_effect: set[int] = set()
    for event in opened.store.events():
        if at is not None and event.seq > at:
            break
        if event.kind == "holdout":
            ways[event.seq] = event.payload["how"]
            in_effect.add(event.seq)
        elif event.kind == "undo":
            in_effect.discard(event.payload["step"])
        elif event.kind == "redo" and event.payload["step"] in ways:
            in_effect.add(event.payload["step"])
    return ways[max(in_effect)] if in_effect else NONE


def _cells(opened: Workspace, codes: np.ndarray, request: HoldoutRequest) -> np.ndarray:
    """Return a share of each type with enough cells; accepted predictions are no truth."""
    codes = np.where(opened.labels().sources == ACCEPTED, -1, codes)
    rng = np.random.default_rng(request.seed)
    chosen = [np.empty(0, dtype=np.int64)]
    for code in np.unique(codes[codes >= 0]):
        rows = np.flatnonzero(codes == code)
        if rows.size >= MIN_TYPE:
            n = min(CAP, round(request.fraction * rows.size), rows.size - MIN_TYPE // 2)
            chosen.append(rng.choice(rows, n, replace=False))
    return np.sort(np.concatenate(chosen))


def _group(opened: Workspace, codes: np.ndarray, request: HoldoutRequest) -> np.ndarray:
    """Return all cells of the chosen donors."""
    if not request.values:
        raise SettingInvalid("No donor was chosen.", "Choose the donors to set aside.")
    values = opened.dataset.values(request.column).astype("string").fillna(NO_NAME)
    rows = np.flatnonzero(values.isin(request.values).to_numpy(dtype=bool))
    if not (codes[rows] >= 0).any():
        raise LabelsUnusable(
            f"No cell of {', '.join(request.values)} has a label, so there is nothing to score.",
            "Choose donors with labeled cells.",
        )
    return rows


def _none(_opened: Workspace, _codes: np.ndarray, _request: HoldoutRequest) -> np.ndarray:
    return np.empty(0, dtype=np.int64)
