"""Which step of the log named each cell: in a group that is evidence, the rest is certain."""

from dataclasses import dataclass

import numpy as np

from scanvi_core.project.label_log.events import Event
from scanvi_core.project.label_log.replay.state import GIVEN
from scanvi_core.services.workspace import Workspace

CERTAIN, BROUGHT = -1, -2
NAMES_CELLS = ("assign", "accept", "split", "combine")
CHANGES_CELLS = (*NAMES_CELLS, "clear")


@dataclass(frozen=True)
class Namings:
    """Who named each cell.

    Attributes
    ----------
    step
        int32 [n_obs], the step of the log that gave the label; `CERTAIN` for cells without one and
        for labels that came with the file.
    in_group
        bool [n_obs], whether that step named other cells, too.
    """

    step: np.ndarray
    in_group: np.ndarray


def namings(opened: Workspace, at: int) -> Namings:
    """Return which step of the log named each cell, as of event `at`."""
    return opened.cache.get(("namings", at), lambda: _read(opened, at))


def decisions(opened: Workspace, at: int) -> np.ndarray:
    """Return the step that named the group of each cell, int32 [n_obs], as of event `at`.

    `CERTAIN` for cells without a label and for those named one by one: who did looked at the cell.
    `BROUGHT` for labels that came with the file: nobody knows how they came about.
    """
    named = namings(opened, at)
    steps = np.where(named.in_group, named.step, CERTAIN)
    return np.where(opened.store.labels(at).sources == GIVEN, BROUGHT, steps)


def _read(opened: Workspace, at: int) -> Namings:
    n = opened.dataset.n_obs
    named = Namings(np.full(n, CERTAIN, dtype=np.int32), np.zeros(n, dtype=bool))
    for event in opened.store.events():
        if event.seq > at:
            break
        if event.kind == "import":
            named.step[:] = CERTAIN
        elif event.kind in CHANGES_CELLS and not event.undone:
            _mark(named, opened.store.event(event.seq))
    named.step[opened.store.labels(at).codes < 0] = CERTAIN
    return named


def _mark(named: Namings, event: Event) -> None:
    rows = np.empty(0, dtype=np.int64) if event.rows is None else event.rows
    named.step[rows] = event.seq if event.kind in NAMES_CELLS else CERTAIN
    named.in_group[rows] = len(rows) > 1
