"""Counts of many cells read from a collection (annbatch) and from the project's mapped store.

``python -m benchmarks.scale.collection [--cells 200000] [--folder FOLDER]`` simulates two .h5ad
files of 2,000 genes and 200 counts above 0 per cell, gathers them into a store, imports them as a
project does, and reads all cells in minibatches of 128, as the network takes them: from the store
in the order of training (blocks, the next pool read ahead) and in the order of prediction; from
the memory-mapped copy at random and in order. Each stage runs in a process of its own; reading is
measured on the second pass, when the files are in the system's cache. Needs the extra ``scale``
and Python 3.12 or newer; Linux. The table is ``benchmarks/results/collection.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write

N_VARS, N_COUNTS, BATCH, PATTERNS = 2_000, 200, 128, 2_000
STAGES = {
    "make": "",
    "gather": "gathering both files, from guard to store",
    "write": "of that, writing the store",
    "training": "store, training order",
    "slow": "store, training order, without zarrs",
    "prediction": "store, prediction order",
    "mapped": "mapped copy, random order",
    "ordered": "mapped copy, prediction order",
}
COLUMNS = ("stage", "cells/s", "cells/s of the processor", "peak memory, MB", "on disk, MB")


def make(folder: Path, n_obs: int) -> None:
    """Write two files of half the cells each; the genes of a cell are one of 2,000 choices."""
    import anndata
    import scipy.sparse as sp

    random = np.random.default_rng(0)
    choices = np.argsort(random.random((PATTERNS, N_VARS)), axis=1)[:, :N_COUNTS]
    choices = np.sort(choices, axis=1).astype(np.int32)
    for name in ("a", "b"):
        n = n_obs // 2
        genes = choices[random.integers(0, PATTERNS, n)].ravel()
        values = (1 + random.poisson(1.5, genes.size)).astype(np.float32)
        starts = np.arange(0, genes.size + 1, N_COUNTS)
        counts = sp.csr_matrix((values, genes, starts), shape=(n, N_VARS))
        anndata.AnnData(counts).write_h5ad(folder / f"{name}.h5ad")


def gather(folder: Path) -> dict[str, float]:
    """Gather both files."""
    from scanvi_core.services.atlas.gather import gather as gather_files

    return timed(lambda: gather_files(folder / "all.zarr", [folder / "a.h5ad", folder / "b.h5ad"]))


def write_store(folder: Path) -> dict[str, float]:
    """Write a store of both files, which were read already."""
    from scanvi_core.data.collection.write import write_collection
    from scanvi_core.data.dataset import Dataset
    from scanvi_core.data.intake.import_file import import_file
    from scanvi_core.data.joining.genes import Source

    for name in ("a", "b"):
        import_file(folder / f"{name}.h5ad", folder / name)
    sources = [Source(name, Dataset.open(folder / name)) for name in ("a", "b")]
    return timed(lambda: write_collection(folder / "written.zarr", sources))


def read_store(folder: Path, *, trained: bool) -> dict[str, float]:
    """Read all cells of the store twice; time the second pass."""
    import torch

    from scanvi_core.data.collection.collection import Collection
    from scanvi_core.train.loader import blocks
    from scanvi_core.train.sampler import BlockSampler
    from scanvi_core.train.stored import StoredRows

    counts = Collection.open(folder / "all.zarr").counts
    n_obs, rows = counts.shape[0], StoredRows(counts, torch.device("cpu"))
    if not trained:
        return second_pass(rows.fetch, lambda: blocks(np.arange(n_obs)))
    cells = BlockSampler(n_obs, BATCH, 0)
    rows.follow(cells.blocks)
    return second_pass(rows.fetch, lambda: (cells.take() for _ in range(-(-n_obs // BATCH))))


def read_mapped(folder: Path, *, trained: bool) -> dict[str, float]:
    """Read all cells of the mapped copies twice; time the second pass."""
    import torch

    from scanvi_core.data.dataset import Dataset
    from scanvi_core.train.loader import HostRows, blocks
    from scanvi_core.train.sampler import EpochSampler

    both = [Dataset.open(folder / name).counts for name in ("a", "b")]
    measured = list[dict[str, float]]()
    for counts in both:
        n_obs, rows = counts.shape[0], HostRows(counts, torch.device("cpu"))
        cells = EpochSampler(n_obs, BATCH, np.random.default_rng(0))

        def taken(n_obs: int = n_obs, cells: EpochSampler = cells) -> Iterable[np.ndarray]:
            return (cells.take() for _ in range(-(-n_obs // BATCH)))

        def ordered(n_obs: int = n_obs) -> Iterable[np.ndarray]:
            return blocks(np.arange(n_obs))

        measured.append(second_pass(rows.fetch, taken if trained else ordered))
    return {key: sum(found[key] for found in measured) for key in measured[0]}


def second_pass(
    fetch: Callable[[np.ndarray], Any], order: Callable[[], Iterable[np.ndarray]]
) -> dict[str, float]:
    """Fetch all minibatches of two passes; time the second."""

    def whole() -> None:
        for rows in order():
            fetch(rows)

    whole()
    return timed(whole)


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Return seconds by the clock and of the processor, children included."""
    wall, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return {"seconds": time.perf_counter() - wall, "processor": sum(after[:4]) - sum(before[:4])}


def work(stage: str, folder: Path, n_obs: int) -> None:
    """Do one stage and print what was measured."""
    import resource

    from scanvi_core.data.collection import annbatch

    if stage == "slow":
        annbatch.unpacking = dict
    done = {
        "make": lambda: make(folder, n_obs) or {},
        "gather": lambda: gather(folder),
        "write": lambda: write_store(folder),
        "training": lambda: read_store(folder, trained=True),
        "slow": lambda: read_store(folder, trained=True),
        "prediction": lambda: read_store(folder, trained=False),
        "mapped": lambda: read_mapped(folder, trained=True),
        "ordered": lambda: read_mapped(folder, trained=False),
    }[stage]()
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024 / 1e6
    sys.stdout.write(json.dumps(done | {"peak": peak}) + "\n")


def measure(stage: str, folder: Path, n_obs: int) -> list[Cell]:
    """Run a stage in a process of its own; return its row of the table."""
    command = [sys.executable, "-m", "benchmarks.scale.collection", "--stage", stage]
    command += ["--cells", str(n_obs), "--folder", str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603  ours
    found = json.loads(output.splitlines()[-1])
    if stage == "make":
        return []
    rates = [round(n_obs / found[key]) for key in ("seconds", "processor")]
    on_disk = None
    if stage in ("gather", "mapped"):
        kept = [folder / "all.zarr"] if stage == "gather" else list(folder.glob("[ab]"))
        files = [path for place in kept for path in place.rglob("*") if path.is_file()]
        files = [path for path in files if not path.name.startswith("by_gene")]
        on_disk = round(sum(path.stat().st_size for path in files) / 1e6)
    row: list[Cell] = [STAGES[stage], *rates, round(found["peak"]), on_disk]
    sys.stdout.write(f"  {dict(zip(COLUMNS, row, strict=True))}\n")
    return row


def main() -> None:
    """Measure all stages and write the table; or, as a child, do one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--stage", choices=STAGES)
    asked = parser.parse_args()
    if asked.stage:
        work(asked.stage, asked.folder, asked.cells)
        return
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="scanvi-collection-") as name:
        rows = [measure(stage, Path(name), asked.cells) for stage in STAGES]
    from importlib.metadata import version

    made = ", ".join(f"{name} {version(name)}" for name in ("annbatch", "zarr", "zarrs"))
    many = "One thread unpacks; files are in the system's cache; minibatches of 128 cells "
    cold = (
        "The mapped copy is not packed. With a cold cache, or more cells than memory, its random "
    )
    about = [
        f"{many}(1,024 for prediction), {N_VARS:,} genes, {N_COUNTS} counts above 0 per cell.",
        f"{cold}order costs a read of the disk for every cell; the store's reads runs of 512.",
        "Where other programs run beside, as they did here, compare the rates of the processor.",
        f"Made with {made}.",
    ]
    title = f"Reading {asked.cells:,} cells from a collection and from the mapped copy"
    command = "python -m benchmarks.scale.collection"
    command += "" if asked.cells == parser.get_default("cells") else f" --cells {asked.cells}"
    write("collection", Result(title, command, COLUMNS, rows[1:], about))


if __name__ == "__main__":
    main()
