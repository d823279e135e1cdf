"""Measure what the pages do with 1 and 10 million cells: the map, the lasso, reruns of pages.

``python -m benchmarks.speed.views [--cells N ...] [--folder FOLDER] [--only STAGE]`` trains a
quick model on 1,000 cells and repeats these (`benchmarks.speed.repeated`); it measures there, each
stage in a process of its own. The layout is that of simulated states. The table is written to
``benchmarks/results/views.json``, where what was not measured this time stays; a folder that is
given keeps the projects for the next call.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import ROOT, Cell, Result, read, write
from benchmarks.speed import rerun
from benchmarks.speed.repeated import BLOCK_CELLS, prepare
from scanvi_core import runtime

RERUNS = 5
LAID_OUT, PLACED = 10_000, 100_000
SIZES = (1_000_000, 10_000_000)
COLUMNS = ("", "cells", "seconds of processor", "peak memory (MB)", "sent (MB)")
NOTES = (
    "Peak memory: the largest resident set of the process, pages of mapped files included.",
    "A rerun is the whole script of a page, unchanged, after two warm ones (streamlit's AppTest).",
)


def measured(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of processor that something takes, and what it returns."""
    start = time.process_time()
    found = work()
    return round(time.process_time() - start, 3), found


def layout(n: int, folder: Path) -> list[list[Cell]]:
    """Lay out `n` cells from a file: a sample by UMAP, the others beside their neighbors."""
    from scanvi_core.annotation.layout.embedding import LAYOUT_CELLS, umap_of

    z, strata = _simulated(folder / "z.npy", n)
    first, _ = measured(lambda: umap_of(z[:LAYOUT_CELLS], seed=0, strata=strata))
    seconds, _ = measured(lambda: umap_of(z, seed=0, strata=strata))
    return [
        ["layout of the sample alone, compiling included", LAYOUT_CELLS, first, None, None],
        ["layout of all, 20 dimensions", n, seconds, _peak(), None],
    ]


def placing(_: int, folder: Path) -> list[list[Cell]]:
    """Place cells beside those laid out: by UMAP's transform, and at the mean of the nearest."""
    from sklearn.neighbors import NearestNeighbors
    from umap import UMAP

    z, _strata = _simulated(folder / "z.npy", LAID_OUT + PLACED)
    sample, others = z[:LAID_OUT], z[LAID_OUT:]
    model = UMAP(min_dist=0.3, n_epochs=200, random_state=0, n_jobs=1).fit(sample)
    model.transform(others[:100])  # compiles
    index = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(sample)
    ways: dict[str, Callable[[], Any]] = {
        "UMAP's own transform": lambda: model.transform(others),
        "the mean of the 3 nearest": lambda: model.embedding_[
            index.kneighbors(others, return_distance=False)
        ].mean(axis=1),
    }
    asked = np.random.default_rng(1).permutation(PLACED)[:2_000]
    true, rows = _nearest(others, asked), list[list[Cell]]()
    for name, way in ways.items():
        seconds, places = measured(way)
        found = _nearest(places, asked)
        kept = np.mean([np.isin(*pair).mean() for pair in zip(true, found, strict=True)])
        rows.append(
            [f"placed by {name}, {kept:.1%} of 30 nearest kept", PLACED, seconds, None, None]
        )
    return rows


def _nearest(cells: np.ndarray, rows: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=31, algorithm="brute").fit(cells)
    return np.asarray(index.kneighbors(cells[rows], return_distance=False)[:, 1:])


def _simulated(path: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states of `n` cells, mapped from a file, and their types."""
    random = np.random.default_rng(0)
    middles, turn = random.normal(0, 3, (30, 20)), random.normal(size=(8, 20))
    types = np.empty(n, np.int32)
    z = np.lib.format.open_memmap(path, "w+", np.float32, (n, 20))
    for at in range(0, n, BLOCK_CELLS):
        part = slice(at, min(n, at + BLOCK_CELLS))
        size = part.stop - part.start
        types[part] = random.integers(0, 30, size)
        noise = random.normal(size=(size, 8)) @ turn / 2 + random.normal(0, 0.3, (size, 20))
        z[part] = middles[types[part]] + noise
    z.flush()
    return np.load(path, mmap_mode="r"), types


def drawing(n: int, _: Path) -> list[list[Cell]]:
    """Choose the cells to draw, pack them, color them anew, and select by a lasso."""
    from pages.ui.cell_map import maps
    from pages.ui.cell_map.protocol import encode
    from scanvi_core.annotation.selection.polygon import in_polygon
    from scanvi_core.services.explore import colors
    from scanvi_core.services.explore import drawn_cells as services
    from scanvi_core.services.explore import maps as explore_maps

    opened = prepare(n)
    xy = explore_maps.coordinates(opened, "z1")
    chosen, drawn = measured(lambda: services.drawn(opened, "z1"))
    color = maps.as_color(colors.coloring(opened, colors.PREDICTION))
    meta = {"revision": "benchmark"}
    first, sent = measured(
        lambda: encode(xy, color, selected=None, hover=None, meta=meta, drawn=drawn)
    )
    middle, reach = np.median(xy, axis=0), 0.35 * np.ptp(xy, axis=0)
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    wobble = 1 + 0.1 * np.sin(7 * angle)
    loop = middle + reach * np.stack([wobble * np.cos(angle), wobble * np.sin(angle)], axis=1)
    lasso, mask = measured(lambda: in_polygon(xy, loop))
    again, told = measured(
        lambda: encode(xy, color, selected=mask, hover=None, meta=meta, drawn=drawn)
    )
    share = f"{mask.mean():.0%}"
    shown = n if drawn is None else len(drawn.rows)
    peak, bits = _peak(), round(len(told[1]["mask"]) / 1e6, 2)
    return [
        [f"choosing {shown:,} cells to draw", n, chosen, None, None],
        ["packing the map for the browser, first time", n, first, None, _megabytes(*sent)],
        [f"a lasso around {share} of the cells", n, lasso, None, None],
        ["packing the map with the selection", n, again, peak, bits],
    ]


def _megabytes(message: bytes, apart: dict[str, bytes]) -> float:
    return round((len(message) + sum(map(len, apart.values()))) / 1e6, 2)


def reruns(n: int, _: Path) -> list[list[Cell]]:
    """Run the pages again as they are, with nothing and with a third of the cells picked."""
    from scanvi_core.services.explore import selection
    from scanvi_core.services.explore.rules import Condition

    opened, rows = prepare(n), list[list[Cell]]()
    for name in ("explore", "review", "labels"):
        start = time.process_time()
        app = rerun.page(opened, name)
        rows.append(
            [f"opening {name.title()}", n, round(time.process_time() - start, 3), None, None]
        )
        rows.append([f"rerun of {name.title()}", n, _again(app), _peak(), None])
        if name == "explore":
            tab = app.session_state["scanvi.tab"]
            term = Condition("column", "louvain", values=("1", "2", "3"))
            seconds, _ = measured(partial(selection.join, opened, tab, [term], "replace"))
            rows.append(["a condition picks cells", n, seconds, None, None])
            rows.append(["rerun of Explore, cells picked", n, _again(app), _peak(), None])
            selection.clear(opened, tab)
    return rows


def _again(app: Any) -> float:
    app.run()
    return statistics.median(measured(app.run)[0] for _ in range(RERUNS))


def _peak() -> int:
    return round(runtime.peak_rss_mb())


def project(n: int, _: Path) -> list[list[Cell]]:
    """Make the project, apart: a child's peak memory begins with that of its parent."""
    prepare(n)
    return []


STAGES = {
    "layout": layout,
    "placing": placing,
    "project": project,
    "drawing": drawing,
    "reruns": reruns,
}


def main() -> None:
    """Measure every stage in a child, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--only", choices=STAGES, nargs="+", default=list(STAGES))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    os.chdir(ROOT)  # the app finds its pages from the checkout
    with tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        folder.mkdir(exist_ok=True)
        if asked.child:
            with runtime.home_at(folder):
                print(json.dumps(STAGES[asked.only[0]](asked.cells[0], folder)))
            return
        for stage in asked.only:
            for n in asked.cells[:1] if stage == "placing" else asked.cells:
                _keep(stage, n, _child(stage, n, folder))


def _keep(stage: str, n: int, rows: list[list[Cell]]) -> None:
    """Print the rows of a stage and put them in the place of earlier ones."""
    for row in rows:
        print(*row, sep=" | ", flush=True)
    try:
        kept = dict(read("views").more["stages"])
    except (OSError, KeyError):
        kept = {}
    kept[f"{stage} {n}"] = rows
    order = [f"{name} {n}" for name in STAGES for n in SIZES]
    table = [row for name in order for row in kept.get(name, [])]
    title = "The map, the lasso and the pages with millions of cells"
    command = "python -m benchmarks.speed.views"
    write("views", Result(title, command, COLUMNS, table, NOTES, more={"stages": kept}))


def _child(stage: str, n: int, folder: Path) -> list[list[Cell]]:
    command = [sys.executable, "-m", "benchmarks.speed.views", "--child", "--cells", str(n)]
    command += ["--folder", str(folder), "--only", stage]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    found: list[list[Cell]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
