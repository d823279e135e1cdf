"""What a command shows: a summary, and a bar while a person watches."""

import json
import sys
from typing import Any

from scanvi_core.keys import one_line

BAR_WIDTH = 30


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


def report(fraction: float, message: str) -> None:
    """Show how far the work is, where a person watches."""
    if not sys.stderr.isatty():
        return
    filled = round(fraction * BAR_WIDTH)
    bar = "#" * filled + "." * (BAR_WIDTH - filled)
    print(f"\r[{bar}] {fraction:4.0%} {message[:40]:<40}", end="", file=sys.stderr, flush=True)


def end_bar() -> None:
    """Leave the line of the bar."""
    if sys.stderr.isatty():
        print(file=sys.stderr)
