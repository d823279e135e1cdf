"""Time what follows a relabel of 30,000 cells: provisional predictions, and the updated model.

``python -m benchmarks.speed.retrain [--cells N] [--threads N]`` draws cells from a real data set
(`SOURCE`), labels a part, trains a first model for one
pass, names one group of cells anew, and times

- tier 0, `annotation.refit.refit`: provisional predictions of all cells on the frozen latent;
- tier 1, as the app updates a model: `Annotator.fit` from the current weights, then
  `Annotator.predict` of all cells; and each part of it once more by itself;
- the map of all cells, which the app draws after that.

Seconds on the wall mean something on an idle machine only; processor seconds are beside them.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from benchmarks import data_sets
from benchmarks.results_file import Cell, Result, write
from scanvi_core import runtime
from scanvi_core.annotation.decisions.refit import Known, refit
from scanvi_core.annotation.layout.embedding import FAST_EPOCHS, umap_of
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.model.linear_models import fit_linear_models
from scanvi_core.annotation.model.prediction import Predictions
from scanvi_core.config import RETRAIN_STEPS, ModelConfig, TrainConfig
from scanvi_core.data.normalization import log_normalized

SOURCE = "kang_ifnb_2800"
N_GENES, LABELED, DECIDED = 2_000, 0.1, 60
REPEATS, REFITS = 2, 5
COLUMNS = ("step", "median s", "fastest s", "slowest s", "processor s")


@dataclass(frozen=True)
class Cells:
    """Counts [n, genes], type codes [n], batch codes [n]."""

    counts: sparse.csr_array
    types: np.ndarray
    batch: np.ndarray

    def training_set(self, y: np.ndarray, n_types: int) -> Inputs:
        """Return what an `Annotator` learns from."""
        genes = tuple(f"gene {i}" for i in range(self.counts.shape[1]))
        names = tuple(f"type {i}" for i in range(n_types))
        batches = tuple(f"batch {i}" for i in range(int(self.batch.max()) + 1))
        return Inputs(self.counts, genes, y, names, self.batch, batches)


def source() -> tuple[str, Cells]:
    """Return the cells to draw from, and what they are."""
    import anndata

    data = anndata.read_h5ad(data_sets.path(SOURCE))
    counts = sparse.csr_array(data.X, dtype=np.float32)
    logs = log_normalized(counts)
    mean, square = (np.asarray(x.mean(axis=0)).ravel() for x in (logs, logs.power(2)))
    genes = np.sort(np.argsort(mean**2 - square)[:N_GENES])
    types, batch = (data.obs[key].astype("category").cat.codes for key in ("cell_type", "batch"))
    return SOURCE, Cells(counts[:, genes], types.to_numpy(int), batch.to_numpy(int))


def drawn(cells: Cells, n: int) -> Cells:
    """Return `n` cells: half the counts of each of two cells of one type and batch."""
    random = np.random.default_rng(0)
    first = random.integers(0, cells.counts.shape[0], n)
    second = first.copy()
    kinds = cells.types * 1_000 + cells.batch
    for kind in np.unique(kinds):
        rows = kinds[first] == kind
        second[rows] = random.choice(np.flatnonzero(kinds == kind), int(rows.sum()))
    halves = cells.counts[first], cells.counts[second]
    for half in halves:
        half.data = random.binomial(half.data.astype(np.int64), 0.5).astype(np.float32)
    mixed = sparse.csr_array(halves[0] + halves[1])
    mixed.eliminate_zeros()
    return Cells(mixed, cells.types[first], cells.batch[first])


def timed(work: Callable[[], Any], repeats: int) -> tuple[list[Cell], Any]:
    """Return median, fastest, slowest and processor seconds, and the last result."""
    walls, cpus, found = [], [], None
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        found = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    numbers = (statistics.median(walls), min(walls), max(walls), statistics.median(cpus))
    return [round(number, 2) for number in numbers], found


def tier_0(model: Annotator, said: Predictions, before: np.ndarray, now: np.ndarray) -> list[Cell]:
    """Time the refit on the frozen latent, on one thread as the app does it."""
    names = model.label_names
    args = said.z1, said.probabilities, Known(before, names), Known(now, names)
    with threadpool_limits(1, user_api="blas"):
        return timed(lambda: refit(*args), REFITS)[0]


def tier_1(cells: Inputs, model: Annotator, config: TrainConfig) -> list[list[Cell]]:
    """Time an update of the model, its parts once more by themselves, and the map."""

    def update() -> tuple[Annotator, Predictions]:
        new = Annotator.fit(cells, model.model_config, config, warm_start=model)
        return new, new.predict(cells.counts)

    whole, (new, said) = timed(update, REPEATS)
    random = np.random.default_rng(0)
    kept = model.linear_models.space  # as an update keeps it
    linear_models, _ = timed(
        lambda: fit_linear_models(cells.counts, cells.y, len(cells.label_names), random, kept), 1
    )
    predict, _ = timed(lambda: new.predict(cells.counts), 1)
    networks, _ = timed(lambda: _networks(new, cells.counts), 1)
    beside, _ = timed(lambda: new.linear_models.predict(cells.counts), 1)
    steps = round(new.history.records[-1].seconds, 2)
    start = said.z1[:, :2].copy()
    layout, _ = timed(lambda: umap_of(said.z1, seed=0, init=start, n_epochs=FAST_EPOCHS), 1)
    return [
        ["tier 1: updated model, predictions of all cells", *whole],
        [f"of it: {RETRAIN_STEPS} training steps", steps, None, None, None],
        ["of it: fitting the two linear models", *linear_models],
        ["of it: predicting all cells", *predict],
        ["of that: the networks", *networks],
        ["of that: the linear models", *beside],
        ["afterwards: one map (the app draws two)", *layout],
    ]


@torch.no_grad()
def _networks(model: Annotator, counts: sparse.csr_array) -> None:
    """Run the networks over all cells, as `predict` does."""
    from scanvi_core.train.loader import blocks, rows_of

    rows = rows_of(counts, torch.device("cpu"))
    for block in blocks(np.arange(counts.shape[0])):
        x = rows.fetch(block)
        model.module.classify(x)
        model.module.get_latents(x)


def main() -> None:
    """Time both tiers and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=30_000)
    parser.add_argument("--threads", type=int, default=2)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    name, base = source()
    cells = drawn(base, asked.cells)
    density = cells.counts.nnz / np.prod(cells.counts.shape)
    random = np.random.default_rng(1)
    y = np.where(random.random(asked.cells) < LABELED, cells.types, -1)
    n_types = int(cells.types.max()) + 1
    config = TrainConfig(device="cpu")
    first = replace(config, max_epochs=1, batch_size=1_024)  # its quality does not matter here
    model = Annotator.fit(cells.training_set(y, n_types), ModelConfig(), first)
    said = model.predict(cells.counts)
    now = y.copy()
    open_ = np.flatnonzero((y < 0) & (said.probabilities.argmax(axis=1) == 0))
    now[open_[:DECIDED]] = 1
    rows: list[list[Cell]] = [["tier 0: provisional predictions", *tier_0(model, said, y, now)]]
    rows += tier_1(cells.training_set(now, n_types), model, config)
    for row in rows:
        sys.stdout.write(f"{row}\n")
    drawn_from = f"{asked.cells:,} cells drawn from {name}, {cells.counts.shape[1]:,} genes"
    shares = f"{density:.0%} of the counts not zero, {LABELED:.0%} of the cells labeled"
    threads = "1 thread" if asked.threads == 1 else f"{asked.threads} threads"
    notes = [
        f"{drawn_from}, {n_types} types, {shares}, {threads} (tier 0: 1).",
        f"Peak memory of the process: {runtime.peak_rss_mb():,.0f} MB.",
        "Wall seconds were taken on a machine with other work; processor seconds are steadier.",
    ]
    command = f"python -m benchmarks.speed.retrain --threads {asked.threads}"
    title = f"After a relabel of {asked.cells:,} cells"
    write("retrain", Result(title, command, COLUMNS, rows, notes))


if __name__ == "__main__":
    main()
