"""Where a command's log goes: a file of the program's home, made once there is something to say.

Standard error is for one sentence; what a library raised behind it is in the file.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from scanvi_core import runtime

MAX_BYTES = 2**20


class CommandLog(RotatingFileHandler):
    """A log file whose folder need not be there, nor be one that can be written to."""

    def __init__(self) -> None:
        path = runtime.home() / "logs" / "command.log"
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))

    def _open(self) -> Any:
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            return super()._open()
        except OSError:
            return NamedTemporaryFile(
                "w", prefix="scanvi-", suffix=".log", delete=False, encoding="utf-8"
            )

    @property
    def path(self) -> str | None:
        """Where the log is; None while nothing was said."""
        return None if self.stream is None else str(self.stream.name)


@contextmanager
def command_log() -> Iterator[CommandLog]:
    """Keep what the program logs meanwhile in a file, and off standard error."""
    logger, log = logging.getLogger("scanvi_core"), CommandLog()
    logger.addHandler(log)
    try:
        yield log
    finally:
        logger.removeHandler(log)
        log.close()
