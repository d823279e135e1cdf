"""The word of opinions in the predictions of a run, each by the weight it was shown to deserve.

It is put in once, when the run is finished, from the labels that the run has learned from: those
set aside judge the whole. An opinion that comes later counts from the next training on.
"""

from typing import Any

import numpy as np

from scanvi_core.project.opinions import Opinion
from scanvi_core.project.runs import Run
from scanvi_core.services.opinions.evidence import judged_by, known
from scanvi_core.services.opinions.from_columns import short_name
from scanvi_core.services.opinions.kept import kept
from scanvi_core.services.workspace import Workspace

BLOCK = 100_000  # cells at a time
HEEDED = 0.05  # a weight below says nothing
PROBABILITIES, OUT_OF_FOLD = "probabilities", "out_of_fold"


def pool_into(opened: Workspace, run: Run) -> str:
    """Put what opinions say into the probabilities of a run; say in a sentence whom it heeds.

    Returns
    -------
    str
        Empty where there is no opinion.
    """
    from scanvi_core.annotation.opinions.pooling import learn

    every = kept(opened)
    if not every:
        return ""
    judged = _judged(opened, run)
    if judged is None:
        return "No opinion was heeded: nothing tells how right the model is without it."
    labels, said = _evidence(opened, run, every, judged)
    says = learn(said, [len(one.label_names) for one in every], labels)
    if any(say.weight for say in says):
        _rewrite(run, every, says)
    return _heeded(every, [say.weight for say in says])


def _judged(opened: Workspace, run: Run) -> tuple[Run, np.ndarray] | None:
    """Return the run that the training began from anew, and what it said of cells out of fold."""
    while not run.has_array(OUT_OF_FOLD):
        earlier = run.settings.warm_from
        if earlier is None:
            return None
        run = Run.open(opened.project, earlier)
    return run, np.array(run.array(OUT_OF_FOLD), dtype=np.float64)


def _evidence(
    opened: Workspace, run: Run, every: tuple[Opinion, ...], judged: tuple[Run, np.ndarray]
) -> tuple[Any, list[np.ndarray]]:
    """Return what is known of the cells, and what opinions say of those that can judge them."""
    from scanvi_core.annotation.model.calibration import Calibration
    from scanvi_core.annotation.opinions.pooling import Labels

    names = run.settings.label_names
    seen = known(opened, visible=True, at=run.settings.labels_seq)
    truth = seen.as_codes_of(names)
    earlier, own = judged
    own = Calibration(float(run.summary["temperature"])).apply(own)
    then = {name: code for code, name in enumerate(earlier.settings.label_names)}
    table = np.full((len(own), len(names)), np.nan)
    table[~np.isnan(own).any(axis=1)] = 0.0
    for code, name in enumerate(names):
        if name in then:
            table[:, code] = own[:, then[name]]
    new = [code for code, name in enumerate(names) if name not in then]
    table[np.isin(truth, new)] = np.nan  # nobody was asked about these types
    said = [np.where(judged_by(opened, one, seen) | (truth < 0), one.labels, -1) for one in every]
    return Labels(truth, table, seen.weight), said


def _rewrite(run: Run, every: tuple[Opinion, ...], says: list[Any]) -> None:
    """Replace the probabilities of a run, a block of cells at a time."""
    from scanvi_core.annotation.opinions.pooling import pool

    before = run.array(PROBABILITIES)
    with run.new_arrays({PROBABILITIES: before.shape}) as files:
        for start in range(0, len(before), BLOCK):
            rows = slice(start, start + BLOCK)
            said = [one.labels[rows] for one in every]
            files[PROBABILITIES][rows] = pool(before[rows].astype(np.float64), said, says)
        files.clear()  # nothing may map a file when it takes its name (Windows)
        del before


def _heeded(every: tuple[Opinion, ...], weights: list[float]) -> str:
    names = [short_name(one, every) for one in every]
    pairs = list(zip(names, weights, strict=True))
    heeded = [f"{name} ({weight:.0%})" for name, weight in pairs if weight >= HEEDED]
    others = [name for name, weight in pairs if weight < HEEDED]
    sentences = []
    if heeded:
        sentences.append(f"Opinions heeded, by weight: {', '.join(heeded)}.")
    if others:
        sentences.append(f"Not heeded, as labels do not speak for it: {', '.join(others)}.")
    return " ".join(sentences)
