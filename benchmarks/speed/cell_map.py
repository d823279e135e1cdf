"""Measure the cell map at 100,000 and at a million cells in a headless browser.

``python -m benchmarks.speed.cell_map`` runs tests/browser/cell_map/test_scale.py, which draws a
star around cells and colors them anew, and writes ``benchmarks/results/cell_map.json``. It needs
Chromium. Times are by the clock from the user's action to the picture; in brackets the time of all
processors (server, browser and its software WebGL), which other programs do not lengthen.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results_file import ROOT, Cell, Result, write

TEST = "tests/browser/cell_map/test_scale.py"
LIMITS = {  # what was asked for, at 100,000 and at a million cells
    "map shown, s": "2.5, 6", "selection told, s": "0.3, 0.5", "selection drawn, s": "0.5, 1.5",
    "longest task in the drag, ms": "50, 50", "sent for a lasso, bytes": "1 MB, 1 MB",
    "sent for a color, bytes": "1 MB, 1 MB",
}  # fmt: skip


def measured() -> list[dict[str, float]]:
    """Run the test and return its numbers, one dictionary for each size.

    Raises
    ------
    subprocess.CalledProcessError
        If the test fails: what it measured would mean nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.json"
        command = [sys.executable, "-m", "pytest", "-q", TEST]
        environment = os.environ | {"CELL_MAP_RESULTS": str(lines), "CI": "true"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603 - a constant
        return [json.loads(line) for line in lines.read_text().splitlines()]


def table(found: list[dict[str, float]]) -> Result:
    """Return the result: one row for each thing measured, one column for each size."""
    names = [name for name in found[0] if name != "cells" and not name.startswith("processor")]
    rows: list[list[Cell]] = []
    for name in names:
        shown = [_shown(numbers, name) for numbers in found]
        rows.append([name, *shown, LIMITS.get(name)])
    columns = ["", *(f"{int(numbers['cells']):,} cells" for numbers in found), "asked for"]
    load = f"{os.getloadavg()[0]:.0f}" if hasattr(os, "getloadavg") else "unknown"
    notes = [
        "In brackets: seconds of processor of server, browser and its software WebGL together.",
        f"The load average was {load} afterwards; above the number of cores it lengthens times.",
    ]
    return Result(
        "The cell map",
        "python -m benchmarks.speed.cell_map",
        columns,
        rows,
        notes,
        more={"raw": found},
    )


def _shown(numbers: dict[str, float], name: str) -> str:
    busy = numbers.get(f"processor: {name}")
    value = f"{numbers[name]:,.0f}" if numbers[name] >= 10 else f"{numbers[name]:.2f}"
    return value if busy is None else f"{value} ({busy:.2f})"


if __name__ == "__main__":
    print(write("cell_map", table(measured())))
