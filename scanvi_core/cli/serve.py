"""``serve``: open the app in the browser."""

import argparse
import os
import subprocess
import sys
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
    status = subprocess.call(command, cwd=app.parent, env=environment)  # noqa: S603 - our own command
    if status > 0:
        raise ScanviError(f"The app ended with status {status}.")
