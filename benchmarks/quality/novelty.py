"""Are cells of a type that nobody named called novel, and others not? Parts of `.doubt`."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.accuracy.cells import Cells, split
from scanvi_core.annotation.model.linear_models import principal_components
from scanvi_core.annotation.uncertainty.batch_shifts import without_batch_shifts
from scanvi_core.annotation.uncertainty.novelty import NoveltyCheck, find_novel
from scanvi_core.data.normalization import log_normalized

MIN_TYPE = 20  # cells of a type that is hidden
RECALL = 0.95
LABELED, NAMED, GROUP = 0.3, 20, 9

Figures = Iterator[tuple[str, str, float]]  # question, measure, value


def novelty(cells: Cells, _: Path, masks: int) -> Figures:
    """Hide each type in turn and look whether its cells are called novel."""
    points = _components(cells)
    found: dict[str, list[float]] = defaultdict(list)
    for mask in range(masks):
        shown = split(cells, 0.1, mask)
        if shown is None:
            continue
        y, truth = shown
        for hidden in np.flatnonzero(np.bincount(truth[truth >= 0]) >= MIN_TYPE):
            left = np.where(y == hidden, -1, y)
            check = find_novel(points, left, int(y.max()) + 1, np.random.default_rng(mask))
            if check.known:
                asked = (left < 0) & (truth >= 0)
                for measure, value in _found(check.score[asked], truth[asked] == hidden):
                    found[measure].append(value)
    for measure, values in found.items():
        yield "A hidden type is novel", measure, float(np.median(values))


def batches(cells: Cells, _: Path, masks: int) -> Figures:
    """Name some cells of batches without labels, and look what is called novel there."""
    points = _components(cells)
    for n_named in (0, NAMED):
        found: dict[str, list[float]] = defaultdict(list)
        for mask in range(masks if cells.batch.max() else 0):
            random = np.random.default_rng(mask)
            there = random.permutation(int(cells.batch.max()) + 1)[: (cells.batch.max() + 1) // 2]
            away = ~np.isin(cells.batch, there)
            for hidden in np.flatnonzero(np.bincount(cells.types[cells.types >= 0]) >= MIN_TYPE):
                y = _some_batches(cells, away, int(hidden), random)
                _name(y, points, cells.types, away & (cells.types != hidden), n_named, random)
                check = _with_shifts(points, cells.batch, y, mask)
                asked = away & (y < 0) & (cells.types >= 0)
                is_new = cells.types[asked] == hidden
                if check.known and is_new.any() and not is_new.all():
                    for measure, value in _found(check.score[asked], is_new):
                        found[measure].append(value)
        question = f"Batches without labels, {n_named or 'no'} cells of them named"
        for measure, values in found.items():
            yield question, measure, float(np.median(values))


def _some_batches(
    cells: Cells, away: np.ndarray, hidden: int, random: np.random.Generator
) -> np.ndarray:
    """Return labels [n] of some cells of every type but the hidden one, below 0 elsewhere."""
    y = np.full(len(cells.types), -1)
    for code in np.setdiff1d(cells.types[cells.types >= 0], hidden):
        rows = random.permutation(np.flatnonzero(~away & (cells.types == code)))
        y[rows[: max(3, round(LABELED * len(rows)))]] = code
    return y


def _name(
    y: np.ndarray, points: np.ndarray, types: np.ndarray, open_: np.ndarray, n_named: int,
    random: np.random.Generator,
) -> None:  # fmt: skip
    """Write the types of so many cells into `y` [n], group by group."""
    rows = np.flatnonzero(open_ & (types >= 0))
    while n_named > 0 and len(rows):
        middle = points[random.choice(rows)]
        nearest = np.argsort(((points[rows] - middle) ** 2).sum(axis=1))[: min(GROUP, n_named)]
        y[rows[nearest]] = types[rows[nearest]]
        n_named -= len(nearest)


def _with_shifts(points: np.ndarray, batch: np.ndarray, y: np.ndarray, seed: int) -> NoveltyCheck:
    """Return what looks new once batches are moved by what a linear model says."""
    from sklearn.linear_model import LogisticRegression

    shown = y >= 0
    said = (
        LogisticRegression(solver="newton-cholesky").fit(points[shown], y[shown]).predict(points)
    )
    moved = without_batch_shifts(points, batch, y, said)
    return find_novel(moved, y, int(y.max()) + 1, np.random.default_rng(seed))


def _components(cells: Cells) -> np.ndarray:
    """Return the principal components [n, d] that novelty is judged in."""
    logs = log_normalized(cells.counts)
    center, components = principal_components(logs, np.random.default_rng(0))
    return np.asarray(logs @ components) - center @ components


def _found(score: np.ndarray, new: np.ndarray) -> Iterator[tuple[str, float]]:
    from sklearn.metrics import roc_auc_score

    flagged = score >= 0.5
    yield "AUROC, median over types", float(roc_auc_score(new, score))
    yield "called novel", float(flagged[new].mean())
    yield "known types called novel", float(flagged[~new].mean())
    enough = np.quantile(score[new], 1 - RECALL)
    yield "known types novel at 95 % recall", float((score[~new] >= enough).mean())
