"""Time a rerun of every page of the app with 100,000 cells: the server's own work.

``python -m benchmarks.speed.rerun [--cells N] [--home FOLDER] [--profile PAGE]`` makes a project
from the built-in example (each cell a mixture of two real cells of one type), labels a part of it,
trains a quick model and draws the map of the counts, so that every page has its content. Then each
page is rerun `RERUNS` times after a warm one. The table, also written to
``benchmarks/results/rerun.json``, holds the median and the range of the seconds, and the kB that a
rerun builds for the browser. A folder given with ``--home`` keeps the project for the next call.
"""

import argparse
import cProfile
import logging
import os
import pstats
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import ROOT, Cell, Result, write
from scanvi_core import keys, runtime
from scanvi_core.config import TrainConfig

PAGES = ("open", "check", "labels", "train", "explore", "review", "evaluate", "export")
RERUNS = 7
TYPE = "Dendritic"
SHOWN = 0.05  # share of the cells that keep their label
JITTER = 0.3  # of the example's own map, so that no two cells lie on one point


def resampled(path: Path, n: int) -> Path:
    """Write `n` cells drawn from the built-in example: half the counts of each of two cells."""
    import anndata
    import pandas as pd
    from scipy import sparse

    from scanvi_core.data.example import write_example

    source = anndata.read_h5ad(write_example(path.with_name("example.h5ad")))
    random = np.random.default_rng(0)
    types = source.obs["expert_label"].astype(str).to_numpy()
    first = random.integers(0, source.n_obs, n)
    second = np.empty(n, dtype=np.int64)
    for name in np.unique(types):
        rows = types[first] == name
        second[rows] = random.choice(np.flatnonzero(types == name), int(rows.sum()))
    counts = sparse.csr_matrix(source.X, dtype=np.float32)
    halves = counts[first], counts[second]
    for half in halves:
        half.data = random.binomial(half.data.astype(np.int64), 0.5).astype(np.float32)
    mixed = sparse.csr_matrix(halves[0] + halves[1])
    mixed.eliminate_zeros()
    obs = source.obs.iloc[first].reset_index(drop=True).set_axis([f"cell {i}" for i in range(n)])
    shown = random.random(n) < SHOWN
    obs["cell_type"] = pd.Categorical(np.where(shown, types[first], keys.UNKNOWN))
    xy = source.obsm["X_umap"][first] + random.normal(0, JITTER, (n, 2))
    cells = anndata.AnnData(mixed, obs=obs, var=source.var[[]], obsm={"X_umap": xy})
    cells.write_h5ad(path)
    return path


def prepare(n: int) -> str:
    """Return the id of the project in the present home; make it where there is none."""
    from scanvi_core.project.folder import create_project
    from scanvi_core.services import jobs, workspace
    from scanvi_core.services.explore import maps
    from scanvi_core.services.export import write as export_write
    from scanvi_core.services.foreground import ForegroundJob
    from scanvi_core.services.labels import edit
    from scanvi_core.services.projects import open_file
    from scanvi_core.services.runs.train_request import TrainRequest
    from scanvi_core.services.training.in_process import train

    ready = [p.id for p in workspace.recent_projects() if p.settings.get("benchmark") == n]
    if ready:
        return ready[0]
    project = create_project(f"{n:,} cells")
    source = resampled(project.source / "cells.h5ad", n)
    opened = open_file.import_into(project, source)
    edit.use_column(workspace.workspace(project.id), "cell_type", {keys.UNKNOWN})
    quick = TrainRequest(train=TrainConfig(preset="quick", device="cpu"))
    train(opened, quick, ForegroundJob(project.id, lambda *_: None))
    jobs.wait(maps.start_base_map(workspace.workspace(project.id)))
    jobs.wait(export_write.start(workspace.workspace(project.id), export_write.ExportChoice()))
    project.update_settings(benchmark=n)
    return project.id


def page(project: str, name: str) -> Any:
    """Open a page of the project and run it once more, so that everything it keeps is there."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.query_params["project"] = project
    app.run()
    if name != "open":
        app.switch_page(f"pages/screens/{name}.py").run()
    app.run()
    if app.exception or any("went wrong" in error.value for error in app.error):
        raise RuntimeError(f"{name}: {app.exception} {[error.value for error in app.error]}")
    return app


def rerun_times(project: str, name: str) -> list[Cell]:
    """Rerun a page, unchanged and each time after a new label; return a row of the table."""
    from scanvi_core.services.labels import edit
    from scanvi_core.services.workspace import workspace

    app = page(project, name)
    same, changed = [], []
    for cell in range(RERUNS):
        same.append(_timed(app))
        edit.name_cells(workspace(project), np.array([cell]), TYPE, "benchmark")
        changed.append(_timed(app))
    for _ in range(RERUNS):
        edit.undo(workspace(project))
    kilobytes = round(sum(_sizes(app)) / 1e3, 1)
    return [name, *_middle(same), max(wall for wall, _ in same), *_middle(changed), kilobytes]


def _timed(app: Any) -> tuple[int, int]:
    """Rerun; return milliseconds by the clock and of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    app.run()
    return round(1e3 * (time.perf_counter() - start)), round(1e3 * (time.process_time() - busy))


def _middle(times: list[tuple[int, int]]) -> list[int]:
    return [round(statistics.median(each)) for each in zip(*times, strict=True)]


def _sizes(app: Any) -> list[int]:
    """Return the bytes of every element on the page."""
    nodes = (getattr(node, "proto", None) for node in app)
    return [len(proto.SerializeToString()) for proto in nodes if proto is not None]


def profile(project: str, name: str, changed: bool) -> None:
    """Print where a rerun of a page spends its time."""
    from scanvi_core.services.labels import edit
    from scanvi_core.services.workspace import workspace

    app, found = page(project, name), cProfile.Profile()
    run = threading.Thread.run
    if changed:
        edit.name_cells(workspace(project), np.array([0]), TYPE, "benchmark")

    def watched(thread: threading.Thread) -> None:
        found.runcall(run, thread)  # the script runs on a thread of its own

    threading.Thread.run = watched  # type: ignore[assignment,method-assign]  # here only
    app.run()
    if changed:
        edit.undo(workspace(project))
    pstats.Stats(found, stream=sys.stdout).sort_stats("cumulative").print_stats(90)


def main() -> None:
    """Make the project, time the pages, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--profile", choices=PAGES, default=None)
    parser.add_argument("--changed", action="store_true", help="profile after a new label")
    asked = parser.parse_args()
    os.chdir(ROOT)  # the app finds its pages from the checkout
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as folder:
        rows = _measure(asked, (asked.home or Path(folder)).resolve())
    for row in rows:
        print(*(f"{value:>9}" for value in row))
    if rows:
        _keep(asked.cells, rows)


def _measure(asked: argparse.Namespace, home: Path) -> list[list[Cell]]:
    with runtime.home_at(home):
        project = prepare(asked.cells)
        if asked.profile:
            profile(project, asked.profile, asked.changed)
            return []
        return [rerun_times(project, name) for name in PAGES]


def _keep(n: int, rows: list[list[Cell]]) -> None:
    about = (
        f"Milliseconds, medians of {RERUNS} reruns after a warm one, without a browser "
        "(streamlit's AppTest); processor: time of all cores, which other programs do not "
        "lengthen; content: all elements of the page, most of which the browser has already."
    )
    columns = (
        "page", "rerun", "of it processor", "slowest", "after a new label", "of it processor",
        "content (kB)",
    )  # fmt: skip
    title = f"A rerun of each page with {n:,} cells"
    write("rerun", Result(title, "python -m benchmarks.speed.rerun", columns, rows, [about]))


if __name__ == "__main__":
    main()
