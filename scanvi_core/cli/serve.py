"""``serve``: open the app in the browser."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import Any

from scanvi_core import runtime
from scanvi_core.errors import InputError, ScanviError
from scanvi_core.hints import CHECK_NAME

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
    """Start the app: that of this checkout, or that of the installed package.

    Raises
    ------
    InputError
        If there is no such file, or there is more than one thing to open.
    """
    files = list(takewhile(lambda text: not text.startswith("-"), options.files))
    if files and options.example:
        raise InputError("The example and a file cannot be opened at once.", "Name one of them.")
    app = runtime.APP / "app.py"
    if not app.is_file():
        raise InputError(
            f"The app is not installed beside the library ({app} is missing).",
            "Install the package again, or run this command from a clone of the project.",
        )
    rest = options.files[len(files) :]
    command = [sys.executable, "-m", "streamlit", "run", str(app), *rest]
    asked = {runtime.EXAMPLE_VARIABLE: "1"} if options.example else _to_open(files)
    status = _wait_for(command, app.parent, os.environ | asked)
    if status > 0:
        raise ScanviError(f"The app ended with status {status}.")


def _to_open(texts: Sequence[str]) -> dict[str, str]:
    """Return what the server has to be told so that it opens these files.

    They may lie anywhere: who starts a server says what it may read. Where they are not below the
    data folder, and nobody chose that, it is their own folder for as long as the server runs.
    """
    if not texts:
        return {}
    paths = [Path(text).expanduser().resolve() for text in texts]
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise InputError(f"There is no file {missing}.", CHECK_NAME)
    told = {runtime.FILES_VARIABLE: json.dumps([str(path) for path in paths])}
    root = runtime.data_root().resolve()
    if all(path.is_relative_to(root) for path in paths):
        return told
    if runtime.DATA_ROOT_VARIABLE in os.environ:
        outside = next(path for path in paths if not path.is_relative_to(root))
        raise InputError(
            f"{outside} is outside the data folder {root}.",
            f"Move it there, or set {runtime.DATA_ROOT_VARIABLE} to a folder above it.",
        )
    folder = os.path.commonpath([path.parent for path in paths])
    print(f"Files in and below {folder} may be opened ({runtime.DATA_ROOT_VARIABLE}).")
    return told | {runtime.DATA_ROOT_VARIABLE: folder}


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
