"""Time the label log: one event of 200,000 cells, a commit, opening a long log, merging.

``python -m benchmarks.speed.labels [--cells N]`` writes ``benchmarks/results/labels.json``. Times
are in ms, median and range over `REPEATS`; a saved event is on the disk when its time ends. Where
other programs keep the machine busy, the time of the processor tells the work.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.results_file import Cell, Result, write
from scanvi_core import runtime
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.store import LabelStore

REPEATS = 9
LASSO = 200_000
LONG = 2_000  # events of a long history


def timed(work: Callable[[int], object]) -> tuple[list[float], list[float]]:
    """Return the ms of `REPEATS` calls, by the clock and of the processor, after one more."""
    clock, processor = [], []
    for i in range(REPEATS + 1):
        began, busy = time.perf_counter(), time.process_time()
        work(i)
        clock.append(1e3 * (time.perf_counter() - began))
        processor.append(1e3 * (time.process_time() - busy))
    return clock[1:], processor[1:]


def row(what: str, times: tuple[list[float], list[float]]) -> list[Cell]:
    """Return one line of the table."""
    clock, processor = times
    shown = [round(f(clock), 1) for f in (statistics.median, min, max)]
    return [what, *shown, round(statistics.median(processor), 1)]


def measure(folder: Path, n_obs: int) -> list[list[Cell]]:
    """Return the table for a log of `n_obs` cells in a fresh folder."""
    rng = np.random.default_rng(0)
    store = LabelStore.open(folder, n_obs)
    store.append(events.import_labels(["a", "b"], rng.integers(-1, 2, n_obs)))
    lassos = [rng.choice(n_obs, LASSO, replace=False) for _ in range(REPEATS + 1)]
    found = [
        row(
            f"assign {LASSO:,} scattered cells, one event",
            timed(lambda i: store.append(events.assign(lassos[i], f"type {i}"))),
        ),
        row("the labels after it", timed(lambda _: store.labels(store.labels().seq))),
        row("undo it", timed(lambda _: store.undo())),
        row(
            "assign 50 cells",
            timed(lambda i: store.append(events.assign(np.arange(50) + i, "small"))),
        ),
    ]
    for i in range(LONG):
        store.append(events.assign(rng.choice(n_obs, 50, replace=False), f"type {i % 20}"))
    n = len(store.events())
    found.append(
        row(f"open a log of {n:,} events", timed(lambda _: LabelStore.open(folder, n_obs).close()))
    )
    store.close()
    return found


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    n_obs = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as folder, runtime.home_at(Path(folder, "home")):
        rows = measure(Path(folder), n_obs)
    for line in rows:
        print(*line, sep="\t")
    command = f"python -m benchmarks.speed.labels --cells {n_obs}"
    columns = [f"with {n_obs:,} cells", "median (ms)", "least", "most", "processor"]
    write("labels", Result("The label log", command, columns, rows))


if __name__ == "__main__":
    main()
