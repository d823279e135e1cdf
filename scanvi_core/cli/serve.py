"""``serve``: open the app in the browser."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from scanvi_core import runtime
from scanvi_core.errors import InputError, ScanviError


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="open the app in the browser")
    parser.add_argument("--example", action="store_true", help="open the built-in example at once")
    parser.add_argument("streamlit", nargs="*", help="options for streamlit run, after --")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Start the app of this checkout."""
    app = runtime.CODE / "app.py"
    if not app.is_file():
        raise InputError(
            f"The app is not installed beside the library ({app} is missing).",
            "Run this command from a clone of the project.",
        )
    command = [sys.executable, "-m", "streamlit", "run", str(app), *options.streamlit]
    environment = os.environ | ({runtime.EXAMPLE_VARIABLE: "1"} if options.example else {})
    status = _wait_for(command, app.parent, environment)
    if status > 0:
        raise ScanviError(f"The app ended with status {status}.")


def _wait_for(command: Sequence[str], folder: Path, environment: dict[str, str]) -> int:
    """Run the app until it has ended in order; return its status, 0 when it was asked to end.

    Ctrl-C reaches both processes; a stop that only this one hears is passed on.
    """
    asked = list[int]()
    with subprocess.Popen(command, cwd=folder, env=environment) as child:  # noqa: S603 - our own command

        def end(number: int, _frame: FrameType | None) -> None:
            asked.append(number)
            if number == signal.SIGTERM:
                child.terminate()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        status = child.wait()
    return 0 if asked else status
