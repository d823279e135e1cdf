"""Measure memory and cost per cell of the way from a data set on disk to predictions.

``python -m benchmarks.scale.memory [--cells 10000 30000 ...] [--folder FOLDER]`` simulates data
sets of 4,000 genes (about 8 % of the counts are not zero; 10 types, 40 % of the cells labeled, 3
batches, one cell in 1,000 without counts), each written in blocks of rows, and takes every one in
a process of its own through what a training run does: choose 2,000 variable genes, cut out 2,000
(the same at every size, so that costs compare), 300 optimizer steps and the linear models,
predictions for all cells.

Memory is the anonymous resident memory (RssAnon of ``/proc/self/status``: no pages of mapped
files) above that after imports and a first tiny training, read every 10 ms; Linux only. Costs are
processor seconds of one thread, so that other programs on the machine count little; a size that
is given twice is measured twice and averaged. The table is ``benchmarks/results/memory.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write

# The smallest data set first and last: the machine may be slower at one time than at another.
SIZES = (10_000, 3_000, 30_000, 300_000, 1_000_000, 10_000)
N_GENES, N_CHOSEN, N_TYPES, N_BATCHES, LABELED, EMPTY = 4_000, 2_000, 10, 3, 0.4, 1e-3
MORE = 0.3  # share of the counts that are 2 and not 1
BLOCK = 4_000  # simulated cells at a time
FACTOR, EXTRA_MB = 1.5, 300.0
FLAT = (10_000, 1_000_000)
SAMPLE_S = 0.01
CHILD = b"scanvi_core.data.child"  # before that is its name, it is a copy of this process
COLUMNS = (
    "cells",
    "training genes, MB",
    "limit, MB",
    "peak, MB",
    "choose genes, µs/cell",
    "cut, µs/cell",
    "step, ms",
    "predict, µs/cell",
    "300 steps, s",
    "linear models and calibration, s",
)


def simulate(folder: Path, n: int) -> None:
    """Write a data set of `n` cells; only a block of rows is ever in memory, and the CSC copy."""
    import pandas as pd
    import scipy.sparse as sp

    from scanvi_core.data.dataset import write_dataset
    from scanvi_core.data.qc.metrics import Quality

    random = np.random.default_rng(0)
    rates = random.lognormal(-3.9, 1.8, N_GENES) * random.lognormal(0, 0.7, (N_TYPES, N_GENES))
    types, batches = random.integers(0, N_TYPES, n), random.integers(0, N_BATCHES, n)
    folder.mkdir()
    totals, lengths = [], []
    with (folder / "data").open("wb") as data, (folder / "indices").open("wb") as indices:
        for start in range(0, n, BLOCK):
            block = _block(random, rates, types[start : start + BLOCK])
            block.data.tofile(data)
            block.indices.astype(np.int32).tofile(indices)
            lengths.append(np.diff(block.indptr))
            totals.append(block.sum(axis=1))
    n_genes = np.concatenate(lengths).astype(np.int64)
    starts = np.append(0, n_genes.cumsum()).astype(np.int32)
    parts = (np.memmap(folder / k, t, "r") for k, t in (("data", "f4"), ("indices", "i4")))
    counts = sp.csr_matrix((*parts, starts), shape=(n, N_GENES), copy=False)
    names = np.array([*(f"type {k}" for k in range(N_TYPES)), None], dtype=object)
    shown = random.random(n) < LABELED
    obs = pd.DataFrame(
        {"label": names[np.where(shown, types, N_TYPES)], "batch": [f"b{k}" for k in batches]},
        index=[f"cell {i}" for i in range(n)],
    )
    var = pd.DataFrame(index=[f"GENE{i}" for i in range(N_GENES)])
    quality = Quality(np.concatenate(totals).astype(np.float64), n_genes, np.zeros(n), 0)
    manifest: dict[str, Any] = {"obs_columns": dict.fromkeys(obs), "symbol_column": None}
    write_dataset(folder / "dataset", counts, (obs, var), {}, quality, manifest)
    for part in ("data", "indices"):
        (folder / part).unlink()


def _block(random: np.random.Generator, rates: np.ndarray, types: np.ndarray) -> Any:
    import scipy.sparse as sp

    seen = (-np.expm1(-rates) * 2**16).astype(np.uint16)[types]
    drawn = random.integers(0, 2**64, seen.size // 4, dtype=np.uint64).view(np.uint16)
    hit = drawn.reshape(seen.shape) < seen
    hit[random.random(len(types)) < EMPTY] = False
    place = np.flatnonzero(hit)
    values = np.float32(1) + (random.random(place.size, dtype=np.float32) < MORE)
    starts = np.append(0, np.count_nonzero(hit, axis=1).cumsum())
    return sp.csr_array((values, place % N_GENES, starts), shape=hit.shape)


class Watch:
    """Reads the memory of this process and of its children all the time, and adds up costs."""

    def __init__(self) -> None:
        self.base, self.peak, self.children = anonymous_mb(os.getpid()), 0.0, 0.0
        self.costs: dict[str, float] = {}
        self.peaks: dict[str, float] = {}
        self.ticks: list[float] = []
        self._over = threading.Event()
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.peak = max(self.peak, anonymous_mb(os.getpid()))
            for child in own_children():
                self.children = max(self.children, anonymous_mb(child))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Keep processor seconds (children included) and peak memory of a part of the work."""
        before, wall, self.peak = processor_s(), time.perf_counter(), 0.0
        yield
        self.costs[name] = processor_s() - before
        self.costs[f"{name}_wall"] = time.perf_counter() - wall
        self.peaks[name] = max(self.peak, anonymous_mb(os.getpid())) - self.base

    def tick(self) -> bool:
        """Note that an optimizer step is over; asked as ``should_stop``, whose answer is no."""
        self.ticks.append(time.thread_time())
        return False

    def report(self) -> dict[str, Any]:
        """Stop watching and return what was seen."""
        self._over.set()
        return {
            "base_mb": self.base,
            "peak_mb": max(self.peaks.values()),
            "peaks_mb": self.peaks,
            "child_peak_mb": self.children,
            "costs_s": self.costs,
            "step_s": float(np.median(np.diff(self.ticks))),
        }


def own_children() -> list[int]:
    """Return the processes that choose genes for this one."""
    try:
        lists = [(task / "children").read_text() for task in Path("/proc/self/task").iterdir()]
        pids = [pid for text in lists for pid in text.split()]
        return [int(p) for p in pids if CHILD in Path(f"/proc/{p}/cmdline").read_bytes()]
    except OSError:  # a thread or a process ended in between
        return []


def anonymous_mb(pid: int) -> float:
    """Return the resident memory, in MB, that is backed by no file; 0 once the process ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def processor_s() -> float:
    """Return the processor seconds of this thread and of all children that have ended."""
    times = os.times()
    return time.thread_time() + times.children_user + times.children_system


def measure(folder: Path) -> dict[str, Any]:
    """Take the data set through a training run; return costs in seconds and memory in MB."""
    import pandas as pd
    import torch

    from scanvi_core.annotation.model.annotator import Annotator, warm_up
    from scanvi_core.annotation.model.inputs import Inputs
    from scanvi_core.config import ModelConfig, TrainConfig
    from scanvi_core.data.dataset import Dataset
    from scanvi_core.data.genes.choose import variable_genes
    from scanvi_core.train.history import Hooks

    torch.set_num_threads(1)
    warm_up()
    watch = Watch()
    with watch.phase("open"):
        dataset = Dataset.open(folder / "dataset")
        y, names = pd.factorize(dataset.column("label"))
        batch, batch_names = pd.factorize(dataset.column("batch"))
    with watch.phase("choose"):
        variable_genes(dataset.folder, N_CHOSEN, "batch")
    # The same genes at every size, so that cells have as many counts to cut and to learn from.
    genes = np.arange(0, N_GENES, N_GENES // N_CHOSEN)
    with watch.phase("cut"):
        counts = dataset.genes_matrix(genes)
    named = tuple(dataset.var_names[genes]), y, tuple(names), batch.astype(np.int64)
    cells = Inputs(counts, *named, tuple(batch_names))
    with watch.phase("fit"):
        config = TrainConfig(preset="quick", device="cpu")
        model = Annotator.fit(cells, ModelConfig(), config, hooks=Hooks(should_stop=watch.tick))
        ended = time.thread_time()
    with watch.phase("predict"):
        model.predict(counts)
    csr = (counts.data, counts.indices, counts.indptr)
    return {
        "cells": dataset.n_obs,
        "csr_mb": sum(part.nbytes for part in csr) / 1e6,
        "density": counts.nnz / dataset.n_obs / N_CHOSEN,
        "train_s": watch.ticks[-1] - watch.ticks[0],
        "after_s": ended - watch.ticks[-1],
        **watch.report(),
    }


def run(n: int, folder: Path) -> dict[str, Any]:
    """Simulate and measure `n` cells, each in a process of its own; delete the data."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        home, found = Path(name) / "data", ""
        for task in ("simulate", "measure"):
            command = [sys.executable, "-m", "benchmarks.scale.memory", task, str(home), str(n)]
            one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            found = subprocess.run(  # noqa: S603  (our own module)
                command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | one
            ).stdout
        return dict(json.loads(found.splitlines()[-1]))


def row(found: list[dict[str, Any]]) -> list[Cell]:
    """Return the table's row for the measurements of one size."""

    def mean(*path: str) -> float:
        values: list[Any] = found
        for key in path:
            values = [value[key] for value in values]
        return float(np.mean(values))

    n, csr = found[0]["cells"], found[0]["csr_mb"]
    per_cell = [round(1e6 * mean("costs_s", k) / n, 1) for k in ("choose", "cut", "predict")]
    return [
        n,
        round(csr),
        round(FACTOR * csr + EXTRA_MB),
        round(max(one["peak_mb"] for one in found)),
        *per_cell[:2],
        round(1e3 * mean("step_s"), 1),
        per_cell[2],
        round(mean("train_s"), 1),
        round(mean("after_s"), 1),
    ]


def notes(rows: list[list[Cell]], every: list[dict[str, Any]]) -> list[str]:
    """Say in sentences whether memory stays in the limit and costs per cell stay flat."""
    within = all(row[3] <= row[2] for row in rows)  # type: ignore[operator]  # all numbers
    limit = f"{FACTOR} x the CSR bytes of the training genes + {EXTRA_MB:.0f} MB"
    said = [f"Peak memory {'stays within' if within else 'EXCEEDS'} {limit}."]
    child = max(one["child_peak_mb"] for one in every)
    said.append(f"Genes are chosen in a process of their own, of at most {child:.0f} MB in all.")
    ends = [next((row for row in rows if row[0] == n), None) for n in FLAT]
    if ends[0] and ends[1]:
        ratios = [
            f"{COLUMNS[at].split(',')[0]} {float(ends[1][at] or 0) / float(ends[0][at] or 1):.2f}"
            for at in (4, 5, 6, 7)
        ]
        said.append(f"Cost at {FLAT[1]:,} cells over that at {FLAT[0]:,}: {', '.join(ratios)}.")
    return said


def main() -> None:
    """Measure all sizes and write the table; or, as a child, do one part of one size."""
    if sys.argv[1:2] == ["simulate"]:
        simulate(Path(sys.argv[2]), int(sys.argv[3]))
        return
    if sys.argv[1:2] == ["measure"]:
        sys.stdout.write(json.dumps(measure(Path(sys.argv[2]))) + "\n")
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args()
    every: list[dict[str, Any]] = []
    for n in asked.cells:
        every.append(run(n, asked.folder))
        sys.stdout.write(json.dumps(every[-1], indent=1) + "\n")
        sys.stdout.flush()
    sizes = sorted({one["cells"] for one in every})
    rows = [row([one for one in every if one["cells"] == n]) for n in sizes]
    title = "Memory and cost per cell from a data set on disk to predictions, one thread"
    command = "python -m benchmarks.scale.memory"
    result = Result(title, command, COLUMNS, rows, notes(rows, every), more={"runs": every})
    if len(sizes) > 1:
        write("memory", result)
    sys.stdout.write("\n".join(result.notes) + "\n")


if __name__ == "__main__":
    main()
