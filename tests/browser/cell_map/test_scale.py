"""The map at 100,000 and at a million cells: exact, and measured; ``-s`` prints the numbers.

With the variable CELL_MAP_RESULTS a line of JSON is added to that file for each size, which
benchmarks/speed/cell_map.py makes a result of. No time is asserted: machines differ.
"""

import contextlib
import json
import math
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser.conftest import APPS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
APP = APPS / "cell_map_scale_app.py"
MEGABYTE = 1_000_000
WAIT = 120_000  # milliseconds, of a machine with other things to do
WATCH = """
window.longTasks = []
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) longTasks.push(task.duration)
}).observe({ type: "longtask" })
"""


class Wire:
    """Counts what goes over the websocket."""

    def __init__(self, page: Any) -> None:
        self.sent = self.received = 0
        page.on("websocket", self._watch)

    def _watch(self, socket: Any) -> None:
        socket.on("framereceived", lambda frame: self._add("received", frame))
        socket.on("framesent", lambda frame: self._add("sent", frame))

    def _add(self, way: str, frame: Any) -> None:
        setattr(self, way, getattr(self, way) + len(frame))

    def since(self) -> int:
        """Return the bytes both ways since last asked."""
        total, self.sent, self.received = self.sent + self.received, 0, 0
        return total


class Clock:
    """Tells the time since the start, and the processor time of server and browser in it."""

    def __init__(self) -> None:
        self.start, self.busy = time.monotonic(), self._processor()

    def numbers(self, name: str) -> dict[str, float]:
        elapsed = time.monotonic() - self.start
        return {name: elapsed, f"processor: {name}": self._processor() - self.busy}

    @staticmethod
    def _processor() -> float:
        total = 0.0
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total


@pytest.fixture(params=[100_000, 1_000_000], ids=["100k", "1M"])
def big(request: Any, page: Any, start_app: Any) -> Iterator[dict[str, Any]]:
    """A page with so many cells, and the numbers measured on it."""
    page.set_default_timeout(WAIT)
    page.add_init_script(WATCH)
    url, wire = start_app(APP), Wire(page)
    page.goto(f"{url}?n=500&warm={request.param}")  # imports and the making of the cells
    page.locator(".st-key-cells .map[data-ready]").wait_for()
    clock = Clock()
    page.goto(f"{url}?n={request.param}")
    page.locator(f".st-key-cells .map[data-n='{request.param}'][data-ready]").wait_for()
    numbers = {"cells": request.param} | clock.numbers("map shown, s")
    wire.since()
    yield numbers | {"wire": wire}


def test_a_star_drawn_in_one_stroke_selects_its_tips_and_not_its_middle(page, big) -> None:
    numbers, cells = big, page.locator(".st-key-cells .map")
    wire = numbers.pop("wire")
    page.evaluate("() => { longTasks.length = 0 }")
    numbers["drag of a lasso, s"] = _star(page, cells)
    numbers["longest task in the drag, ms"] = max(page.evaluate("() => longTasks"), default=0.0)
    numbers |= _after_release(page, cells)
    numbers["sent for a lasso, bytes"] = wire.since()

    heaps = page.get_by_text(re.compile("^heaps: ")).inner_text()
    found, there = (json.loads(part) for part in heaps.removeprefix("heaps: ").split(" of "))
    assert found == [*there[:5], *[0] * 5], "all of the tips, nothing of the middle or outside"
    took = page.get_by_text(re.compile("the server took")).inner_text()
    numbers["test of all cells on the server, s"] = float(took.split()[3])
    page.get_by_text("Compare").click()
    page.get_by_text("other answer for 0 cells").wait_for()

    near, picked = cells.get_attribute("data-view"), cells.get_attribute("data-selected")
    wire.since()
    clock = Clock()
    page.get_by_text("By value").click()
    _drawn(page, cells, "[data-revision='value']")
    numbers |= clock.numbers("recolored, s")
    numbers["sent for a color, bytes"] = wire.since()
    assert cells.get_attribute("data-view") == near
    assert cells.get_attribute("data-selected") == picked
    _report(numbers)
    assert numbers["sent for a lasso, bytes"] < MEGABYTE
    assert numbers["sent for a color, bytes"] < MEGABYTE


def _star(page: Any, cells: Any) -> float:
    """Draw a five-pointed star in one stroke but for the release; return the seconds."""
    box = cells.locator(".over").bounding_box()
    x, y, side = map(float, cells.get_attribute("data-view").split(","))
    reach = 0.475 * side  # of the longer side
    # the middle of the cells, which make room for the tools where they fill every corner
    middle = (
        box["x"] + box["width"] / 2 + (0.5 - x) * side,
        box["y"] + box["height"] / 2 - (0.5 - y) * side,
    )
    start = time.monotonic()
    for tip in range(5):
        turn = math.pi / 2 + 4 * math.pi * tip / 5  # every second tip
        spot = middle[0] + reach * math.cos(turn), middle[1] - reach * math.sin(turn)
        if tip == 0:
            page.mouse.move(*spot)
            page.mouse.down()
        else:
            page.mouse.move(*spot, steps=6)
    return time.monotonic() - start


def _after_release(page: Any, cells: Any) -> dict[str, float]:
    """Measure from the release of the button until the count is told and the cells are drawn."""
    clock, version = Clock(), int(cells.get_attribute("data-ready"))
    page.mouse.up()
    page.locator(".st-key-cells .map:not([data-selected='0'])").wait_for()
    told = clock.numbers("selection told, s")
    page.wait_for_function(
        "([map, before]) => +map.dataset.ready > before", arg=[cells.element_handle(), version]
    )
    return told | clock.numbers("selection drawn, s")


def _drawn(page: Any, cells: Any, mark: str) -> None:
    version = int(cells.get_attribute("data-ready"))
    page.locator(f".st-key-cells .map{mark}").wait_for()
    page.wait_for_function(
        "([map, before]) => +map.dataset.ready > before", arg=[cells.element_handle(), version]
    )


def _report(numbers: dict[str, Any]) -> None:
    text = json.dumps({k: round(v, 3) for k, v in numbers.items()})
    print(f"\n{text}")
    path = os.environ.get("CELL_MAP_RESULTS")
    if path:
        with Path(path).open("a") as lines:
            lines.write(text + "\n")
