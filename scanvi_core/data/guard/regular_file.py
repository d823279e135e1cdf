"""Open a file that is a file: no link, pipe, device or folder; and hold on to that very one."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from scanvi_core.errors import FileRefused, reason_of

ONLY_FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")  # not all exist everywhere


def open_regular(path: Path) -> BinaryIO:
    """Return a regular file opened for reading; nothing waits and no link is followed.

    Raises
    ------
    FileRefused
        If it cannot be opened or is something else than a file.
    """
    flags = os.O_RDONLY
    for name in ONLY_FLAGS:
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        if path.is_symlink():
            raise FileRefused(
                f"{path.name} is a link to another file.",
                "Put the file itself there (`cp -L` copies what links lead to).",
            ) from error
        raise FileRefused(
            f"{path.name} cannot be opened: {reason_of(error)}.", "Check its name and permissions."
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileRefused(f"{path.name} is not a regular file.", "Choose a file with data.")
    return os.fdopen(handle, "rb")
