"""How right a pack is on cells of other batches, against one training over both.

``python -m benchmarks.quality.packs`` writes ``benchmarks/results/packs.json``. A part of the
batches is annotated, exported as a pack, and the pack names the cells of the others, as the
program does it: its own genes, chosen without the query. `both` trains over reference and query
at once. Then a share of the pack's genes, drawn at random, is all that the query has: missing ones
are filled in, as the program does, or read as zeros.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import torch
from scipy import sparse

from benchmarks import data_sets
from benchmarks.accuracy import methods
from benchmarks.accuracy.cells import BATCH, LABELS, load
from benchmarks.accuracy.scores import scores
from benchmarks.accuracy.task import Task
from benchmarks.results_file import Result, write
from scanvi_core import runtime
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.narrow import narrowed
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.project.folder import create_project
from scanvi_core.project.pack import ENDING
from scanvi_core.services.export import pack
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit, holdout
from scanvi_core.services.packs import opening, start
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training.in_process import train
from scanvi_core.services.workspace import Workspace

SEEDS = (0, 1, 2)
KEPT = 0.8  # of the cells, drawn by the seed
SHARES = (0.75, 0.5, 0.3, 0.2, 0.1)  # of the pack's genes that the query has


@dataclass(frozen=True, slots=True)
class Mapping:
    """A data set, and how many of its batches, the largest or those named, are the reference."""

    name: str
    file: str
    n_reference: int
    named: str = ""


MAPPINGS = (
    Mapping("kang, control to stimulated", "kang_ifnb_2800.h5ad", 1, "CTRL"),
    Mapping("scmixology, one protocol to the others", "scmixology.h5ad", 1),
)
Found = dict[str, tuple[float, ...]]


def drawn(path: Path, mapping: Mapping, seed: int) -> tuple[anndata.AnnData, np.ndarray]:
    """Return the cells of a draw that have a label, and which are of the reference."""
    cells = anndata.read_h5ad(path)
    cells = cells[cells.obs[LABELS].notna().to_numpy()]
    random = np.random.default_rng(seed)
    kept = np.sort(random.choice(cells.n_obs, int(KEPT * cells.n_obs), replace=False))
    sizes = cells.obs[BATCH].value_counts()
    chosen = [mapping.named] if mapping.named else sizes.index[: mapping.n_reference].tolist()
    cells = cells[kept].copy()
    return cells, cells.obs[BATCH].isin(chosen).to_numpy()


def annotated(cells: anndata.AnnData, folder: Path, preset: str, seed: int) -> Workspace:
    """Return the project of a reference, trained."""
    cells.write_h5ad(folder / "reference.h5ad")
    opened = import_into(create_project("Reference"), folder / "reference.h5ad")
    edit.use_column(opened, LABELS, set())
    holdout.set_aside(opened, holdout.HoldoutRequest(holdout.NONE))
    config = TrainConfig(preset=preset, seed=seed, device="cpu")
    train(opened, TrainRequest(ModelConfig(), config), ForegroundJob(opened.id, lambda *_: None))
    return opened


def named_by(packed: Path, cells: anndata.AnnData, folder: Path) -> tuple[Workspace, float]:
    """Return the project of a query named by a pack, and the seconds that took."""
    query = cells.copy()
    del query.obs[LABELS]
    query.write_h5ad(folder / "query.h5ad")
    opened = import_into(create_project("Query"), folder / "query.h5ad")
    opened.project.update_settings(batch_key=BATCH if query.obs[BATCH].nunique() > 1 else None)
    began = time.perf_counter()
    with packed.open("rb") as stream:
        opening.look_at(opened, stream)
    looked = time.perf_counter() - began
    start.begin(opened, ForegroundJob(opened.id, lambda *_: None))
    found = results.current(opened)
    if found is None:
        raise RuntimeError("the pack named nothing")
    return opened, looked + found.summary["total_seconds"]


def judged(truth: np.ndarray, names: tuple[str, ...], table: np.ndarray) -> tuple[float, float]:
    """Return accuracy and macro-F1 over the cells whose type has a name."""
    code = {name: at for at, name in enumerate(names)}
    codes = np.array([code.get(name, -1) for name in truth])
    found = scores(codes[codes >= 0], table[codes >= 0])
    return found.accuracy, found.macro_f1


def by_both(
    file: Path, cells: anndata.AnnData, is_reference: np.ndarray, preset: str, seed: int, cut: Path
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the types and the probabilities of the query by one training over both."""
    genes = list(load(file, cut).genes)
    counts = sparse.csr_array(cells[:, genes].X, dtype=np.float32)
    names, codes = np.unique(cells.obs[LABELS].astype(str)[is_reference], return_inverse=True)
    y = np.full(cells.n_obs, -1, dtype=np.int64)
    y[is_reference] = codes
    batch = cells.obs[BATCH].astype("category").cat.remove_unused_categories().cat.codes
    task = Task(counts, y, batch.to_numpy(np.int64), seed, 1, cut)
    table = methods.annotate(preset, task)[preset]
    return tuple(names), table[~is_reference]


def measure(file: Path, mapping: Mapping, preset: str, seed: int, cut: Path) -> Found:
    """Return per method accuracy and macro-F1; of the pack its seconds and megabytes, too."""
    cells, is_reference = drawn(file, mapping, seed)
    truth = cells.obs[LABELS].astype(str).to_numpy()[~is_reference]
    with tempfile.TemporaryDirectory() as name, runtime.home_at(Path(name) / "home"):
        folder = Path(name)
        reference = annotated(cells[is_reference].copy(), folder, preset, seed)
        run = reference.current_run()
        if run is None:
            raise RuntimeError("the reference was not trained")
        packed = pack.write(run, reference, folder / f"a{ENDING}")
        query, seconds = named_by(packed, cells[~is_reference].copy(), folder)
        now = results.current(query)
        table = np.array(now.probabilities) if now is not None else np.empty(0)
        names = run.settings.label_names
        found: Found = {
            "pack": (*judged(truth, names, table), seconds, packed.stat().st_size / 1e6)
        }
        model = Annotator.load(run.paths.model, "cpu")
        found |= _with_fewer_genes(model, cells[~is_reference], truth, seed)
    names, table = by_both(file, cells, is_reference, preset, seed, cut)
    return {"both": judged(truth, names, table)} | found


def _with_fewer_genes(
    model: Annotator, cells: anndata.AnnData, truth: np.ndarray, seed: int
) -> Found:
    random, found = np.random.default_rng(seed), Found()
    counts = sparse.csr_array(cells[:, list(model.genes)].X, dtype=np.float32)
    order = random.permutation(counts.shape[1])
    for share in SHARES:
        there = np.sort(order[: int(share * len(order))])
        genes = [model.genes[at] for at in there]
        filled = narrowed(model, there, genes, ("new",)).predict(counts[:, there])
        mask = np.isin(np.arange(len(order)), there).astype(np.float32)
        zeros = model.predict(sparse.csr_array(counts @ sparse.diags_array(mask)))
        names = model.label_names
        found[f"pack, {share:.0%} of its genes"] = judged(truth, names, filled.probabilities)
        found[f"… the others read as zeros, {share:.0%}"] = judged(
            truth, names, zeros.probabilities
        )
    return found


def main() -> None:
    """Measure every mapping and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.packs")
    data_sets.add_option(parser)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[list[str | float | None]] = []
    with tempfile.TemporaryDirectory() as cut:
        for mapping in MAPPINGS:
            values = defaultdict[str, list[tuple[float, ...]]](list)
            for seed in asked.seeds:
                file = data_sets.path(mapping.file.removesuffix(".h5ad"))
                for name, each in measure(file, mapping, asked.preset, seed, Path(cut)).items():
                    values[name].append(each)
                    print(mapping.name, seed, name, *(f"{x:.3f}" for x in each), flush=True)
            for name, each_seed in values.items():
                table = np.array(each_seed)
                more = [round(float(x), 1) for x in table.mean(axis=0)[2:]] or [None, None]
                figures = [(table[:, i].mean(), table[:, i].std()) for i in (0, 1)]
                rows.append(
                    [mapping.name, name, *(float(x) for pair in figures for x in pair), *more]
                )
    write(
        "packs",
        Result(
            "Names of a query by the pack of a reference",
            f"python -m benchmarks.quality.packs --preset {asked.preset}",
            ("mapping", "method", "accuracy", "± sd", "macro-F1", "± sd of it",
             "seconds to names", "MB"),
            rows,
            (
                f"Mean and deviation over {len(asked.seeds)} draws of four in five cells.",
                "The genes that the query lacks are drawn at random.",
            ),
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
