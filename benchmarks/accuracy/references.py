"""Name the cells of one part of a data set by the labels of another: reference and query.

``python -m benchmarks.accuracy.references FOLDER`` writes ``benchmarks/results/references.json``;
FOLDER keeps what was measured. A part of the batches is the reference, whose labels are all shown;
the query has none. By seed the cells (four in five) or the donors of the reference are drawn.

Methods
-------
- `both`: one training over reference and query, as the program does with ``--reference``;
- `reference alone`: a model of the reference, applied to the query. Surgery as in scArches
  (Lotfollahi et al. 2022) names the cells the same: it trains only what the decoder adds for the
  new batches, and names come from the encoder;
- linear models on genes, on components of all cells, and their product;
- with ``--scvi-python``, scvi-tools' SCANVI, trained over both by its default recipe,
  in the environment of that interpreter (minutes a draw).
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import data_sets
from benchmarks.accuracy import bridge, methods
from benchmarks.accuracy.cells import Cells, load
from benchmarks.accuracy.scores import scores
from benchmarks.accuracy.task import Task
from benchmarks.results_file import Result, write

SEEDS = (0, 1, 2, 3, 4)
Measured = dict[str, tuple[float, float]]  # accuracy and macro-F1 of each method

KEPT = 0.8  # of the cells, where the reference is always the same batch
BASELINES: dict[str, Callable[[Task], dict[str, np.ndarray]]] = {
    "logistic": methods.logistic,
    "pca+logistic": methods.pca_logistic,
    "product": methods.product,
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A data set, and how many of its batches are the reference; 0: half of them, drawn."""

    name: str
    file: str
    n_reference: int


MAPPINGS = (
    Mapping("kang, control to stimulated", "kang_ifnb_2800.h5ad", 1),
    Mapping("onek1k, 20 donors to 20", "onek1k_40donors.h5ad", 0),
    Mapping("scmixology, one protocol to the others", "scmixology.h5ad", 1),
)


def drawn(cells: Cells, mapping: Mapping, seed: int) -> tuple[Cells, np.ndarray]:
    """Return the cells of a draw, and which of them are of the reference."""
    random = np.random.default_rng(seed)
    sizes = np.bincount(cells.batch)
    if mapping.n_reference:
        chosen = np.argsort(sizes, kind="stable")[::-1][: mapping.n_reference]
        if cells.name.startswith("kang"):
            chosen = np.array([0])  # control
        kept = np.sort(random.choice(len(cells.types), int(KEPT * len(cells.types)), False))
    else:
        chosen = random.choice(len(sizes), len(sizes) // 2, replace=False)
        kept = np.arange(len(cells.types))
    part = replace(
        cells, counts=cells.counts[kept], types=cells.types[kept], batch=cells.batch[kept]
    )
    return part, np.isin(part.batch, chosen)


def answers(
    cells: Cells, is_reference: np.ndarray, preset: str, seed: int, scvi_python: Path | None
) -> dict[str, np.ndarray]:
    """Return the probabilities [n_query, K] that each method gives for the query."""
    known = np.unique(cells.types[is_reference & (cells.types >= 0)])
    codes = np.full(len(cells.type_names) + 1, -1)
    codes[known] = np.arange(len(known))
    y = np.where(is_reference, codes[cells.types], -1)
    with tempfile.TemporaryDirectory() as cache:
        task = Task(cells.counts, y, cells.batch, seed, 1, Path(cache))
        found = {name: method(task)[name] for name, method in BASELINES.items()}
        found["both"] = methods.annotate(preset, task)[preset]
        if scvi_python is not None:
            found |= bridge.ask(scvi_python, "scvi_tools", task).probabilities
    query = ~is_reference
    return {name: table[query] for name, table in found.items()} | {
        "reference alone": _reference_alone(cells, is_reference, y, preset, seed)
    }


def _reference_alone(
    cells: Cells, is_reference: np.ndarray, y: np.ndarray, preset: str, seed: int
) -> np.ndarray:
    from scanvi_core.annotation.model.annotator import Annotator
    from scanvi_core.annotation.model.inputs import Inputs
    from scanvi_core.config import ModelConfig, TrainConfig

    batches, batch = np.unique(cells.batch[is_reference], return_inverse=True)
    inputs = Inputs(
        cells.counts[is_reference],
        cells.genes,
        y[is_reference],
        tuple(map(str, range(int(y.max()) + 1))),
        batch,
        tuple(map(str, batches)),
    )
    fitted = Annotator.fit(
        inputs, ModelConfig(), TrainConfig(preset=preset, seed=seed, device="cpu")
    )
    return fitted.predict(cells.counts[~is_reference]).probabilities


def measure(
    mapping: Mapping, cells: Cells, preset: str, seed: int, scvi_python: Path | None = None
) -> Measured:
    """Return accuracy and macro-F1 on the query of each method, over types the reference has."""
    part, is_reference = drawn(cells, mapping, seed)
    known = np.unique(part.types[is_reference & (part.types >= 0)])
    truth = np.searchsorted(known, part.types)
    judged = np.isin(part.types, known)[~is_reference]
    return {
        name: (found.accuracy, found.macro_f1)
        for name, table in answers(part, is_reference, preset, seed, scvi_python).items()
        for found in [scores(truth[~is_reference][judged], table[judged])]
    }


def kept(mapping: Mapping, cells: Cells, asked: argparse.Namespace, seed: int) -> Measured:
    """Return what one draw gave, measured unless it is in the folder already."""
    outside = ".scvi" if asked.scvi_python else ""
    path = asked.folder / f"{cells.name}.{asked.preset}.{seed}{outside}.json"
    if not path.exists():
        found = measure(mapping, cells, asked.preset, seed, asked.scvi_python)
        asked.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
    return {name: (right, f1) for name, (right, f1) in json.loads(path.read_text()).items()}


def main() -> None:
    """Measure every mapping that the folder does not tell of yet, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.references")
    parser.add_argument("folder", type=Path, help="keeps what was measured, for a second call")
    data_sets.add_option(parser)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--scvi-python", type=Path, metavar="PYTHON")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    asked = parser.parse_args()
    rows: list[list[str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for mapping in MAPPINGS:
            cells = load(data_sets.path(mapping.file.removesuffix(".h5ad")), Path(folder))
            found = [kept(mapping, cells, asked, seed) for seed in asked.seeds]
            for name in found[0]:
                accuracy, f1 = np.array([each[name] for each in found]).T
                row = [mapping.name, name, float(accuracy.mean()), float(accuracy.std())]
                rows.append([*row, float(f1.mean()), float(f1.std())])
                print(*rows[-1], flush=True)
    outside = " --scvi-python PYTHON" if asked.scvi_python else ""
    write(
        "references",
        Result(
            "Names of a query by the labels of a reference",
            f"python -m benchmarks.accuracy.references FOLDER --preset {asked.preset}{outside}",
            ("mapping", "method", "accuracy", "± sd", "macro-F1", "± sd of it"),
            rows,
            (f"Mean and standard deviation over {len(asked.seeds)} draws.",),
        ),
    )


if __name__ == "__main__":
    main()
