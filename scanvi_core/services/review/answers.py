"""The reviewer's answers to a card: steps of the label log."""

import numpy as np

from scanvi_core import keys
from scanvi_core.errors import InputError
from scanvi_core.project.label_log import events
from scanvi_core.services.labels import edit
from scanvi_core.services.review.decision_count import REVIEW
from scanvi_core.services.review.queue import ReviewItem
from scanvi_core.services.workspace import Workspace


def n_open_cells(opened: Workspace, item: ReviewItem) -> int:
    """Return how many cells of a card have no label yet."""
    return int(np.count_nonzero(opened.labels().codes[item.rows] < 0))


def last_step(opened: Workspace) -> str:
    """Say in words what an undo would take back; empty when there is nothing."""
    event = edit.undoable(opened)
    return "" if event is None else events.describe(event)


def accept(opened: Workspace, item: ReviewItem, seen: int | None = None) -> None:
    """Take the first suggestion for the card's cells.

    Parameters
    ----------
    seen
        The last step of the labels (`LabelState.seq`) the reader was shown.

    Raises
    ------
    StaleEdit
        If somebody changed cells of the card since `seen`; both versions are in it.
    """
    name, store = item.candidates[0].name, opened.store
    if is_answered(opened, item, name):
        return
    _refuse_stale(opened, item, name, seen)
    store.append(events.accept(item.rows, name, reason=REVIEW, model=item.run_id, card=item.kind))


def choose(opened: Workspace, item: ReviewItem, name: str, seen: int | None = None) -> None:
    """Give the card's open cells another name; see `accept`.

    Cells the user labeled before keep theirs.
    """
    if is_answered(opened, item, name):
        return
    _refuse_stale(opened, item, name, seen)
    labels = opened.labels()
    rows = item.rows[labels.codes[item.rows] < 0]
    if not rows.size:
        raise InputError("These cells have a label already.", "Undo it first.")
    event = events.assign(rows, name, reason=REVIEW, model=item.run_id, card=item.kind)
    opened.store.append(event, labels.seq)


def choose_part(
    opened: Workspace, item: ReviewItem, rows: np.ndarray, seen: int | None = None
) -> None:
    """Give these cells of the card's part of the data the name that is offered first.

    The step says whose offer it was.
    """
    offer = item.candidates[0]
    if is_answered(opened, item, offer.name):
        return
    _refuse_stale(opened, item, offer.name, seen)
    opened.store.append(events.assign(rows, offer.name, reason=offer.whose), seen)


def unknown(opened: Workspace, item: ReviewItem, seen: int | None = None) -> None:
    """Say that these cells cannot be named; they stay out of training as labels."""
    choose(opened, item, keys.UNKNOWN, seen)


def is_answered(opened: Workspace, item: ReviewItem, name: str) -> bool:
    """Tell whether all cells of a card have this name already, as after a key pressed twice."""
    state = opened.labels()
    return {state.names[code] if code >= 0 else "" for code in state.codes[item.rows]} == {name}


def _refuse_stale(opened: Workspace, item: ReviewItem, name: str, seen: int | None) -> None:
    if seen is not None:
        opened.store.refuse_stale(events.assign(item.rows, name), seen)
