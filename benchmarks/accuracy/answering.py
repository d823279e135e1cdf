"""From a file to predictions for hidden cells, by our program and by scvi-tools."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.accuracy.bridge import ask
from benchmarks.accuracy.cells import (
    N_GENES,
    Cells,
    batch_key,
    cells_of,
    hidden_cells,
    shown_labels,
)
from benchmarks.accuracy.methods import annotate, timed
from benchmarks.accuracy.scores import scores
from benchmarks.accuracy.task import Answer, Task
from scanvi_core.data.child import answer as answer_here
from scanvi_core.data.dataset import Dataset
from scanvi_core.data.genes.choose import detected_genes

LIMITS = {"memory_mb": 16_000.0, "timeout_s": 600.0}


@dataclass(frozen=True, slots=True)
class Try:
    """One recipe, from a file to predictions; seconds on the wall, and of computing."""

    recipe: str
    macro_f1: float
    seconds: float
    cpu_seconds: float
    n_cells: int


def attempt(path: Path, preset: str, fraction: float, mask: int) -> Try:
    """Go from a file to predictions once, with one of our presets, in this process."""
    seen: list[Cells] = []

    def whole(task: Task) -> dict[str, np.ndarray]:
        cells = read(path, task.cache / "data")
        seen.append(cells)
        return annotate(preset, _task(cells, fraction, mask, task.cache))

    with tempfile.TemporaryDirectory() as folder:
        nothing = Task(sparse.csr_array((0, 0)), np.zeros(0), np.zeros(0), mask, 1, Path(folder))
        return _judged(preset, seen, timed(whole, nothing), fraction, mask)


def scvi_tools(python: Path, path: Path, fraction: float, mask: int) -> Try:
    """Go from the same file to predictions with scvi-tools' default recipe."""
    with tempfile.TemporaryDirectory() as folder:
        cells = read(path, Path(folder, "data"))
        found = ask(python, "scvi_tools", _task(cells, fraction, mask, Path(folder)), path)
    return _judged("scvi-tools", [cells], found, fraction, mask)


def read(path: Path, folder: Path) -> Cells:
    """Read a file and choose genes as the app does, which leaves both to a child process."""
    _ask_here({"task": "import", "path": str(path), "matrix": None, "folder": str(folder)})
    dataset = Dataset.open(folder)
    genes = detected_genes(dataset)
    if len(genes) > N_GENES:
        question = {"task": "genes", "folder": str(folder), "n_top": N_GENES, "rows": None}
        more = {"batch_key": batch_key(dataset), "flavor": "seurat_v3"}
        genes = np.array(_ask_here(question | more), dtype=np.int64)
    return cells_of(dataset, genes)


def warm_all_up(folder: Path) -> None:
    """Go the whole way once with a tiny file, so that nothing is loaded or compiled later."""
    random = np.random.default_rng(0)
    types = np.arange(120) % 3
    means = random.gamma(0.5, 1.0, (3, N_GENES + 50))
    counts = sparse.csr_matrix(random.poisson(means[types]).astype(np.float32))
    obs = pd.DataFrame({"cell_type": types.astype(str)}, index=[f"cell{i}" for i in range(120)])
    var = pd.DataFrame(index=[f"gene{i}" for i in range(counts.shape[1])])
    anndata.AnnData(counts, obs=obs, var=var).write_h5ad(folder / "tiny.h5ad")
    attempt(folder / "tiny.h5ad", "quick", 0.1, 0)


def _ask_here(request: dict[str, Any]) -> Any:
    """Do in this process what the app has done by a child.

    Raises
    ------
    RuntimeError
        If it cannot be done.
    """
    reply = answer_here(request | LIMITS)
    if "error" in reply:
        raise RuntimeError(f"{request['task']}: {reply['error']}")
    return reply["result"]


def _task(cells: Cells, fraction: float, mask: int, cache: Path) -> Task:
    shown = shown_labels(cells.types, fraction, mask)
    return Task(cells.counts, shown, cells.batch, mask, 1, cache)


def _judged(recipe: str, seen: list[Cells], found: Answer, fraction: float, mask: int) -> Try:
    types = seen[0].types
    hidden = hidden_cells(types, shown_labels(types, fraction, mask))
    f1 = scores(types[hidden], found.probabilities[recipe][hidden]).macro_f1
    return Try(recipe, f1, found.seconds, found.cpu_seconds, len(types))
