"""Measure how honest the program is about doubt, on every data set of `benchmarks.data_sets`.

``python -m benchmarks.quality.doubt [--part NAME]... [--masks N] [--threads N]`` writes
``benchmarks/results/doubt.json``. Parts asked for singly replace their rows in that file:

- calibration: a ``quick`` model on 10 % and 1.5 % of the labels (three per type at least), and on
  all labels of one batch; calibration error (15 bins of equally many cells) on all cells whose
  label it was not shown, before and after; what an honest confidence would show by chance; and how
  often prediction sets hold the truth (types that were not shown are left out);
- novelty: at 10 % of the labels, each type of 20 cells or more hidden in turn;
- batches: 30 % of the labels of half of the batches, and none of the others, or 20 cells in groups
  of up to nine, as a review names them; each type hidden in turn, and looked for in the others;
- technical: 5 % doublets (sums of two cells of different types) and 5 % cells thinned to 5-10 % of
  their counts, added to each data set and looked for by batch, with the limits that are suggested;
- labels: 5 % of all labels changed to another type, and none.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from benchmarks import data_sets, results_file
from benchmarks.accuracy.cells import ONE_BATCH, Cells, hidden_cells, load, split, words
from benchmarks.quality.novelty import MIN_TYPE, Figures, batches, novelty
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.calibration import Calibration, fit_temperature
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.out_of_fold import linear_models_out_of_fold
from scanvi_core.annotation.uncertainty.label_errors import check_labels
from scanvi_core.annotation.uncertainty.prediction_sets import fewest, fit_sets
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.qc import limits
from scanvi_core.data.qc.doublets import MIN_CELLS, find_doublets
from scanvi_core.metrics.confidence import calibration_error, chance_error, reliability

FRACTIONS = (0.1, 0.015, ONE_BATCH)
SPIKED = 0.05
THINNED = (0.05, 0.1)
SPOILED = 0.05
FIRST = 100

Row = list[str | float | None]


def calibration(cells: Cells, _: Path, masks: int) -> Figures:
    """Compare confidence with how often it is right, on labels the model was not shown."""
    for fraction in FRACTIONS:
        question = "An unseen batch" if fraction == ONE_BATCH else f"{words(fraction)} of labels"
        for mask in range(masks):
            found = split(cells, fraction, mask)
            if found is not None:
                for measure, value in _calibrated(cells, *found, mask):
                    yield question, measure, value


def _calibrated(
    cells: Cells, y: np.ndarray, truth: np.ndarray, mask: int
) -> Iterator[tuple[str, float]]:
    n_labels = int(y.max()) + 1
    raw = _train(cells, y, mask)
    oof = linear_models_out_of_fold(cells.counts, y, n_labels, np.random.default_rng(mask))
    fitted = fit_temperature(oof, y)
    rows = hidden_cells(truth, y)
    for name, p in (("raw", raw[rows]), ("calibrated", fitted.apply(raw[rows]))):
        confidence = p.max(axis=1)
        right = p.argmax(axis=1) == truth[rows]
        yield f"calibration error, {name}", calibration_error(reliability(right, confidence))
        if name == "calibrated":
            yield "by chance alone", chance_error(confidence)
    if np.isfinite(oof).all(axis=1).sum() >= fewest(0.9):
        sets = fit_sets(fitted.apply(oof), y, by_type=True).apply(fitted.apply(raw[rows]))
        yield (
            "90 % sets that hold the truth",
            float(sets[np.arange(len(rows)), truth[rows]].mean()),
        )
        yield "types in such a set", float(sets.sum(axis=1).mean())


def _train(cells: Cells, y: np.ndarray, seed: int) -> np.ndarray:
    """Return what a quick model says about all cells, uncalibrated."""
    batches = tuple(f"batch {code}" for code in range(int(cells.batch.max()) + 1))
    names = tuple(f"type {code}" for code in range(int(y.max()) + 1))
    training_set = Inputs(cells.counts, cells.genes, y, names, cells.batch, batches)
    config = TrainConfig(preset="quick", seed=seed, device="cpu")
    model = Annotator.fit(training_set, ModelConfig(), config)
    model.calibration = Calibration()
    return model.predict(cells.counts).probabilities


def technical(cells: Cells, home: Path, masks: int) -> Figures:
    """Add doublets and nearly empty cells to the data and look for them."""
    dataset = Dataset.open(home)
    kept = np.asarray(dataset.genes_matrix(_positions(dataset, cells)).sum(axis=1)).ravel() > 0
    for mask in range(masks):
        random = np.random.default_rng(mask)
        counts, totals, kind, source = _spiked(cells, dataset.totals[kept], random)
        batch = cells.batch[source]
        low = totals < limits.low_limits(_spread(totals, batch, upper=False))[batch]
        score = _doublet_score(counts, batch, mask)
        most = limits.high_limits(
            _spread(score, batch, upper=True), limits.LEAST_SCORE, limits.SCORE_STEP
        )
        double = score > most[batch]
        question = "Doublets and nearly empty cells"
        yield question, "nearly empty cells found", float((low | double)[kind == 2].mean())
        yield question, "doublets found", float((low | double)[kind == 1].mean())
        yield question, "ordinary cells called empty", float(low[kind == 0].mean())
        yield question, "ordinary cells called doublets", float(double[kind == 0].mean())
        if "demuxlet_cls" in dataset.obs.columns:
            true = dataset.column("demuxlet_cls").to_numpy()[kept] == "DBL"
            yield question, "doublets by genotype found", float(double[kind == 0][true].mean())
            yield question, "singlets called doublets", float(double[kind == 0][~true].mean())


def _spread(values: np.ndarray, batch: np.ndarray, *, upper: bool) -> limits.Spread:
    return limits.Spread.of(values, batch, int(batch.max()) + 1, upper=upper)


def _doublet_score(counts: sparse.csr_array, batch: np.ndarray, seed: int) -> np.ndarray:
    """Return the score of every cell [n] among the cells of its batch; NaN in small batches."""
    score = np.full(len(batch), np.nan)
    for code in np.unique(batch):
        rows = np.flatnonzero(batch == code)
        if len(rows) >= MIN_CELLS:
            score[rows] = find_doublets(counts[rows], seed).score
    return score


def _positions(dataset: Dataset, cells: Cells) -> np.ndarray:
    order = {str(name): at for at, name in enumerate(dataset.var_names)}
    return np.array([order[name] for name in cells.genes])


def _spiked(
    cells: Cells, totals: np.ndarray, random: np.random.Generator
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray, np.ndarray]:
    """Return counts, totals, kinds (0 cell, 1 doublet, 2 thinned) and the cell each comes from."""
    n = cells.counts.shape[0]
    wanted = max(MIN_TYPE, round(SPIKED * n))
    pairs = random.integers(0, n, (2, 20 * wanted))
    pairs = pairs[:, cells.types[pairs[0]] != cells.types[pairs[1]]][:, :wanted]
    thinned = random.integers(0, n, wanted)
    factors = random.uniform(*THINNED, wanted)
    thin = sparse.csr_array(cells.counts[thinned])
    sizes = np.diff(thin.indptr)
    thin.data = random.binomial(np.rint(thin.data).astype(int), np.repeat(factors, sizes))
    thin.eliminate_zeros()
    first, second = pairs
    counts = sparse.vstack([cells.counts, cells.counts[first] + cells.counts[second], thin])
    totals = np.concatenate([totals, totals[first] + totals[second], totals[thinned] * factors])
    kind = np.repeat([0, 1, 2], [n, len(first), wanted])
    source = np.concatenate([np.arange(n), first, thinned])
    return sparse.csr_array(counts, dtype=np.float32), totals, kind, source


def labels(cells: Cells, _: Path, masks: int) -> Figures:
    """Change some labels and look whether those come first; leave them and count the flags."""
    n_labels = len(cells.type_names)
    question = f"{SPOILED:.0%} of the labels are wrong"
    for mask in range(masks):
        for share in (SPOILED, 0.0):
            random = np.random.default_rng(mask)
            known = random.permutation(np.flatnonzero(cells.types >= 0))
            bad = known[: round(share * len(known))]
            y = cells.types.copy()
            y[bad] = (y[bad] + random.integers(1, n_labels, len(bad))) % n_labels
            oof = linear_models_out_of_fold(cells.counts, y, n_labels, random)
            check = check_labels(oof, y)
            if not share:
                yield "No label was changed", "labels flagged", float(check.flagged.mean())
                continue
            first = np.argsort(-np.nan_to_num(check.score), kind="stable")[: min(FIRST, len(bad))]
            yield question, f"wrong among the first {FIRST}", float(np.isin(first, bad).mean())
            flagged = np.flatnonzero(check.flagged)
            yield question, "wrong labels flagged", float(np.isin(bad, flagged).mean())
            if len(flagged):
                yield question, "wrong among the flagged", float(np.isin(flagged, bad).mean())


PARTS: dict[str, Callable[[Cells, Path, int], Figures]] = {
    "novelty": novelty,
    "batches": batches,
    "technical": technical,
    "labels": labels,
    "calibration": calibration,
}


def measure(parts: list[str], masks: int, folder: Path) -> dict[str, list[Row]]:
    """Return, by part, a row for each question and measure: a value per data set, their mean."""
    paths = data_sets.paths()
    table: dict[str, dict[tuple[str, str], dict[str, list[float]]]] = {}
    for path in paths:
        cells = load(path, folder)
        for part in parts:
            rows = table.setdefault(part, {})
            for question, name, value in PARTS[part](cells, folder / path.stem, masks):
                rows.setdefault((question, name), {}).setdefault(path.stem, []).append(value)
            sys.stdout.write(f"{path.stem}: {part}\n")
            sys.stdout.flush()
    return {part: [_row(*key, own, paths) for key, own in rows.items()]
            for part, rows in table.items()}  # fmt: skip


def _row(question: str, name: str, values: dict[str, list[float]], paths: list[Path]) -> Row:
    means = [
        round(float(np.mean(values[path.stem])), 3) if path.stem in values else None
        for path in paths
    ]
    known = [mean for mean in means if mean is not None]
    return [question, name, *means, round(float(np.mean(known)), 3)]


def main() -> None:
    """Measure what was asked for, and write it beside what was measured before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", action="append", choices=[*PARTS])
    parser.add_argument("--masks", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(asked.part or [*PARTS], asked.masks, Path(folder))
    draws = dict.fromkeys(found, asked.masks)
    if (results_file.FOLDER / "doubt.json").exists():
        before = results_file.read("doubt").more
        found, draws = before["by_part"] | found, before["draws"] | draws
    results_file.write("doubt", table(found, draws))


def table(found: dict[str, list[Row]], draws: dict[str, int]) -> results_file.Result:
    """Return the table that is written, its parts in order."""
    names = [path.stem.removesuffix("_counts") for path in data_sets.paths()]
    return results_file.Result(
        title="Honest about doubt: calibration, novelty, technical cells, wrong labels",
        command="python -m benchmarks.quality.doubt",
        columns=["question", "measure", *names, "mean"],
        rows=[row for part in PARTS for row in found.get(part, [])],
        notes=[
            f"Means over draws of the labels: {', '.join(f'{p} {n}' for p, n in draws.items())}.",
            "Calibration errors are of the preset quick.",
            "Novelty knows nothing of SCANVI: it walks among principal components.",
            f"Wrong among the first {FIRST}, or as many as were changed, if fewer.",
        ],
        more={"by_part": found, "draws": draws},
    )


if __name__ == "__main__":
    main()
