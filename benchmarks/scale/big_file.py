"""A million cells of 30,000 genes from a file to an annotated file, in 8 GB of memory.

``python -m benchmarks.scale.big_file [--scale 1.0] [--folder FOLDER]`` simulates an .h5ad of
1,000,000 cells with about 1,000 counted genes each (8 GB; 10 types, 2 % of the cells labeled, 4
batches), a block of rows at a time, and takes it through the services behind the pages: open,
check, choose genes, train with the quick preset, export. Each stage runs in a process of its own
and tells its progress. 40 GB of free disk are asked for first (less at a smaller ``--scale``), and
everything is deleted at the end. Not part of CI.

Memory is read every 0.1 s and summed over the process of the stage and its children: anonymous
(RssAnon: what the machine must have) and all resident (VmRSS: also pages of mapped files, which
the system takes back when others need them, and counts twice what two processes share). Linux
only. The table is ``benchmarks/results/big_file.json``.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write
from benchmarks.watched import measured, size_gb, tell

N_OBS, N_VARS, N_TYPES, N_BATCHES, LABELED = 1_000_000, 30_000, 10, 4, 0.02
DRAWS, SPREAD, TYPE_SPREAD = 1_200, 1.6, 0.5  # about 1,000 genes are hit by as many draws
QUANTILES = 2**20
BLOCK = 10_000  # simulated cells at a time
FREE_BYTES = 40e9  # at scale 1
LIMIT_MB = 8_000
MODULE = "benchmarks.scale.big_file"
STAGES = ("make", "open", "check", "genes", "train", "export")
COLUMNS = (
    "stage",
    "seconds",
    "of the processor",
    "anonymous, MB",
    "all resident, MB",
    "on disk, GB",
)


def make(path: Path, n_obs: int) -> None:
    """Write the file; each cell holds draws from the genes of its type."""
    import h5py
    import pandas as pd
    from anndata.io import write_elem

    random = np.random.default_rng(0)
    rates = random.lognormal(0, SPREAD, N_VARS) * random.lognormal(
        0, TYPE_SPREAD, (N_TYPES, N_VARS)
    )
    tables = _tables(rates)
    types, batches = random.integers(0, N_TYPES, n_obs), random.integers(0, N_BATCHES, n_obs)
    shown = np.where(random.random(n_obs) < LABELED, types, -1)
    names = [f"type {k}" for k in range(N_TYPES)]
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical.from_codes(shown, names),
            "batch": pd.Categorical.from_codes(batches, [f"b{k}" for k in range(N_BATCHES)]),
        },
        index=[f"cell {i}" for i in range(n_obs)],
    )
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        write_elem(file, "obs", obs)
        write_elem(file, "var", pd.DataFrame(index=[f"GENE{i}" for i in range(N_VARS)]))
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = (n_obs, N_VARS)
        more: dict[str, Any] = {"maxshape": (None,), "chunks": (2**20,)}
        data = group.create_dataset("data", (0,), "f4", **more)
        indices = group.create_dataset("indices", (0,), "i4", **more)
        starts = [np.zeros(1, dtype=np.int64)]
        for start in range(0, n_obs, BLOCK):
            values, genes, lengths = _block(random, tables, types[start : start + BLOCK])
            at = data.shape[0]
            for node, part in ((data, values), (indices, genes)):
                node.resize((at + part.size,))
                node[at:] = part
            starts.append(lengths)
            tell((start + BLOCK) / n_obs, "Simulating cells")
        group["indptr"] = np.concatenate(starts).cumsum()


def _tables(rates: np.ndarray) -> np.ndarray:
    """Return per type the genes at even quantiles of its rates: a draw is one look-up."""
    borders = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    at = (np.arange(QUANTILES) + 0.5) / QUANTILES
    found = [np.searchsorted(row, at) for row in borders]
    return np.clip(np.array(found, dtype=np.int32), 0, N_VARS - 1)


def _block(
    random: np.random.Generator, tables: np.ndarray, types: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, genes and numbers of genes of some cells, in the order of rows and genes."""
    drawn = random.integers(0, QUANTILES, (types.size, DRAWS), dtype=np.int32)
    genes = np.sort(tables[types[:, None], drawn], axis=1)
    new = np.ones(genes.shape, dtype=bool)
    new[:, 1:] = genes[:, 1:] != genes[:, :-1]
    values = np.diff(np.flatnonzero(new), append=new.size)
    return values.astype(np.float32), genes[new], new.sum(axis=1)


def work(stage: str, folder: Path, n_obs: int) -> None:
    """Do one stage; the project's id goes from one to the next in a file."""
    path, note = folder / "big.h5ad", folder / "project"
    if stage == "make":
        make(path, n_obs)
        return
    from scanvi_core.services import workspace
    from scanvi_core.services.export import write as export_write
    from scanvi_core.services.foreground import ForegroundJob
    from scanvi_core.services.labels import edit
    from scanvi_core.services.projects import data_report, open_file
    from scanvi_core.services.training import in_process

    if stage == "open":
        from scanvi_core.project.folder import create_project

        project = create_project("big")
        note.write_text(project.id)
        open_file.import_into(project, path, report=tell)
        edit.use_column(workspace.workspace(project.id), "cell_type", set())
        return
    project_id = note.read_text()
    opened, job = workspace.workspace(project_id), ForegroundJob(project_id, tell)
    if stage == "check":
        found = data_report.report(workspace.workspace(project_id))
        tell(1, f"Median counts {found.median_total:,.0f}, {len(opened.dataset.gene('GENE7')):,}")
    elif stage == "genes":
        from scanvi_core.data.genes.choose import variable_genes

        variable_genes(opened.dataset.folder, 2_000, opened.project.settings.get("batch_key"))
    elif stage == "train":
        from scanvi_core.config import TrainConfig
        from scanvi_core.services.runs.train_request import TrainRequest

        in_process.train(
            opened, TrainRequest(train=TrainConfig(preset="quick", device="cpu")), job
        )
    else:
        export_write.write(
            workspace.workspace(project_id), export_write.ExportChoice(), folder / "annotated.h5ad"
        )


def measure(stage: str, folder: Path, n_obs: int) -> list[Cell]:
    """Run a stage in a process of its own; return its row of the table.

    Raises
    ------
    RuntimeError
        If the stage failed.
    """
    sys.stdout.write(f"{stage}\n")
    arguments = ["--stage", stage, "--folder", str(folder), "--scale", str(n_obs / N_OBS)]
    found = measured(MODULE, arguments, {"SCANVI_HOME": str(folder / "home")})
    row: list[Cell] = [stage, round(found.seconds, 1), round(found.processor_s, 1)]
    row += [round(found.anonymous_mb), round(found.resident_mb), round(size_gb(folder), 1)]
    sys.stdout.write(f"  {dict(zip(COLUMNS, row, strict=True))}\n")
    return row


def main() -> None:
    """Measure all stages and write the table; or, as a child, do one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--stage", choices=STAGES)
    asked = parser.parse_args()
    n_obs = round(N_OBS * asked.scale)
    if asked.stage:
        work(asked.stage, asked.folder, n_obs)
        return
    free = shutil.disk_usage(asked.folder).free
    if free < FREE_BYTES * asked.scale:
        parser.error(f"{FREE_BYTES * asked.scale / 1e9:.0f} GB are needed, {free / 1e9:.0f} free.")
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="scanvi-big-") as name:
        rows = [measure(stage, Path(name), n_obs) for stage in STAGES]
        counted = json.loads((next(Path(name).rglob("manifest.json"))).read_text())
    peak = max(int(row[3] or 0) for row in rows[1:])
    within = "stays within" if peak <= LIMIT_MB else "EXCEEDS"
    about = [f"Anonymous memory of every stage {within} {LIMIT_MB:,} MB."]
    title = f"A file of {n_obs:,} cells and {N_VARS:,} genes, from opening to export"
    command = "python -m benchmarks.scale.big_file" + (
        f" --scale {asked.scale}" if asked.scale != 1 else ""
    )
    more = {"manifest": {key: counted[key] for key in ("n_obs", "n_vars", "counts_source")}}
    write("big_file", Result(title, command, COLUMNS, rows, about, more=more))


if __name__ == "__main__":
    main()
