"""Do decisions make the model better? Accuracy before and after training on what was decided.

``python -m benchmarks.quality.updates FOLDER [--errors E] [--seeds N] [SET]...`` simulates the
review of `benchmarks.quality.review` (our queue, the same oracle, `E` of its names wrong) on at
most 1,500 cells and 600 variable genes, from three labeled cells of each type; once with all types
labeled and once with a third of them new. 30 % of each type are set aside and never shown. After
5, 12, 30 and 100 decisions three models are judged on these cells: that of the start, its refit on
the frozen latent, and the one trained on from it with soft labels, as the page does (tier 1).
FOLDER keeps what was measured, so that a second call goes on.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import data_sets
from benchmarks.quality.review import ask, labels_at_start
from benchmarks.quality.review_orders import Review, ours
from benchmarks.results_file import Cell, Result, write
from benchmarks.speed import refit
from scanvi_core.annotation.model.annotator import Annotator

STAGES = (5, 12, 30, 100)
NONE, FROZEN, TIER_1 = "no update", "refit on the frozen latent", "training on, soft labels"
WAYS = (NONE, FROZEN, TIER_1)
SCORES = ("accuracy", "macro-F1", "recall of new types")
N_SEEDS = 2


def measured(
    cells: refit.Cells,
    seed: int,
    *,
    new_types: bool,
    errors: float = 0.0,
    stages: Sequence[int] = STAGES,
) -> list[dict[str, Any]]:
    """Simulate one review; return the scores of every way at every stage."""
    random = np.random.default_rng(seed)
    start, aside = labels_at_start(cells.types, random, new_types=new_types)
    model = cells.train(start, seed)
    p, z = cells.said(model)
    components = model.linear_models.project(cells.counts)
    review = Review(cells.types, aside, start, p, z, components, random)
    new = np.setdiff1d(cells.types, start[start >= 0])
    rows = []
    for stage in reviewed(review, stages, errors):
        named = (review.y >= 0) & (start < 0)
        right = float((review.y == cells.types)[named].mean())
        for way, said in zip(WAYS, (p, review.p, tier_1(cells, review, model, seed)), strict=True):
            told = dict(zip(SCORES, scores(review, said, new), strict=True))
            rows.append({"stage": stage, "way": way, "named right": right, **told})
    return rows


def reviewed(review: Review, stages: Iterable[int], errors: float) -> Iterator[int]:
    """Ask the oracle, and stop after so many decisions each time."""
    shown, waiting = ours(review), list[np.ndarray]()
    for stage in stages:
        while review.n_asked < stage and review.open.any():
            waiting = ask(review, waiting.pop(0) if waiting else next(shown), errors) + waiting
        yield stage


def tier_1(cells: refit.Cells, review: Review, model: Annotator, seed: int) -> np.ndarray:
    """Return what a model says [n, types] that was trained on with soft labels."""
    soft = refit.learned(review.start, review.p_start, review.z, review.y, review.decision)
    return cells.said(cells.train(review.y, seed, model, soft))[0]


def scores(review: Review, p: np.ndarray, new: np.ndarray) -> tuple[float, float, float]:
    """Return accuracy, macro-F1 and the recall of new types on the cells set aside."""
    truth, said = review.types[review.aside], p[review.aside].argmax(axis=1)
    of_new = np.isin(truth, new)
    recall = float((said == truth)[of_new].mean()) if of_new.any() else np.nan
    return float((said == truth).mean()), review.macro_f1(p), recall


def interval(values: np.ndarray) -> str:
    """Return the mean over data sets with its 95 % interval (Student's t)."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return f"{values.mean():+.3f} ({values.mean() - half:+.3f} to {values.mean() + half:+.3f})"


def table(done: list[dict[str, Any]]) -> list[list[Cell]]:
    """Return one row per kind of task and stage: means over seeds, then over data sets."""
    rows: list[list[Cell]] = []
    names = sorted({run["set"] for run in done})
    for new in (False, True):
        for stage in STAGES:
            own = [run for run in done if run["new"] == new and run["stage"] == stage]

            def by_set(way: str, score: str, own: list[dict[str, Any]] = own) -> np.ndarray:
                values = [[r[score] for r in own if (r["set"], r["way"]) == (n, way)]
                          for n in names]  # fmt: skip
                return np.array([np.nanmean(value) for value in values])

            accuracy = {way: by_set(way, SCORES[0]) for way in WAYS}
            f1 = {way: by_set(way, SCORES[1]) for way in WAYS}
            worst = (accuracy[TIER_1] - accuracy[NONE]).min()
            recall = by_set(TIER_1, SCORES[2]) - by_set(FROZEN, SCORES[2]) if new else None
            rows.append([
                "a third of the types new" if new else "all types labeled", stage,
                *(round(float(x), 3) for x in (
                    by_set(NONE, "named right").mean(), *(accuracy[way].mean() for way in WAYS))),
                interval(accuracy[TIER_1] - accuracy[FROZEN]), interval(f1[TIER_1] - f1[FROZEN]),
                round(float(worst), 3), None if recall is None else interval(recall),
            ])  # fmt: skip
    return rows


def kept(folder: Path, sets: Sequence[str], seeds: int, errors: float) -> list[dict[str, Any]]:
    """Measure what is not in the folder yet; return all rows."""
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for seed in range(seeds):
        for name in sets:
            for new in (False, True):
                path = folder / f"{name}.{seed}.{int(new)}.{errors:g}.json"
                if not path.exists():
                    rows = measured(refit.load(name), seed, new_types=new, errors=errors)
                    path.write_text(json.dumps(rows))
                about = {"set": name, "seed": seed, "new": new}
                done += [about | row for row in json.loads(path.read_text())]
                sys.stdout.write(f"{path.name}: {[round(r['accuracy'], 3) for r in done[-12:]]}\n")
                sys.stdout.flush()
    return done


def main() -> None:
    """Measure what is not in the folder yet, print, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=list(refit.SETS), metavar="SET")
    parser.add_argument("--errors", type=float, default=0.0, help="share of wrong names")
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    data_sets.paths(asked.sets)
    done = kept(asked.folder, asked.sets, asked.seeds, asked.errors)
    wrong = f" --errors {asked.errors:g}" if asked.errors else ""
    command = f"python -m benchmarks.quality.updates FOLDER{wrong} --seeds {asked.seeds}"
    if asked.sets != list(refit.SETS):
        command += f" {' '.join(asked.sets)}"
    columns = ("start", "decisions", "named cells right", *WAYS, "accuracy, trained less refitted",
               "macro-F1, trained less refitted", "worst set, trained less no update",
               "recall of new types, trained less refitted")  # fmt: skip
    notes = [
        f"Means over {', '.join(asked.sets)}; {asked.seeds} seeds; intervals over data sets.",
        "Shares of the cells set aside, which nobody was shown.",
    ]
    title, name = "What training on decisions gains", "updates"
    if asked.errors:
        title, name = f"{title}, {asked.errors:.0%} of the names wrong", f"{name}_{asked.errors:g}"
    write(name, Result(title, command, columns, table(done), notes))


if __name__ == "__main__":
    main()
