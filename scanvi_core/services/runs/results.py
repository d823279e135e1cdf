"""What a training run leaves behind, and reading it again."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scanvi_core import keys
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.project.label_log.replay.state import LabelState
from scanvi_core.project.runs import DONE, RUNNING, Run
from scanvi_core.services.workspace import Workspace

Z1, Z2 = "z1", "z2"
TRUTH = "truth"  # true types of the cells held out from a run, -1 elsewhere
OUT_OF_FOLD = "out_of_fold"  # what the linear models say of labeled cells they were not shown
MAPS = {Z1: "umap_z1", Z2: "umap_z2"}


@dataclass(frozen=True)
class Results:
    """The predictions of one run for all cells.

    Attributes
    ----------
    probabilities
        Calibrated, float32 [n_obs, n_labels]; NaN rows for cells without counts.
    prediction
        int [n_obs], column of the likeliest type, -1 for cells without counts.
    confidence, margin, entropy
        float32 [n_obs].
    second
        int [n_obs], column of the second likeliest type.
    """

    run: Run
    names: tuple[str, ...]
    probabilities: np.ndarray
    prediction: np.ndarray
    second: np.ndarray
    confidence: np.ndarray
    margin: np.ndarray
    entropy: np.ndarray
    holdout: np.ndarray
    summary: dict[str, Any]

    @property
    def is_calibrated(self) -> bool:
        """Whether there were labeled cells enough to see what confidence is worth."""
        return bool(self.summary["temperature"] != 1.0)

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.id


def holdout_scores(run: Run, probabilities: np.ndarray) -> dict[str, Any] | None:
    """Score predictions [n_obs, K] on the labels held out from a run; None when there are none."""
    from scanvi_core.annotation.model.prediction import summarize
    from scanvi_core.metrics.classification import score

    truth = run.array(TRUTH)
    rows = np.flatnonzero(truth >= 0)
    truth, reading = truth[rows], summarize(probabilities[rows])
    usable = reading.label >= 0
    if not usable.any():
        return None
    names = run.settings.label_names
    scores = score(truth[usable], reading.label[usable], names, reading.confidence[usable])
    return {
        "n": scores.n,
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "ece": scores.ece,
    }


def without_nan(value: Any) -> Any:
    """Return plain values with None for NaN, which JSON for others to read does not have."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    return None if isinstance(value, float) and np.isnan(value) else value


def load(opened: Workspace, run_id: str) -> Results:
    """Return the results of a run; arrays stay memory-mapped where they are big."""
    return opened.cache.get(("results", run_id), lambda: _load(opened, run_id))


def _load(opened: Workspace, run_id: str) -> Results:
    run = Run.open(opened.project, run_id)
    return Results(
        run=run,
        names=run.settings.label_names,
        holdout=np.asarray(run.array("holdout")),
        summary=run.summary,
        **readings(run.array("probabilities")),
    )


def readings(probabilities: np.ndarray) -> dict[str, Any]:
    """Return `probabilities` [n_obs, n_labels] and what is read from them, as `Results` has it."""
    from scanvi_core.annotation.model.prediction import summarize

    reading = summarize(probabilities)
    return {
        "probabilities": probabilities,
        "prediction": reading.label,
        "second": reading.second,
        "confidence": reading.confidence,
        "margin": reading.margin,
        "entropy": reading.entropy,
    }


def current(opened: Workspace) -> Results | None:
    """Return the results the pages show, None before the first training."""
    run = opened.current_run()
    return None if run is None else load(opened, run.id)


def labels_then(opened: Workspace, run: Run) -> LabelState:
    """Return the labels as they were when a run was begun."""
    seq = run.settings.labels_seq
    return opened.cache.get(("labels of run", run.id), lambda: opened.store.labels(seq))


def previous(opened: Workspace) -> Results | None:
    """Return the results of the model that was in use when the current one was begun, if any."""
    run = opened.current_run()
    if run is None:
        return None
    earlier = run.settings.taught_by or _finished_before(opened, run)
    return load(opened, earlier) if earlier else None


def _finished_before(opened: Workspace, run: Run) -> str | None:
    """Return the id of the run before, as runs of version 0.1.0 do not say which was in use."""
    done = [item.id for item in finished_runs(opened)]
    place = done.index(run.id)
    return done[place - 1] if place else None


def finished_runs(opened: Workspace) -> list[Run]:
    """Return the finished runs in the order they were trained."""
    return [run for run in Run.list(opened.project) if run.status.status == DONE]


def first_and_later(opened: Workspace, run: Run) -> tuple[Run, list[Run]]:
    """Return the run that began anew and the updates after it up to a run, in their order."""
    known, later = {own.id: own for own in finished_runs(opened)}, list[Run]()
    while run.settings.warm_from in known:
        later.append(run)
        run = known.pop(run.settings.warm_from)
    return run, later[::-1]


def preview_names(opened: Workspace) -> tuple[str, ...]:
    """Return the types of the run in training, for its preview."""
    from scanvi_core.services.runs.inputs import inputs_of

    started = Run.list(opened.project)
    if started and started[-1].status.status == RUNNING:
        return started[-1].settings.label_names
    return inputs_of(opened).label_names


def changed_labels(opened: Workspace) -> int:
    """Return how many cells carry another label now than when the current model was trained."""
    from scanvi_core.services.runs.inputs import inputs_of

    run = opened.current_run()
    if run is None:
        return 0
    inputs = inputs_of(opened)
    key = ("changed", run.id, inputs.seq, inputs.code_names)
    return opened.cache.get(key, lambda: _count_changed(run, inputs))


def _count_changed(run: Run, inputs: Inputs) -> int:
    """Return the cells whose name differs, by comparing codes: names of all cells are slow."""
    numbers = {"": -1}  # a type and its group of one share a name
    before, now = (
        np.array([*(numbers.setdefault(name, len(numbers)) for name in names), -1])
        for names in (run.settings.code_names, inputs.code_names)
    )
    return int(np.count_nonzero(before[run.array("y")] != now[inputs.y]))


def final_labels(opened: Workspace, *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the final label and where it came from, for every cell.

    The user's labels come first and are never replaced; cells without one get the prediction
    when its confidence reaches `threshold`.

    Returns
    -------
    labels, sources
        object [n_obs] of names ('' where there is none) and of the words in `scanvi_core.keys`.
    """
    state = opened.labels()
    labels = np.array([*state.names, ""], dtype=object)[state.codes]
    words = np.array([keys.UNLABELED, keys.GIVEN, keys.MANUAL, keys.ACCEPTED], dtype=object)
    sources = words[state.sources]
    predictions = current(opened)
    if predictions is not None:
        open_ = filled(state, predictions, threshold)
        labels[open_] = np.array(predictions.names, dtype=object)[predictions.prediction[open_]]
        sources[open_] = keys.PREDICTED
    return labels, sources


def filled(state: LabelState, predictions: Results, threshold: float) -> np.ndarray:
    """Return the cells [n_obs] without a label that a prediction is sure enough to fill."""
    return (
        (state.codes < 0) & (predictions.prediction >= 0) & (predictions.confidence >= threshold)
    )
