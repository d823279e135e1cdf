"""What a command shows: a summary, and how far it is while it works."""

import json
import sys
import time
from typing import Any

from scanvi_core import ending
from scanvi_core.keys import one_line

BAR_WIDTH = 30
LINE_EVERY_S = 60.0  # where no terminal shows a bar


def print_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print what a command found, in lines for people or as one line of JSON."""
    if as_json:
        print(json.dumps(summary))
        return
    for name, value in summary.items():
        print(f"{name}: {_lines(value)}")


def _lines(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"\n  - {one_line(str(item))}" for item in value) or "none"
    if isinstance(value, dict):
        return "".join(f"\n  {key}: {one_line(str(item))}" for key, item in value.items())
    return str(value)


class Bar:
    """How far the work is, on standard error: a bar on a terminal, elsewhere a line a minute.

    It never goes back: what is told of less than before moves only the words.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._far, self._drawn = 0.0, False
        self._said_at: float | None = None  # from the first report on, not from the import

    def report(self, fraction: float, message: str) -> None:
        """Show how far the work is."""
        self._far = max(self._far, min(1.0, fraction))
        if self._said_at is None:
            self._said_at = time.monotonic()
        if sys.stderr.isatty():
            self._draw(message)
        elif time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            ending.write_line(f"{time.strftime('%H:%M:%S')} {self._far:4.0%} {message}")

    def _draw(self, message: str) -> None:
        filled = round(self._far * BAR_WIDTH)
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        sys.stderr.write(f"\r[{bar}] {self._far:4.0%} {message[:60]:<60}")
        sys.stderr.flush()
        self._drawn = True

    def end(self) -> None:
        """Leave the line of the bar, and begin anew."""
        if self._drawn:
            sys.stderr.write("\n")
        self._begin()


_bar = Bar()
report, end_bar = _bar.report, _bar.end
