"""The cells one model is scored on, and why there are none where labels were set aside."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scanvi_core import keys
from scanvi_core.project.runs import Run
from scanvi_core.services.runs import frozen_run, results
from scanvi_core.services.workspace import Workspace


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The cells one model is scored on: label hidden from it, type known to it, counts there.

    Attributes
    ----------
    rows, truth, prediction, confidence
        Position, true type, predicted type and confidence of each [n].
    broad_rows, broad_truth
        Position and code of cells of which only a broader type is known: a code of `run`'s tree.
    unseen_types
        Cells of the types that the model was never shown, by name.
    n_empty
        Held-out cells without counts, which have no prediction.
    """

    run: Run
    names: tuple[str, ...]
    rows: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray
    broad_rows: np.ndarray
    broad_truth: np.ndarray
    unseen_types: Counter[str]
    n_empty: int

    @cached_property
    def right(self) -> np.ndarray:
        """Whether each prediction is the true type [n]."""
        return np.asarray(self.prediction == self.truth)


def held_out(opened: Workspace, run_id: str) -> HeldOut:
    """Return the cells a run is scored on; its labels are those it was trained with."""
    return opened.cache.get(("held out", run_id), lambda: _held_out(opened, run_id))


def _held_out(opened: Workspace, run_id: str) -> HeldOut:
    predictions = results.load(opened, run_id)
    run = Run.open(opened.project, run_id)
    seq = run.settings.labels_seq
    truth, rows = frozen_run.holdout_truth(opened, predictions.names, predictions.holdout, seq)
    state = opened.store.labels(seq)
    predicted = predictions.prediction[rows] >= 0
    n_types = len(predictions.names)
    codes = {name: n_types + at for at, name in enumerate(run.settings.tree.nodes)}
    words = np.array(state.names, dtype=object)[state.codes[rows]]
    broad = np.array(
        [-1 if t >= 0 else codes.get(w, -1) for t, w in zip(truth, words, strict=True)]
    )
    unknown = words[(truth < 0) & (broad < 0)]
    unseen_types = Counter(str(name) for name in unknown if name != keys.UNKNOWN)
    n_empty = int((((truth >= 0) | (broad >= 0)) & ~predicted).sum())
    usable, is_broad = (truth >= 0) & predicted, (broad >= 0) & predicted
    broad_rows, rows = rows[is_broad], rows[usable]
    return HeldOut(
        run,
        predictions.names,
        rows,
        truth[usable],
        predictions.prediction[rows],
        predictions.confidence[rows],
        broad_rows,
        broad[is_broad],
        unseen_types,
        n_empty,
    )


def nothing_scored(opened: Workspace, run: Run) -> str:
    """Say why a model has no score, without the end of the sentence."""
    cells = held_out(opened, run.id)
    n = sum(cells.unseen_types.values())
    if not n + cells.n_empty:
        broad = cells.broad_rows.size
        return "All labels set aside are of broader types" if broad else "No labels were set aside"
    why = []
    if n:
        why.append(f"of types that the model was never shown ({', '.join(cells.unseen_types)})")
    if cells.n_empty:
        why.append("of cells without counts")
    aside = (
        "The one label set aside is"
        if n + cells.n_empty == 1
        else (f"The {n + cells.n_empty:,} labels set aside are all")
    )
    return f"{aside} {' or '.join(why)}"
