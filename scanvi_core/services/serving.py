"""Starting the app: the command, and what its process has to be told."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scanvi_core import runtime
from scanvi_core.errors import InputError
from scanvi_core.hints import CHECK_NAME


def app_command(options: Sequence[str] = ()) -> list[str]:
    """Return the command that starts the app: that of this checkout, or of the installed package.

    `options` are those of ``streamlit run``.

    Raises
    ------
    InputError
        If the app is not there.
    """
    app = runtime.APP / "app.py"
    if not app.is_file():
        raise InputError(
            f"The app is not installed beside the library ({app} is missing).",
            "Install the package again, or run this command from a clone of the project.",
        )
    return [sys.executable, "-m", "streamlit", "run", str(app), *options]


def told_to_open(texts: Sequence[str]) -> dict[str, str]:
    """Return the variables by which the app opens these files at once.

    They may lie anywhere: who starts a server says what it may read. Where they are not below the
    data folder, and nobody chose that, it is their own folder for as long as the server runs.

    Raises
    ------
    InputError
        If one is not there, or lies outside the data folder that was chosen.
    """
    if not texts:
        return {}
    paths = [_resolved(text) for text in texts]
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
    folder = Path(os.path.commonpath([p if p.is_dir() else p.parent for p in paths]))
    if folder == folder.parent:
        raise InputError(
            "The files lie so far apart that all of the computer would be open to the app.",
            f"Put them into one folder, or set {runtime.DATA_ROOT_VARIABLE}.",
        )
    return told | {runtime.DATA_ROOT_VARIABLE: str(folder)}


def _resolved(text: str) -> Path:
    try:
        path = Path(text).expanduser().resolve()
        path.exists()  # fails where the path is no path
    except (OSError, RuntimeError, ValueError) as error:  # too long, no such user
        raise InputError(
            f"{text[:80]!r} is no usable path.", "Check it for typing errors."
        ) from error
    return path
