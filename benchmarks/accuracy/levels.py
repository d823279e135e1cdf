"""Learn from labels of two breadths: half of them only say the broader type.

``python -m benchmarks.accuracy.levels FOLDER`` writes ``benchmarks/results/levels.json``; FOLDER
keeps what was measured. On the data sets whose authors gave two levels, a share of the labels is
shown; of half of them, drawn at random, only the broader type.

Methods
-------
- `one model`: the broad labels leave their types open, as the program does;
- `fine only`: they are hidden;
- `coarse only`: all labels are broad, and so is the answer;
- `flat`: a broader name is a type of its own beside those in it.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import data_sets
from benchmarks.accuracy.cells import Cells, hidden_cells, load, shown_labels
from benchmarks.accuracy.scores import scores
from benchmarks.results_file import Cell, Result, write
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.uncertainty.hierarchy import back_off
from scanvi_core.config import LOW_CONFIDENCE, ModelConfig, TrainConfig
from scanvi_core.metrics.levels import hierarchical_f1
from scanvi_core.type_tree import TypeTree

BROADER = {  # as the authors, or those who keep the sets, put types under broader ones
    "zheng_facs_pbmc": {
        "T cell": (
            "CD4+/CD45RO+ Memory", "CD4+ T Helper2", "CD8+/CD45RA+ Naive Cytotoxic",
            "CD4+/CD25 T Reg", "CD8+ Cytotoxic T", "CD4+/CD45RA+/CD25- Naive T",
        ),
    },
    "pancreas_endo_1k": {"Endocrine": ("Beta", "Alpha", "Epsilon", "Delta")},
    "tms_liver": {"leukocyte": ("T cell", "B cell", "myeloid leukocyte")},
}  # fmt: skip
FRACTIONS = (0.03, 0.1, 0.3)
SEEDS = (0, 1, 2, 3, 4)
MEASURES = (
    "fine accuracy", "fine macro-F1", "coarse accuracy", "coarse macro-F1", "hierarchical F1",
    "ECE fine", "ECE coarse", "answered", "right of them", "fine among them",
)  # fmt: skip


@dataclass(frozen=True)
class Levels:
    """Cells, and the tree of their types."""

    cells: Cells
    tree: TypeTree

    @property
    def broad(self) -> np.ndarray:
        """The broader type of each type [K], as a position in the nodes of the tree."""
        return self.tree.members.argmax(axis=0)


def read(name: str, folder: Path) -> Levels:
    """Read a data set, and put its types under broader ones."""
    cells = load(data_sets.path(name), folder)
    parents = {type_: (above,) for above, types in BROADER[name].items() for type_ in types}
    return Levels(cells, TypeTree(cells.type_names, parents))


def shown_codes(levels: Levels, fraction: float, seed: int) -> np.ndarray:
    """Return the labels that are shown [n], half of them broad; of each type at least two fine."""
    shown = shown_labels(levels.cells.types, fraction, seed)
    random, n_types = np.random.default_rng(seed + 1_000), len(levels.tree.leaves)
    for code in range(n_types):
        rows = random.permutation(np.flatnonzero(shown == code))
        coarsened = rows[: min(len(rows) // 2, max(0, len(rows) - 2))]
        shown[coarsened] = n_types + levels.broad[code]
    return shown


def probabilities(levels: Levels, y: np.ndarray, tree: TypeTree, seed: int) -> np.ndarray:
    """Return what a model trained on the codes `y` of a tree says of all cells."""
    cells = levels.cells
    names = tuple(map(str, range(int(cells.batch.max()) + 1)))
    inputs = Inputs(cells.counts, cells.genes, y, tree.leaves, cells.batch, names, tree.parents)
    config = TrainConfig(preset="quick", seed=seed, device="cpu")
    fitted = Annotator.fit(inputs, ModelConfig(), config)
    return fitted.predict(cells.counts).probabilities


def answers(levels: Levels, shown: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return the probabilities of each method: of the types [n, K], or of all codes."""
    tree, n_types = levels.tree, len(levels.tree.leaves)
    flat = TypeTree(levels.tree.leaves)
    codes = np.append(levels.broad, -1)
    as_broad = np.where(shown >= n_types, shown - n_types, codes[np.minimum(shown, n_types - 1)])
    as_broad = np.where(shown < 0, -1, as_broad)
    nodes = sorted(set(as_broad[as_broad >= 0].tolist()))
    of_node = np.append(np.searchsorted(nodes, np.arange(len(tree.nodes))), -1)
    used = sorted(set(shown[shown >= 0].tolist()))
    of_used = np.append(np.searchsorted(used, np.arange(len(tree.code_names))), -1)
    names = tree.code_names
    flat_tree = TypeTree(tuple(f"{code}" for code in used))
    broad_tree = TypeTree(tuple(tree.nodes[node] for node in nodes))
    fine = np.where(shown < n_types, shown, -1)
    found = {
        "one model": probabilities(levels, shown, tree, seed),
        "fine only": probabilities(levels, fine, flat, seed),
    }
    coarse = np.zeros((len(shown), len(tree.nodes)))
    coarse[:, nodes] = probabilities(levels, of_node[as_broad], broad_tree, seed)
    every = np.zeros((len(shown), len(names)))
    every[:, used] = probabilities(levels, of_used[shown], flat_tree, seed)
    return found | {"coarse only": coarse, "flat": every}


def measures(levels: Levels, name: str, p: np.ndarray, rows: np.ndarray) -> list[float]:
    """Return the measures of a method on hidden cells; NaN where it has no answer of that kind."""
    tree, truth = levels.tree, levels.cells.types[rows]
    n_types, p = len(tree.leaves), p[rows].astype(np.float64)
    none = float("nan")
    if name == "coarse only":
        found = scores(levels.broad[truth], p)
        return [none, none, found.accuracy, found.macro_f1, none, none, found.ece,
                none, none, none]  # fmt: skip
    if name == "flat":  # a broad answer is wrong as a fine one
        fine = scores(truth, p)
        coarse = scores(levels.broad[truth], p[:, n_types:] + tree.probabilities(p[:, :n_types]))
        f1 = hierarchical_f1(tree, truth, p.argmax(axis=1))
        return [fine.accuracy, fine.macro_f1, coarse.accuracy, coarse.macro_f1, f1, fine.ece,
                coarse.ece, none, none, none]  # fmt: skip
    fine, coarse = scores(truth, p), scores(levels.broad[truth], tree.probabilities(p))
    said = back_off(p, tree, LOW_CONFIDENCE)
    named = said.code >= 0
    right = tree.allowed[said.code[named], truth[named]]
    return [
        fine.accuracy, fine.macro_f1, coarse.accuracy, coarse.macro_f1,
        hierarchical_f1(tree, truth, p.argmax(axis=1)), fine.ece, coarse.ece,
        float(named.mean()), float(right.mean()), float((said.code[named] < n_types).mean()),
    ]  # fmt: skip


def kept(name: str, fraction: float, seed: int, folder: Path) -> dict[str, list[float]]:
    """Return what one draw gave, measured unless it is in the folder already."""
    path = folder / f"{name}.{fraction}.{seed}.json"
    if not path.exists():
        with tempfile.TemporaryDirectory() as cache:
            levels = read(name, Path(cache))
            shown = shown_codes(levels, fraction, seed)
            rows = hidden_cells(levels.cells.types, shown)
            found = {
                method: measures(levels, method, p, rows)
                for method, p in answers(levels, shown, seed).items()
            }
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
    return dict(json.loads(path.read_text()))


def main() -> None:
    """Measure every draw that the folder does not tell of yet, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.levels")
    parser.add_argument("folder", type=Path, help="keeps what was measured, for a second call")
    data_sets.add_option(parser)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    asked = parser.parse_args()
    rows: list[list[Cell]] = []
    for fraction in FRACTIONS:
        draws = [kept(name, fraction, s, asked.folder) for name in BROADER for s in asked.seeds]
        for method in draws[0]:
            means = np.array([draw[method] for draw in draws]).mean(axis=0)
            told = [None if np.isnan(mean) else float(mean) for mean in means]
            rows.append([f"{fraction:.0%}", method, *told])
            print(*rows[-1], flush=True)
    write(
        "levels",
        Result(
            "Labels of two breadths: half of them only say the broader type",
            "python -m benchmarks.accuracy.levels FOLDER",
            ("labels shown", "method", *MEASURES),
            rows,
            (
                f"Means over {len(BROADER)} sets with two levels, {len(asked.seeds)} draws each.",
                f"Answered: some type of the cell, broad or fine, is {LOW_CONFIDENCE:.0%} sure.",
            ),
        ),
    )


if __name__ == "__main__":
    main()
