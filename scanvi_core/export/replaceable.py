"""What an export may take the place of: a plain file, or nothing."""

import stat
from pathlib import Path

from scanvi_core.errors import ExportError

KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)  # fmt: skip


def check_replaceable(path: Path) -> None:
    """Refuse to write where something lies that is no plain file; links are not followed.

    Raises
    ------
    ExportError
        If there is a folder, a link, a pipe, a device or the like.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = next((words for is_it, words in KINDS if is_it(mode)), "a device")
        raise ExportError(
            f"{path} is {kind}, and only a plain file is replaced.", "Choose another name."
        )
