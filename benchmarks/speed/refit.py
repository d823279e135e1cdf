"""Is a provisional prediction worth showing? Accuracy after review decisions, by way of updating.

``python -m benchmarks.speed.refit FOLDER`` (minutes per data set; FOLDER keeps what was trained,
so that a second call goes on) simulates a reviewer on data sets of `benchmarks.data_sets`: at most
1,500 cells and 600 variable genes, 3 % of each type labeled (at least 3 cells), a quick model,
its groups of doubtful cells; the oracle names each by its most frequent true type, however mixed
it is, and with ``--errors 0.1`` one in ten by another type, drawn evenly.
Every way of updating is judged on the cells that stay without a label: nothing done; the refit on
the frozen latent (`annotation.refit`); the classifier of now in place of the model's word;
training on from the model, with the labels as they were given or as soft labels
(`annotation.decisions.soft_labels`); training anew. A second task hides one type from the model
until the reviewer names it.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.metrics import f1_score

from benchmarks import data_sets
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.decisions.refit import Known, fit_head, refit
from scanvi_core.annotation.decisions.soft_labels import soft_labels
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.review.doubt_groups import review_queue
from scanvi_core.config import ModelConfig, TrainConfig

SETS = ("tms_liver", "pbmc68k_reduced_counts", "pancreas_endo_1k", "zheng_facs_pbmc",
        "kang_ifnb_2800")  # fmt: skip
N_CELLS, MAX_GENES, N_GENES, N_GROUPS, SHOWN, LEAST = 1_500, 1_000, 600, 12, 0.03, 3
BY_HAND = 15  # cells of the hidden type that are named when no group was of it
STAGES = (0, 2, N_GROUPS - 1)  # judged after so many groups, less one
SOFT, HARD, ANEW = "warm", "hard", "full"
WAYS = ("no update", "refit on the frozen latent", "its new classifier alone",
        "training on, labels as they were given", "training on, soft labels (tier 1)",
        "training anew, soft labels")  # fmt: skip


@dataclass(frozen=True)
class Cells:
    """Counts, true type codes, batch codes and the number of types of a data set."""

    counts: sparse.csr_array
    types: np.ndarray
    batch: np.ndarray
    n_types: int

    def train(
        self,
        y: np.ndarray,
        seed: int,
        warm: Annotator | None = None,
        soft: np.ndarray | None = None,
    ) -> Annotator:
        """Train a quick model on the labels `y` [n], or on soft labels of these types."""
        present = np.unique(y[y >= 0])
        lookup = np.full(self.n_types + 1, -1)
        lookup[present] = np.arange(present.size)
        genes = tuple(map(str, range(self.counts.shape[1])))
        batches = tuple(map(str, range(int(self.batch.max()) + 1)))
        cells = Inputs(
            self.counts, genes, lookup[y], tuple(map(str, present)), self.batch, batches,
            soft=soft,
        )  # fmt: skip
        config = TrainConfig(preset="quick", seed=seed, device="cpu")
        return Annotator.fit(cells, ModelConfig(), config, warm_start=warm)

    def said(self, model: Annotator) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities [n, all types] and z1 [n, L]."""
        found = model.predict(self.counts)
        full = np.zeros((len(self.types), self.n_types), dtype=np.float32)
        full[:, [int(name) for name in model.label_names]] = found.probabilities
        return full, found.z1


def load(name: str) -> Cells:
    """Read one of the data sets."""
    return read(data_sets.path(name), "cell_type")


def read(path: Path, labels: str) -> Cells:
    """Read at most 1,500 cells and, of more than 1,000 genes, the 600 most variable ones."""
    import anndata
    import scanpy

    data = anndata.read_h5ad(path)
    if data.n_obs > N_CELLS:
        data = data[np.random.default_rng(0).permutation(data.n_obs)[:N_CELLS]].copy()
    if data.n_vars > MAX_GENES:
        scanpy.pp.filter_genes(data, min_cells=3)
        logs = scanpy.pp.normalize_total(data, target_sum=1e4, copy=True)
        scanpy.pp.log1p(logs)
        scanpy.pp.highly_variable_genes(logs, n_top_genes=N_GENES, flavor="seurat")
        data = data[:, logs.var["highly_variable"].to_numpy()]
    counts = sparse.csr_array(data.X, dtype=np.float32)
    types = data.obs[labels].astype("category").cat
    batch = np.zeros(data.n_obs, dtype=np.int64)
    if "batch" in data.obs:
        batch = data.obs["batch"].astype("category").cat.codes.to_numpy(np.int64)
    codes = types.codes.to_numpy(np.int64)
    return Cells(counts, codes, batch, len(types.categories))


def review(cells: Cells, seed: int, *, hide: bool, errors: float = 0.0) -> dict[str, np.ndarray]:
    """Let an oracle decide the first groups of the queue; return labels and predictions."""
    model, found = decided(cells, seed, hide=hide, errors=errors)
    last = len(found["ys"]) - 1
    for at in (last,) if hide else (*STAGES[:2], last):
        for way in (SOFT, HARD, *([ANEW] if at == last else [])):
            found[f"{way}{at}"] = updated(cells, seed, model, found, (way, at))
    return found


def decided(
    cells: Cells, seed: int, *, hide: bool, errors: float = 0.0
) -> tuple[Annotator, dict[str, np.ndarray]]:
    """Return the model of the start, and what was decided: labels after each group, groups."""
    random, types = np.random.default_rng(seed), cells.types
    y = np.full(len(types), -1)
    for code in range(cells.n_types):
        rows = random.permutation(np.flatnonzero(types == code))
        y[rows[: max(LEAST, round(SHOWN * rows.size))]] = code
    hidden = -1
    if hide:
        hidden = int(random.choice(np.flatnonzero(np.bincount(types) >= 2 * BY_HAND)))
        y[y == hidden] = -1
    model = cells.train(y, seed)
    p, z = cells.said(model)
    now, steps, decision = y.copy(), [], np.full(len(types), -1)
    for number, group in enumerate(review_queue(z, p, y < 0, seed=0, max_items=N_GROUPS)):
        now[group.rows] = np.bincount(types[group.rows]).argmax()
        if errors and random.random() < errors:
            now[group.rows] = random.choice(np.setdiff1d(types, now[group.rows]))
        decision[group.rows] = number
        steps.append(now.copy())
    if hide and not (now == hidden).any():
        rows = random.permutation(np.flatnonzero((types == hidden) & (now < 0)))[:BY_HAND]
        now[rows], decision[rows] = hidden, N_GROUPS
        steps.append(now.copy())
    return model, {"truth": types, "y0": y, "p": p, "z": z, "hid": np.array(hidden),
                   "ys": np.array(steps), "decision": decision}  # fmt: skip


def updated(
    cells: Cells, seed: int, model: Annotator, found: dict[str, np.ndarray], what: tuple[str, int]
) -> np.ndarray:
    """Train in one way with the labels after one step; return the probabilities [n, types]."""
    way, at = what
    y = found["ys"][at]
    soft = learned(found["y0"], found["p"], found["z"], y, found["decision"])
    warm = None if way == ANEW else model
    return cells.said(cells.train(y, seed, warm, None if way == HARD else soft))[0]


def known(y0: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, Known]]:
    """Return the types that have a label, and the labels among them, before and now."""
    both = []
    for codes in (y0, y):
        names = np.unique(codes[codes >= 0])
        places = np.append(np.searchsorted(names, np.arange(names.max() + 1)), -1)
        both.append((names, Known(places[codes], tuple(map(str, names)))))
    return both


def learned(
    y0: np.ndarray, p: np.ndarray, z: np.ndarray, y: np.ndarray, decision: np.ndarray
) -> np.ndarray:
    """Return the soft labels [n, types of now] of the decisions made so far."""
    (old, before), (_, now) = known(y0, y)
    return soft_labels(z, p[:, old], before, now, np.where((y >= 0) & (y0 < 0), decision, -1))


def answers(found: dict[str, np.ndarray], at: int) -> dict[str, np.ndarray]:
    """Return the predicted types [n] of each way of updating, after the step `at`."""
    z, p, y0, y = found["z"], found["p"], found["y0"], found["ys"][at]
    (before, old), (now, new) = known(y0, y)
    points = (z - z.mean(axis=0)) / z.std(axis=0)
    rows, codes = y >= 0, new.y
    one = np.eye(now.size, dtype=bool)[codes[rows]]
    weights, _ = fit_head(points[rows].astype(np.float64), one, codes[rows], now.size)
    made = {
        WAYS[0]: p.argmax(axis=1),
        WAYS[1]: now[refit(z, p[:, before], old, new).argmax(axis=1)],
        WAYS[2]: now[(points @ weights[:-1] + weights[-1]).argmax(axis=1)],
    }
    trained = ((WAYS[3], f"{HARD}{at}"), (WAYS[4], f"{SOFT}{at}"), (WAYS[5], f"{ANEW}{at}"))
    return made | {way: found[key].argmax(axis=1) for way, key in trained if key in found}


def judged(found: dict[str, np.ndarray], at: int) -> dict[str, tuple[float, float, float]]:
    """Return accuracy, macro-F1 and recall of the hidden type on cells never labeled."""
    open_, truth, hidden = found["ys"][-1] < 0, found["truth"], int(found["hid"])
    scores = {}
    for way, told in answers(found, at).items():
        right = told[open_] == truth[open_]
        f1 = f1_score(truth[open_], told[open_], average="macro", zero_division=0)
        of_it = truth[open_] == hidden
        recall = right[of_it].mean() if of_it.any() else np.nan
        scores[way] = float(right.mean()), float(f1), float(recall)
    return scores


def main() -> None:
    """Simulate the reviews that are not in the folder yet, judge all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--errors", type=float, default=0.0, help="share of wrong names")
    data_sets.add_option(parser)
    asked = parser.parse_args()
    data_sets.paths(SETS)
    folder, wrongly = asked.folder, f".{asked.errors:g}_wrong" if asked.errors else ""
    seen: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    for name in SETS:
        for hide in (False, True):
            path = folder / f"{name}.0.{int(hide)}{wrongly}.npz"
            if not path.exists():
                made = review(load(name), 0, hide=hide, errors=asked.errors)
                np.savez(path, allow_pickle=False, **made)
            with np.load(path, allow_pickle=False) as file:
                found = dict(file)
            last = len(found["ys"]) - 1
            for stage, at in enumerate((last,) if hide else (*STAGES[:2], last)):
                for way, scores in judged(found, at).items():
                    seen.setdefault((way, 3 if hide else stage), []).append(scores)
                    sys.stdout.write(f"{name} {hide} {at} {way}: {np.round(scores, 3)}\n")
    name = f"refit_{asked.errors:g}_wrong" if asked.errors else "refit"
    write(name, table(seen, asked.errors))


def table(
    seen: dict[tuple[str, int], list[tuple[float, float, float]]], errors: float = 0.0
) -> Result:
    """Return the means over the data sets; a way that was not tried everywhere has no number."""

    def mean(way: str, stage: int, score: int) -> Cell:
        values = seen.get((way, stage), [])
        complete = len(values) == len(SETS)
        return round(float(np.nanmean([v[score] for v in values])), 3) if complete else None

    asked = [(0, 0), (1, 0), (2, 0), (2, 1), (3, 0), (3, 2)]
    rows = [[way, *(mean(way, stage, score) for stage, score in asked)] for way in WAYS]
    columns = ("way of updating", "right after 1 group", "after 3", f"after {N_GROUPS}",
               f"macro-F1 after {N_GROUPS}", "right, with a new type",
               "recall of that type")  # fmt: skip
    notes = [
        f"Means over {', '.join(SETS)}: one draw of labels and one hidden type each.",
        "Shares of the cells that stay without a label after all decisions.",
    ]
    title = "Predictions after review decisions, on cells nobody named"
    command = "python -m benchmarks.speed.refit FOLDER"
    if errors:
        notes.append(f"{errors:.0%} of the groups got a wrong name.")
        command += f" --errors {errors:g}"
    return Result(title, command, columns, rows, notes)


if __name__ == "__main__":
    main()
