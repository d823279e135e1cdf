"""Time the look for doubts that follows a training, part by part.

``python -m benchmarks.speed.doubts [--cells N ...] [--home FOLDER]`` draws cells from a real data
set (as `benchmarks.speed.retrain` does: 2,000 genes, two batches), labels a part, trains a quick
model, and looks for doubts in a process of its own, on one thread. A folder given with ``--home``
keeps the projects for the next call. The table is ``benchmarks/results/doubts.json``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import data_sets
from benchmarks.results_file import ROOT, Cell, Result, write
from benchmarks.speed import retrain
from scanvi_core import keys, runtime
from scanvi_core.config import TrainConfig

SIZES = (3_000, 30_000, 200_000)
SHOWN = 0.05  # share of the cells that keep their label
LOOK = "--look"
FIRST = "Opening the model"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
COLUMNS = ("cells", "part", "processor s", "seconds", "peak memory, MB")
Part = tuple[str, float, float]  # processor seconds, seconds by the clock


def project_of(n: int) -> str:
    """Return the id of a trained project of `n` cells in this home, made if there is none."""
    from scanvi_core.project.folder import create_project
    from scanvi_core.services import workspace
    from scanvi_core.services.foreground import ForegroundJob
    from scanvi_core.services.labels import edit
    from scanvi_core.services.projects import open_file
    from scanvi_core.services.runs.train_request import TrainRequest
    from scanvi_core.services.training.in_process import begin, carry_through

    ready = [p.id for p in workspace.recent_projects() if p.settings.get("benchmark") == n]
    if ready:
        return ready[0]
    project = create_project(f"{n:,} cells")
    opened = open_file.import_into(project, written(project.source / "cells.h5ad", n))
    project.update_settings(batch_key="batch")
    edit.use_column(workspace.workspace(project.id), "cell_type", {keys.UNKNOWN})
    quick = TrainRequest(train=TrainConfig(preset="quick", device="cpu"))
    opened, job = workspace.workspace(project.id), ForegroundJob(project.id, lambda *_: None)
    carry_through(opened, begin(opened, quick, job), job, maps=())
    project.update_settings(benchmark=n)
    return project.id


def written(path: Path, n: int) -> Path:
    """Write a file of `n` cells, of which 5 % have a label."""
    import anndata
    import pandas as pd

    cells = retrain.drawn(retrain.source()[1], n)
    shown = np.random.default_rng(1).random(n) < SHOWN
    names = np.array([f"type {code}" for code in range(int(cells.types.max()) + 1)])
    obs = pd.DataFrame(
        {
            "cell_type": np.where(shown, names[cells.types], keys.UNKNOWN),
            "batch": [f"batch {code}" for code in cells.batch],
        },
        index=[f"cell {i}" for i in range(n)],
    )
    genes = pd.DataFrame(index=[f"gene {i}" for i in range(cells.counts.shape[1])])
    anndata.AnnData(cells.counts, obs=obs, var=genes).write_h5ad(path)
    return path


def look(project: str) -> list[Part]:
    """Look for doubts, anew if it was done before; return what each part took, in order."""
    from scanvi_core.services.diagnostics import uncertainty_job
    from scanvi_core.services.foreground import ForegroundJob
    from scanvi_core.services.quality import flags
    from scanvi_core.services.workspace import workspace

    opened = workspace(project)
    run = opened.current_run()
    if run is None:
        raise RuntimeError("the project has no model")
    for name in (*uncertainty_job.ARRAYS, uncertainty_job.OUT_OF_FOLD, uncertainty_job.IS_NOVEL):
        (run.root / f"{name}.npy").unlink(missing_ok=True)
    flags.doublet_file(opened, opened.batch_key).unlink(missing_ok=True)
    marks = [(FIRST, time.process_time(), time.perf_counter())]

    def told(_: float, message: str) -> None:
        name = message.partition(" in batch")[0]  # the batches are one part
        if name != marks[-1][0]:
            marks.append((name, time.process_time(), time.perf_counter()))

    uncertainty_job.check_run(opened, run.id, ForegroundJob(project, told))
    ends = [*marks[1:], ("", time.process_time(), time.perf_counter())]
    return [
        (name, end[1] - busy, end[2] - began)
        for (name, busy, began), end in zip(marks, ends, strict=True)
    ]


def measure(n: int, home: Path) -> list[list[Cell]]:
    """Return the rows of one size."""
    with runtime.home_at(home):
        project = project_of(n)
    command = [sys.executable, "-m", "benchmarks.speed.doubts", LOOK, str(home), project]
    done = subprocess.run(  # noqa: S603  our own
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | ONE_THREAD
    )
    found = json.loads(done.stdout.splitlines()[-1])
    parts: list[Part] = found["parts"]
    rows: list[list[Cell]] = [
        [n, name, _short(cpu), _short(wall), None] for name, cpu, wall in parts
    ]
    whole = (_short(sum(part[at] for part in parts)) for at in (1, 2))
    return [*rows, [n, "**all**", *whole, round(found["peak_rss_mb"])]]


def _short(seconds: float) -> str:
    return f"{seconds:.2f}"


def table(rows: list[list[Cell]]) -> Result:
    """Return the table that is written."""
    notes = [
        f"Cells drawn from {retrain.SOURCE}: 2,000 genes, two batches, {SHOWN:.0%} labeled.",
        "One thread, but for the neighbors of doublets.",
        "Of more than 50,000 cells doublets are looked for only when asked.",
        "Imports are in the seconds of the part that needs them first.",
    ]
    title = "The look for doubts after a training, part by part"
    return Result(title, "python -m benchmarks.speed.doubts", COLUMNS, rows, notes)


def main() -> None:
    """Make the projects, look for doubts in each, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=SIZES)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument(LOOK, nargs=2, metavar=("HOME", "PROJECT"), help=argparse.SUPPRESS)
    data_sets.add_option(parser)
    asked = parser.parse_args()
    if asked.look:
        with runtime.home_at(Path(asked.look[0])):
            parts = look(asked.look[1])
        sys.stdout.write(json.dumps({"parts": parts, "peak_rss_mb": runtime.peak_rss_mb()}) + "\n")
        return
    rows = list[list[Cell]]()
    with tempfile.TemporaryDirectory(prefix="scanvi-") as folder:
        for n in asked.cells:
            rows += measure(n, (asked.home or Path(folder)).resolve())
            sys.stdout.write(f"{n:,} cells: {rows[-1][2]} s of the processor\n")
            sys.stdout.flush()
    write("doubts", table(rows))


if __name__ == "__main__":
    main()
