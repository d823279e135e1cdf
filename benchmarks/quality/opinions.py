"""Opinions of other tools: what a good one brings, and that a bad one does no harm.

``python -m benchmarks.quality.opinions FOLDER [--shown S] [--seeds N] [SET]...`` labels a share
`S` of each type (3 cells at least) of at most 1,500 cells and 600 variable genes, trains a quick
model and lets simulated witnesses speak of every cell. Each is judged by the accuracy on the cells
without a label, of the model alone and pooled with the witness
(`scanvi_core.annotation.opinions.pooling`). FOLDER keeps what was trained.

A good witness is right but for 10 % of the cells of every second type. The bad ones: random names,
as common as the types; types permuted (wrong everywhere, yet telling); one type always; and the
model's own word once more, which knows the labels, is not judged by them and tells nothing new.
Between them: a coarse one, which mixes types up in pairs, and linear models of as many other
labels, which err where the model does. The notes are of what witnesses say together without a
model (`scanvi_core.annotation.opinions.annotators`), before any label and after one of each type.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data_sets
from benchmarks.results_file import Cell, Result, write
from benchmarks.speed import refit
from scanvi_core.annotation.model.linear_models import ensemble, fit_linear_models
from scanvi_core.annotation.opinions.annotators import joint
from scanvi_core.annotation.opinions.pooling import Labels, learn, pool

SETS = ("tms_liver", "pbmc68k_reduced_counts", "pancreas_endo_1k", "kang_ifnb_2800")
N_SEEDS, SHOWN, NOISE = 3, 0.05, 0.1
GOOD, COARSE, RIVAL = "good", "coarse", "a model of other labels"
RANDOM, PERMUTED, ALWAYS, ECHO = "random", "permuted", "one type always", "the model's own word"
BAD = (RANDOM, PERMUTED, ALWAYS, ECHO)
PARTIES = ((GOOD,), (COARSE,), (RIVAL,), *((bad,) for bad in BAD), BAD, (GOOD, *BAD))
JURIES = ((GOOD,), (GOOD, COARSE), (GOOD, RANDOM, ALWAYS), (GOOD, PERMUTED), (RANDOM,))


def witnesses(types: np.ndarray, said: np.ndarray, random: np.random.Generator) -> dict[str, Any]:
    """Return what each witness says of every cell; `said` is the model's own word."""
    n_types = int(types.max()) + 1
    noisy = (types % 2 == 0) & (random.random(len(types)) < NOISE)
    wrong = (types + random.integers(1, n_types, len(types))) % n_types
    order, permuted = random.permutation(n_types), np.empty(n_types, dtype=np.int64)
    permuted[order] = np.roll(order, 1)
    return {
        GOOD: np.where(noisy, wrong, types),
        COARSE: types // 2 * 2,
        RANDOM: random.permutation(types),
        PERMUTED: permuted[types],
        ALWAYS: np.zeros_like(types),
        ECHO: said,
    }


def trained(cells: refit.Cells, seed: int, shown: float, path: Path) -> dict[str, np.ndarray]:
    """Return labels, calibrated probabilities and those of models not shown the label."""
    if not path.exists():
        random, y = np.random.default_rng(seed), np.full(len(cells.types), -1)
        for code in np.unique(cells.types):
            rows = random.permutation(np.flatnonzero(cells.types == code))
            rows = rows[: max(refit.LEAST, round(shown * len(rows)))]
            y[rows] = code
        model = cells.train(y, seed)
        judged = model.calibration.apply(model.out_of_fold)
        np.savez(path, y=y, p=cells.said(model)[0], judged=judged)
    with np.load(path) as found:
        return dict(found)


def rival(cells: refit.Cells, found: dict[str, np.ndarray]) -> np.ndarray:
    """Return the types [n] that linear models say which learned as many labels of other cells."""
    random, y = np.random.default_rng(0), np.full(len(cells.types), -1)
    for code in np.unique(cells.types):
        rows = random.permutation(np.flatnonzero((cells.types == code) & (found["y"] < 0)))
        y[rows[: (found["y"] == code).sum()]] = code
    fitted = fit_linear_models(cells.counts, y, cells.n_types, random)
    return ensemble(*fitted.predict(cells.counts)).argmax(axis=1)


def measured(cells: refit.Cells, seed: int, found: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return the accuracy with every party of witnesses, beside that of the model alone."""
    y, p = found["y"], found["p"].astype(np.float64)
    labels = Labels(y, found["judged"].astype(np.float64), np.ones(len(y)))
    speak = witnesses(cells.types, p.argmax(axis=1), np.random.default_rng(seed))
    speak[RIVAL] = rival(cells, found)
    open_ = y < 0
    rows = []
    for party in PARTIES:
        said = [speak[name] for name in party]
        judged = [np.where(y >= 0, -1, speak[name]) if name == ECHO else speak[name]
                  for name in party]  # fmt: skip
        says = learn(judged, [cells.n_types] * len(said), labels)
        pooled = pool(p, said, says)
        rows.append({
            "party": ", ".join(party),
            "alone": float((p.argmax(axis=1) == cells.types)[open_].mean()),
            "pooled": float((pooled.argmax(axis=1) == cells.types)[open_].mean()),
            "likelihood alone": _likelihood(p, cells.types, open_),
            "likelihood pooled": _likelihood(pooled, cells.types, open_),
            "weights": [round(say.weight, 2) for say in says],
        })  # fmt: skip
    return rows


def together(cells: refit.Cells, seed: int) -> list[dict[str, Any]]:
    """Return how often witnesses are right together, with no label and with one of each type."""
    random = np.random.default_rng(seed)
    speak = witnesses(cells.types, cells.types, random)
    known = np.full(len(cells.types), -1)
    for code in np.unique(cells.types):
        known[random.choice(np.flatnonzero(cells.types == code))] = code
    rows = []
    for jury in JURIES:
        said = np.column_stack([speak[name] for name in jury])
        told = {"jury": ", ".join(jury)}
        for name, truth in (("no label", np.full_like(known, -1)), ("one of each type", known)):
            rows_open = np.flatnonzero(known < 0)
            found = joint(said, cells.n_types, truth).of(rows_open).argmax(axis=1)
            told[name] = float((found == cells.types[rows_open]).mean())
        rows.append(told)
    return rows


def _likelihood(p: np.ndarray, types: np.ndarray, rows: np.ndarray) -> float:
    return float(np.log(np.maximum(p[rows, types[rows]], 1e-6)).mean())


def table(done: list[dict[str, Any]]) -> list[list[Cell]]:
    """Return one row per party: means over data sets and seeds, and the worst of them."""
    rows: list[list[Cell]] = []
    for party in (", ".join(party) for party in PARTIES):
        own = [row for row in done if row["party"] == party]
        alone, pooled = (np.array([row[key] for row in own]) for key in ("alone", "pooled"))
        gained = np.mean([row["likelihood pooled"] - row["likelihood alone"] for row in own])
        weights = np.mean([row["weights"] for row in own], axis=0)
        rows.append([
            party, *(round(float(x), 3) for x in (alone.mean(), pooled.mean())),
            round(float((pooled - alone).min()), 3), round(float(gained), 3),
            " ".join(f"{weight:.2f}" for weight in weights),
        ])  # fmt: skip
    return rows


def main() -> None:
    """Measure, print, write both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(SETS), metavar="SET")
    parser.add_argument("--shown", type=float, default=SHOWN, help="share of each type labeled")
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    data_sets.paths(asked.sets)
    asked.folder.mkdir(parents=True, exist_ok=True)
    done, juries = list[dict[str, Any]](), list[dict[str, Any]]()
    for name in asked.sets:
        cells = refit.load(name)
        for seed in range(asked.seeds):
            path = asked.folder / f"{name}.{seed}.{asked.shown:g}.npz"
            done += measured(cells, seed, trained(cells, seed, asked.shown, path))
            juries += together(cells, seed)
            sys.stdout.write(f"{path.name}\n")
    _write(asked.sets, asked.seeds, asked.shown, done, juries)


def _write(
    sets: Sequence[str], seeds: int, shown: float, done: list[dict[str, Any]], juries: list[Any]
) -> None:
    command = "python -m benchmarks.quality.opinions FOLDER"
    command += f" --shown {shown:g}" if shown != SHOWN else ""
    command += f" --seeds {seeds}" if seeds != N_SEEDS else ""
    command += f" {' '.join(sets)}" if tuple(sets) != SETS else ""
    notes = [
        f"Means over {', '.join(sets)}; {seeds} seeds; {shown:.0%} of each type labeled.",
        "Log-likelihood: gained per cell. Worst: of all data sets and seeds.",
    ]
    for jury in (", ".join(jury) for jury in JURIES):
        own = [row for row in juries if row["jury"] == jury]
        before, after = (np.mean([r[k] for r in own]) for k in ("no label", "one of each type"))
        notes.append(f"Without a model, {jury}: {before:.3f} right, {after:.3f} after one label "
                     "of each type.")  # fmt: skip
    columns = ("witnesses", "model alone", "with witnesses", "worst difference", "log-likelihood",
               "weights")  # fmt: skip
    title = "Opinions of other tools in the prediction: accuracy on cells without a label"
    write("opinions", Result(title, command, columns, table(done), notes))
    sys.stdout.write("\n".join(map(str, [*table(done), *notes])) + "\n")


if __name__ == "__main__":
    main()
