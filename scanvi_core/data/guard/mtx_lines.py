"""The lines of a Matrix Market file, fit for readers in C.

scipy's reader takes text for what ends at a NUL byte, and looks for the end of a line beyond the
end of the file: both end the process.
"""

import io
import math
from pathlib import Path

from scanvi_core.data.guard.text import open_text
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN


class _Lines(io.RawIOBase):
    """A stream of text without NUL bytes, whose last line ends."""

    def __init__(self, source: io.BufferedReader, name: str) -> None:
        super().__init__()
        self._source, self._name = source, name
        self._last = b"\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        block = self._source.read1(len(buffer))
        if 0 in block:
            raise FileRefused(
                f"{self._name} is damaged: there are bytes in it that are no text.", FETCH_AGAIN
            )
        if not block and self._last != b"\n":
            block = b"\n"
        self._last = block[-1:] or self._last
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._source.close()
        super().close()


def open_mtx(path: Path) -> io.BufferedReader:
    """Open a plain or gzip Matrix Market file whose header was found sound.

    Raises
    ------
    FileRefused
        As `open_text` does; and from a read, at a NUL byte.
    """
    return io.BufferedReader(_Lines(open_text(path, math.inf), path.name), 2**20)
