"""``serve``: open the app in the browser."""

import argparse
import os
import signal
import subprocess
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

from scanvi_core import runtime
from scanvi_core.errors import InputError, ScanviError
from scanvi_core.services.serving import app_command, told_to_open

NAME = "serve"


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        NAME, help="open the app in the browser", usage="%(prog)s [--example] [FILE ...] [-- ...]"
    )
    parser.add_argument("--example", action="store_true", help="open the built-in example at once")
    parser.add_argument(
        "files", nargs="*", metavar="FILE",
        help="a file or folder to open at once, several as one project; "
        "after --, options for streamlit run",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Start the app.

    Raises
    ------
    InputError
        If there is no such file, or there is more than one thing to open.
    """
    files = list(takewhile(lambda text: not text.startswith("-"), options.files))
    if files and options.example:
        raise InputError("The example and a file cannot be opened at once.", "Name one of them.")
    asked = {runtime.EXAMPLE_VARIABLE: "1"} if options.example else told_to_open(files)
    if folder := asked.get(runtime.DATA_ROOT_VARIABLE):
        print(f"Files in and below {folder} may be opened ({runtime.DATA_ROOT_VARIABLE}).")
    command = app_command(options.files[len(files) :])
    status = _wait_for(command, runtime.APP, os.environ | asked)
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
