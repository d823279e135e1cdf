"""How fast does a review teach? Macro-F1 against decisions, for our queue and four other orders.

``python -m benchmarks.quality.review FOLDER`` needs about 8 minutes of one processor; FOLDER keeps
what was trained and simulated, so that a second call goes on. For each of seven data sets of
`benchmarks.data_sets` (3,000 cells at most) and five seeds:

- One type is thinned to 0.9 % of the cells where that leaves nine. 30 % of each type are set
  aside: they are what every order is judged on and are never shown.
- A third of the common types, and all types below 1 %, have no label; of the others three cells
  have. A ``quick`` model is trained on these once.
- An order shows a cell or a group; the oracle answers; after every answer the predictions are
  refitted on the frozen latent (`annotation.refit`), as the page does.

The oracle names a group by its most frequent true type, and all its cells get that name, the wrong
ones too. Where fewer than 80 % are of one type it presses Split instead (`grouping.split_group`):
that costs a decision and names nothing, and the parts are shown next, the largest first. A group
too small to split is named by its majority. A single cell gets its true type. With ``--errors
0.1`` it gives one name in ten wrongly, a type of the data drawn evenly.

Reading costs time: an answer to a group is taken as 10 seconds, to a single cell as 8, a split as
5 more (rough figures, the same for all orders).
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import data_sets
from benchmarks.accuracy.cells import Cells, load
from benchmarks.quality.review_orders import OURS, RANDOM, WAYS, Review, Way, known
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.review.grouping import is_splittable, split_group
from scanvi_core.config import ModelConfig, TrainConfig

SETS = ("tms_liver", "pbmc68k_reduced_counts", "pancreas_endo_1k", "scmixology",
        "kang_ifnb_2800", "zheng_facs_pbmc", "onek1k_40donors")  # fmt: skip
N_SEEDS, MAX_CELLS, DECISIONS = 5, 3_000, 40
RARE, THINNED, MIN_RARE, THIN_FROM = 0.01, 0.009, 9, 0.02
ASIDE, UNSEEN, SHOWN = 0.3, 3, 3  # share; one type of so many; labeled cells of the others
PURE, NEAR_FULL, SOON = 0.8, 0.95, 20
GROUP_S, CELL_S, SPLIT_S, WHILE_S = 10, 8, 5, 300  # seconds of a person; of the area in time


def simulate(review: Review, way: Way, errors: float = 0.0) -> dict[str, Any]:
    """Ask the oracle `DECISIONS` times; return the curve, the first decision per type...

    `errors` is the share of the names it gives wrongly.
    """
    shown, waiting = way(review), list[np.ndarray]()
    curve, found, n_splits = [review.macro_f1(review.p)], dict[str, int](), 0
    seconds = [0]
    for _ in range(DECISIONS):
        rows = waiting.pop(0) if waiting else next(shown, None) if review.open.any() else None
        if rows is None:  # all is named
            curve.append(curve[-1])
            seconds.append(seconds[-1])
            continue
        parts = ask(review, rows, errors)
        waiting = parts + waiting
        if parts:
            n_splits += 1
            seconds.append(seconds[-1] + SPLIT_S)
        else:
            found.setdefault(str(review.y[rows[0]]), review.n_asked)
            seconds.append(seconds[-1] + (GROUP_S if rows.size > 1 else CELL_S))
        curve.append(review.macro_f1(review.p))
    named = (review.y >= 0) & (review.start < 0)
    full = review.macro_f1(review.refitted(np.where(review.aside, -1, review.types)))
    right = float((review.y == review.types)[named].mean())
    return {"curve": curve, "seconds": seconds, "found": found, "full": full,
            "splits": n_splits, "named": int(named.sum()), "right": right}  # fmt: skip


def ask(review: Review, rows: np.ndarray, errors: float) -> list[np.ndarray]:
    """Let the oracle name some cells, or split them; return the parts, which wait."""
    review.n_asked += 1
    cells = np.bincount(review.types[rows])
    if cells.max() < PURE * rows.size and is_splittable(rows):
        return split_group(rows, review.z)
    name = cells.argmax()
    if errors and review.random.random() < errors:
        name = review.random.choice(np.setdiff1d(review.types, name))
    review.y[rows], review.decision[rows] = name, review.n_asked
    review.learn()
    return []


def begin(cells: Cells, seed: int) -> dict[str, np.ndarray]:
    """Choose the cells and the labels at the start, train; return what `Review` needs."""
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.inputs import Inputs

    random = np.random.default_rng(seed)
    rows = np.sort(random.permutation(len(cells.types))[:MAX_CELLS])
    rows = thinned(rows[cells.types[rows] >= 0], cells.types, random)
    types = cells.types[rows]
    start, aside = labels_at_start(types, random)
    seen, labels = known(start, len(cells.type_names))
    batch = np.unique(cells.batch[rows], return_inverse=True)[1]
    names = tuple(f"batch {code}" for code in range(batch.max() + 1))
    counts = cells.counts[rows]
    shown = Inputs(counts, cells.genes, labels.y, labels.names, batch, names)
    config = TrainConfig(preset="quick", seed=seed, device="cpu")
    model = Annotator.fit(shown, ModelConfig(), config)
    told = model.predict(counts)
    p = np.zeros((len(types), len(cells.type_names)), dtype=np.float32)
    p[:, seen] = told.probabilities
    components = model.linear_models.project(counts)
    return {"types": types, "aside": aside, "start": start, "p_start": p, "z": told.z1,
            "components": components}  # fmt: skip


def thinned(rows: np.ndarray, types: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the rows without most cells of one type, so that it is a rare one."""
    few = int(THINNED * rows.size)
    if few < MIN_RARE:
        return rows
    sizes = np.bincount(types[rows])
    chosen = random.choice(np.flatnonzero(sizes >= THIN_FROM * rows.size))
    own = random.permutation(np.flatnonzero(types[rows] == chosen))
    return np.delete(rows, own[few:])


def labels_at_start(
    types: np.ndarray, random: np.random.Generator, *, new_types: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of the start [n], and which cells are set aside [n].

    Types below 1 % and a third of the others have no label, unless there are no `new_types`.
    """
    aside, start = np.zeros(types.size, dtype=bool), np.full(types.size, -1)
    sizes = np.bincount(types)
    common = np.flatnonzero(sizes >= RARE * types.size)
    unseen = random.permutation(common)[: max(1, common.size // UNSEEN)]
    for code in np.flatnonzero(sizes):
        own = random.permutation(np.flatnonzero(types == code))
        n_aside = round(ASIDE * own.size)
        aside[own[:n_aside]] = True
        if not new_types or (code in common and code not in unseen):
            start[own[n_aside : n_aside + SHOWN]] = code
    return start, aside


def measured(folder: Path, errors: float) -> list[dict[str, Any]]:
    """Simulate what is not in the folder yet; return all simulations."""
    wrongly = f".{errors:g}_wrong" if errors else ""
    done = []
    for seed in range(N_SEEDS):
        for name in SETS:
            kept = folder / f"{name}.{seed}.npz"
            if not kept.exists():
                np.savez(kept, allow_pickle=False, **begin(_cells(name, folder), seed))
            with np.load(kept, allow_pickle=False) as file:
                begun = dict(file)
            for way, order in WAYS.items():
                order_name = way.replace(", ", ".").replace(" ", "_")
                path = folder / f"{name}.{seed}.{order_name}{wrongly}.json"
                if not path.exists():
                    review = Review(**begun, random=np.random.default_rng(seed))
                    path.write_text(json.dumps(simulate(review, order, errors)))
                sizes = np.bincount(begun["types"])
                rare = np.flatnonzero((sizes >= MIN_RARE - 1) & (sizes < RARE * sizes.sum()))
                about = {"set": name, "seed": seed, "way": way, "rare": rare.tolist()}
                done.append(about | json.loads(path.read_text()))
                sys.stdout.write(f"{name} {seed} {way}: {np.mean(done[-1]['curve']):.3f}\n")
                sys.stdout.flush()
    return done


def _cells(name: str, folder: Path) -> Cells:
    return load(data_sets.path(name), folder / "data")


def interval(by_seed: np.ndarray) -> str:
    """Return the mean over seeds with its 95 % interval (Student's t)."""
    half = stats.t.ppf(0.975, len(by_seed) - 1) * stats.sem(by_seed)
    return f"{by_seed.mean():.3f} ({by_seed.mean() - half:.3f} to {by_seed.mean() + half:.3f})"


def summary(done: list[dict[str, Any]]) -> list[list[Cell]]:
    """Return one row per way."""
    areas = {way: _per_seed(done, way, lambda run: np.mean(run["curve"])) for way in WAYS}
    timed = {way: _per_seed(done, way, in_time) for way in WAYS}
    waits = {way: _per_seed(done, way, _wait).mean() for way in WAYS}
    rows: list[list[Cell]] = []
    for way in WAYS:
        own = [run for run in done if run["way"] == way]
        after = [round(float(np.mean([run["curve"][n] for run in own])), 3) for n in (10, 20, 40)]
        soon = [run["found"].get(str(c), np.inf) <= SOON for run in own for c in run["rare"]]
        less = interval(areas[OURS] - areas[way]) if way != OURS else None
        rows.append([way, interval(areas[way]), less, interval(timed[way]), *after,
                     round(float(waits[way]), 1), f"{waits[way] / waits[RANDOM]:.0%}",
                     f"{np.mean(soon):.0%}"])  # fmt: skip
    return rows


def _per_seed(
    done: list[dict[str, Any]], way: str, value: Callable[[dict[str, Any]], Any]
) -> np.ndarray:
    seeds = sorted({run["seed"] for run in done})
    own = [[value(r) for r in done if r["way"] == way and r["seed"] == seed] for seed in seeds]
    return np.array([np.mean(values) for values in own])


def in_time(run: dict[str, Any]) -> float:
    """Return the mean macro-F1 over the first five minutes."""
    at = np.searchsorted(run["seconds"], np.arange(WHILE_S), side="right") - 1
    return float(np.array(run["curve"])[at].mean())


def _wait(run: dict[str, Any]) -> int:
    there = np.flatnonzero(np.array(run["curve"]) >= NEAR_FULL * run["full"])
    return int(there[0]) if there.size else DECISIONS + 1


def main() -> None:
    """Simulate, print, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    data_sets.add_option(parser)
    parser.add_argument("--errors", type=float, default=0.0, help="share of wrong names")
    asked = parser.parse_args()
    data_sets.paths(SETS)
    asked.folder.mkdir(parents=True, exist_ok=True)
    done = measured(asked.folder, asked.errors)
    columns = ("order", "area under the curve", "ours less this", "area over five minutes",
               "macro-F1 after 10", "after 20",
               "after 40", "decisions to 95 % of full labels", "of random groups",
               f"rare types found within {SOON}")  # fmt: skip
    n_rare = sum(len(run["rare"]) for run in done) // len(WAYS)
    about = f"Means over {len(SETS)} data sets; intervals over {N_SEEDS} seeds."
    never = f"95 % not reached in {DECISIONS} decisions counts as {DECISIONS + 1}."
    rare = f"{n_rare} rare types (below 1 % of the cells, none labeled) were to be found."
    oracle = (
        "An oracle names a group by its majority, or splits it (a decision as well) where fewer "
        "than 80 % are of one type."
    )
    if asked.errors:
        oracle += f" {asked.errors:.0%} of its names are wrong."
    title = "What a decision of the review teaches: macro-F1 on cells never shown"
    told = [about, never, rare, oracle]
    command = "python -m benchmarks.quality.review FOLDER"
    if asked.errors:
        command += f" --errors {asked.errors:g}"
    result = Result(title, command, columns, summary(done), told)
    write(f"review_{asked.errors:g}_wrong" if asked.errors else "review", result)


if __name__ == "__main__":
    main()
