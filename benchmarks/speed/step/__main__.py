"""Time a training step beside scvi-tools' SCANVI, on the same counts, taking turns in one run.

``python -m benchmarks.speed.step --scvi-python ../bench/bin/python`` writes results/step.json,
with ``--device cuda --cells 128 1024 4096`` results/step_cuda.json.

Architecture and minibatch are those of scvi-tools' default: 128 cells and 128 labeled cells,
2,000 genes, 128 hidden units, 10 latent dimensions, 10 labels, dispersion by gene. A step is all
there is to it: cutting the minibatch, loss, gradients, optimizer; Lightning's own work is left
out of scvi-tools' side. Each implementation is a process of its own; they take turns of a few
steps, and what is reported is the median over turns of a turn's median step. A graphics card is
not waited for after every step, so there a turn has more steps and counts as their mean; the
cells come many times, so that passes over them are of a usual length.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import data_sets
from benchmarks.results_file import FOLDER, Result, command_line, write

GENES, LABELS = 2_000, 10
TURN, ROUNDS = {"cpu": 12, "cuda": 100}, 8
CUDA_COPIES = 100  # of the data set
TARGET = "Target on one H200: a million cells/s, and 30 times scvi-tools."
NAMES = ("scvi-tools", "eager", "compiled")
COLUMNS = [
    "likelihood",
    "threads",
    "cells",
    "scvi-tools 1.4.2, ms",
    "eager, ms",
    "compiled, ms",
    "compiled, cells/s",
    "eager, times",
    "compiled, times",
]


@dataclass(slots=True)
class Worker:
    """An implementation in its own process, which takes steps when told to."""

    name: str
    process: "subprocess.Popen[str]"
    hello: dict[str, Any]
    turns: list[float]

    def take_turn(self, n_steps: int) -> None:
        """Take some steps and remember their median."""
        self.turns.append(statistics.median(self.ask(n_steps)))

    def ask(self, n_steps: int) -> list[float]:
        """Take some steps; return the seconds each took, or on a graphics card their mean."""
        assert self.process.stdin is not None  # noqa: S101  (a pipe was asked for)
        self.process.stdin.write(f"{n_steps}\n")
        self.process.stdin.flush()
        return self.listen()

    def listen(self) -> Any:
        """Return what the process says next."""
        assert self.process.stdout is not None  # noqa: S101  (a pipe was asked for)
        for line in self.process.stdout:
            if line[0] in "[{":
                return json.loads(line)
        raise RuntimeError(f"{self.name} has stopped.")


def start(name: str, command: list[str], asked: dict[str, Any]) -> Worker:
    """Start an implementation and wait until it is ready; two steps for warming up."""
    threads = str(asked["threads"])
    process = subprocess.Popen(  # noqa: S603  the interpreters are the user's choice
        [*command, json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
    )
    worker = Worker(name, process, {}, [])
    worker.hello = worker.listen()
    worker.ask(5)
    return worker


def write_counts(source: Path, target: Path, copies: int) -> float:
    """Write the 2,000 most variable genes of a real data set, its cells `copies` times.

    Returns the share of counts that are not 0.
    """
    import anndata
    import scanpy
    from scipy import sparse

    cells = anndata.read_h5ad(source)
    scanpy.pp.highly_variable_genes(cells, n_top_genes=GENES, flavor="seurat_v3")
    counts = cells[:, cells.var["highly_variable"].to_numpy()].X.tocsr()
    counts = counts[np.asarray(counts.sum(axis=1)).ravel() > 0]
    y = np.unique(cells.obs["cell_type"].to_numpy(), return_inverse=True)[1][: counts.shape[0]]
    y = y % LABELS
    y[np.random.default_rng(0).random(len(y)) > 0.2] = -1
    y[:LABELS] = np.arange(LABELS)
    counts, y = sparse.vstack([counts] * copies).tocsr(), np.tile(y, copies)
    np.savez(
        target,
        data=counts.data,
        indices=counts.indices,
        indptr=counts.indptr,
        shape=counts.shape,
        y=y,
        batch=np.arange(len(y)) % 2,
    )
    return float(counts.nnz / np.prod(counts.shape))


def compare(asked: dict[str, Any], scvi_python: Path | None) -> dict[str, Worker]:
    """Let all implementations take turns; return them with their times."""
    ours = [sys.executable, "-m", "benchmarks.speed.step.ours"]
    workers = {"eager": start("eager", ours, asked | {"compiled": False})}
    workers["compiled"] = start("compiled", ours, asked | {"compiled": True})
    if scvi_python is not None:
        other = [str(scvi_python), "-P", str(Path(__file__).with_name("scvi_tools.py"))]
        workers["scvi-tools"] = start("scvi-tools", other, asked)
    try:
        for _ in range(ROUNDS):
            for worker in workers.values():
                worker.take_turn(TURN[asked["device"]])
    finally:
        for worker in workers.values():
            worker.process.kill()
    return workers


def table_row(asked: dict[str, Any], workers: dict[str, Worker]) -> list[Any]:
    """Return one line of the table: milliseconds (quartiles), and ratios within each round."""
    row: list[Any] = [asked["likelihood"], asked["threads"], asked["cells"]]
    for name in NAMES:
        if name in workers:
            low, middle, high = (1e3 * q for q in statistics.quantiles(workers[name].turns, n=4))
            row.append(f"{middle:.3g} ({low:.3g}-{high:.3g})")
        else:
            row.append(None)
    row.append(round(asked["cells"] / statistics.median(workers["compiled"].turns)))
    against = "scvi-tools" in workers
    row += [round(ratio(workers, name), 2) if against else None for name in NAMES[1:]]
    return row


def ratio(workers: dict[str, Worker], name: str) -> float:
    """Return how many times faster than scvi-tools: the median over the rounds."""
    pairs = zip(workers["scvi-tools"].turns, workers[name].turns, strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


def main() -> None:
    """Time NB and ZINB with each number of threads and cells."""
    options = parse()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(say_not_measured(options))
    rows, more = [], []
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.npz")
        share = write_counts(
            data_sets.path("kang_ifnb_2800"),
            counts,
            CUDA_COPIES if options.device == "cuda" else 1,
        )
        for threads, cells, likelihood in product(options.threads, options.cells, ("nb", "zinb")):
            asked = {
                "data": str(counts),
                "likelihood": likelihood,
                "threads": threads,
                "cells": cells,
                "device": options.device,
            }
            workers = compare(asked, options.scvi_python)
            rows.append(table_row(asked, workers))
            sys.stdout.write(f"{rows[-1]}\n")
            more.append({n: {"hello": w.hello, "turns": w.turns} for n, w in workers.items()})
    notes = [f"{share:.1%} of the counts are not 0.", *compile_notes(more)]
    if options.scvi_python is not None:
        for column, name in ((-2, "Eager"), (-1, "Compiled")):
            mean = statistics.geometric_mean(row[column] for row in rows)
            notes.append(f"{name}: {mean:.1f} times scvi-tools, geometric mean.")
    if options.device == "cuda":
        notes.append(TARGET)
    write(*result_of(options, rows, notes, more))


def say_not_measured(options: argparse.Namespace) -> str:
    """Write that nothing is known yet, unless something is; return why."""
    name, result = result_of(options, [], ["Not measured: no graphics card at hand.", TARGET], [])
    if not (FOLDER / f"{name}.json").exists():
        write(name, result)
    return "This machine has no CUDA device."


def parse() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scvi-python", type=Path)
    data_sets.add_option(parser)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cells", type=int, nargs="+", default=[128])
    parser.add_argument("--device", default="cpu", choices=list(TURN))
    return parser.parse_args()


def result_of(
    options: argparse.Namespace,
    rows: list[list[Any]],
    notes: list[str],
    more: list[dict[str, Any]],
) -> tuple[str, Result]:
    """Return the name and the content of the result."""
    name = "step_cuda" if options.device == "cuda" else "step"
    command = command_line()
    title = "One training step: as many labeled cells again, 2,000 genes"
    return name, Result(title, command, COLUMNS, rows, notes, more={"turns": more})


def compile_notes(more: list[dict[str, Any]]) -> list[str]:
    """Say how long compiling took."""
    hellos = [workers["compiled"]["hello"] for workers in more]
    faults = {hello["fault"] for hello in hellos} - {None}
    seconds = ", ".join(f"{hello['compile_s']:.0f}" for hello in hellos)
    return sorted(faults) or [f"Compiling took {seconds} s, in the order of the rows."]


if __name__ == "__main__":
    main()
