"""Which step of the log named each cell in a group: that is evidence, the rest is certain."""

import numpy as np

from scanvi_core.project.label_log.events import Event
from scanvi_core.services.workspace import Workspace

CERTAIN = -1
NAMES_CELLS = ("assign", "accept", "split", "combine")
CHANGES_CELLS = (*NAMES_CELLS, "clear")


def decisions(opened: Workspace, at: int) -> np.ndarray:
    """Return the step that named the group of each cell, int32 [n_obs], as of event `at`.

    `CERTAIN` for cells without a label, for those named one by one, and for labels that came with
    the file: who gave them looked at the cell, or nobody knows how they came about.
    """
    key = ("decisions", at)
    return opened.cache.get(key, lambda: _read(opened, at))


def _read(opened: Workspace, at: int) -> np.ndarray:
    named_by = np.full(opened.dataset.n_obs, CERTAIN, dtype=np.int32)
    for event in opened.store.events():
        if event.seq > at:
            break
        if event.kind == "import":
            named_by[:] = CERTAIN
        elif event.kind in CHANGES_CELLS and not event.undone:
            _mark(named_by, opened.store.event(event.seq))
    named_by[opened.store.labels(at).codes < 0] = CERTAIN
    return named_by


def _mark(named_by: np.ndarray, event: Event) -> None:
    rows = np.empty(0, dtype=np.int64) if event.rows is None else event.rows
    is_group = event.kind in NAMES_CELLS and len(rows) > 1
    named_by[rows] = event.seq if is_group else CERTAIN
