"""How long the review lets one wait: a queue of 300,000 cells, and the next card of 100,000.

``python -m benchmarks.speed.review_speed [--cells N] [--home FOLDER]`` makes the project of
`benchmarks.speed.rerun` (or finds it in FOLDER) and accepts cards on its Review page, without a
browser; ``--queue-only`` builds queues alone. Times are of the processor, which other programs do
not lengthen; the table goes to ``benchmarks/results/review_speed.json``.
"""

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results_file import Cell, Result, write
from benchmarks.speed.rerun import ROOT, page, prepare
from scanvi_core import runtime
from scanvi_core.annotation.review.doubt_groups import review_queue
from scanvi_core.services.workspace import workspace

QUEUES = (30_000, 300_000)
N_TYPES, N_LATENT, N_CARDS = 20, 20, 7
BLOCK = 20_000


def doubtful(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return z1 [n, 20] and probabilities [n, 20] of cells nine of ten of which are doubtful."""
    random = np.random.default_rng(0)
    middles = random.normal(scale=2.5, size=(N_TYPES, N_LATENT))
    types = random.integers(0, N_TYPES, n)
    z1 = np.empty((n, N_LATENT), dtype=np.float32)
    p = np.empty((n, N_TYPES), dtype=np.float32)
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        z1[rows] = middles[types[rows]] + random.normal(size=z1[rows].shape)
        away = ((z1[rows, None] - middles) ** 2).sum(axis=2) / 60
        closeness = np.exp(away.min(axis=1, keepdims=True) - away)
        p[rows] = closeness / closeness.sum(axis=1, keepdims=True)
    return z1, p


def queue_time(n: int) -> float:
    """Return the processor seconds of building a queue of n cells."""
    z1, p = doubtful(n)
    start = time.process_time()
    review_queue(z1, p, np.ones(n, dtype=bool))
    return time.process_time() - start


def card_times(project: str) -> list[float]:
    """Accept cards; return the processor seconds until each next card is drawn."""
    from scanvi_core.services.labels import edit
    from scanvi_core.services.runs import provisional

    app, found = page(project, "review"), []
    for _ in range(N_CARDS):
        start = time.process_time()
        app.button(key="accept").click().run()
        found.append(time.process_time() - start)
        while provisional.state(workspace(project)).working:  # its time is not the card's
            time.sleep(0.05)
    for _ in range(N_CARDS):
        edit.undo(workspace(project))
    return found


def main() -> None:
    """Measure, print, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--home", type=Path, default=None)
    parser.add_argument("--queue-only", action="store_true")
    asked = parser.parse_args()
    rows: list[list[Cell]] = []
    for n in QUEUES:
        rows.append([f"queue of {n:,} cells", round(queue_time(n), 2), None])
        sys.stdout.write(f"{rows[-1]}\n")
    if asked.queue_only:
        return
    os.chdir(ROOT)  # the app finds its pages from the checkout
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as folder:
        rows.append(_cards(asked, (asked.home or Path(folder)).resolve()))
    sys.stdout.write(f"{rows[-1]}\n")
    columns = ("what", "processor s", "slowest")
    title, command = "Waiting in the review", "python -m benchmarks.speed.review_speed"
    write("review_speed", Result(title, command, columns, rows))


def _cards(asked: Any, home: Path) -> list[Cell]:
    with runtime.home_at(home):
        times = card_times(prepare(asked.cells))
    name = f"decision to next card, {asked.cells:,} cells"
    return [name, round(statistics.median(times), 2), round(max(times), 2)]


if __name__ == "__main__":
    main()
