"""Read text tables, packed or not, within bounds: bytes in all, bytes a line, numbers declared.

A gzip file of 1 MB unpacks to 1 GB, a table may be one line without end, and the second line of a
Matrix Market file may ask for more numbers than any memory holds.
"""

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN, MORE_MEMORY
from scanvi_core.plurals import sizes

GZIP_MAGIC = b"\x1f\x8b"
MAX_LINE_BYTES = 256 * 2**20  # a gene's counts in a million cells take some 10 MB
HIGHEST_RATIO = 1_032  # of deflate
MAX_RATIO = 500  # a table of counts in which one in a thousand is not zero reaches 380
RATIO_FROM_BYTES = 64 * 2**20  # what little unpacks to is read in no time, whatever it is
SIP_BYTES = 2**13
MTX_BANNER = b"%%MatrixMarket"
MTX_HEADER_BYTES = 2**20  # comments included
SMALLEST_ENTRY = {"pattern": 4, "complex": 8}  # bytes of "1 1" and a line's end; others have 6
BYTES_PER_ENTRY = 24  # positions and value, twice while they are sorted


class Sips:
    """A packed file of which little is read at a time, so that its place tells what came of it.

    From Python 3.12 on, `gzip` takes 128 KiB at once, from which 130 MiB may come.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer than were asked for where these are many."""
        return self._file.read(min(size, SIP_BYTES))

    def seek(self, to: int) -> int:
        """Go to a place, counted from the beginning."""
        return self._file.seek(to)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Bounded(io.RawIOBase):
    """A binary stream that refuses to go on beyond its bounds.

    Lines that end as they did on old Macs, in a carriage return alone, come out as all others.

    Parameters
    ----------
    source
        The stream that is read.
    name
        What to call it in a refusal.
    max_bytes
        Bytes that may come out of it, unpacked.
    max_line_bytes
        Bytes that may follow each other without the end of a line.
    packed
        The packed file behind `source`, whose place tells how much of it was unpacked.
    """

    def __init__(
        self,
        source: BinaryIO,
        name: str,
        max_bytes: float,
        max_line_bytes: int = MAX_LINE_BYTES,
        *,
        packed: BinaryIO | None = None,
    ) -> None:
        super().__init__()
        self._source, self._name, self._packed = source, name, packed
        self._max_bytes, self._max_line = max_bytes, max_line_bytes
        self._n_bytes = self._n_line = 0
        self._old_ends: bool | None = None

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read into `buffer`; return how many bytes came.

        Raises
        ------
        FileRefused
            If a bound is passed or the packed stream is damaged or cut off.
        """
        try:
            block = self._source.read(len(buffer))
        except EOFError as error:
            raise FileRefused(f"{self._name} is cut off.", FETCH_AGAIN) from error
        except (zlib.error, OSError) as error:
            raise FileRefused(
                f"{self._name} is damaged: it cannot be unpacked.", FETCH_AGAIN
            ) from error
        if self._old_ends is None:
            self._old_ends = b"\r" in block[:-1] and b"\n" not in block
        if self._old_ends:
            block = block.replace(b"\r", b"\n")
        buffer[: len(block)] = block
        self._count(block)
        return len(block)

    def close(self) -> None:
        """Close the source as well, and the file of a packed one."""
        file = getattr(self._source, "fileobj", None)  # GzipFile leaves it open
        self._source.close()
        if file is not None:
            file.close()
        super().close()

    def _count(self, block: bytes) -> None:
        self._n_bytes += len(block)
        if self._n_bytes > self._max_bytes:
            raise FileRefused(
                f"{self._name} unpacks to more than the {self._max_bytes / 1e9:,.1f} GB of memory "
                "available.",
                "Open it on a machine with more memory, or save it as .h5ad where it was made.",
            )
        if self._packed is not None:
            check_ratio(self._name, self._packed.tell(), self._n_bytes)
        at = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._n_line = self._n_line + len(block) if at < 0 else len(block) - at - 1
        if self._n_line > self._max_line:
            raise FileRefused(
                f"{self._name} has a line of more than {self._max_line / 2**20:,.0f} MiB.",
                "It is no table of counts, or its lines have lost their ends. Save it again.",
            )


def check_ratio(name: str, n_packed: int, n_bytes: int) -> None:
    """Raise `FileRefused` when something unpacks to far more bytes than data do."""
    if n_bytes > RATIO_FROM_BYTES and n_bytes > MAX_RATIO * n_packed:
        raise FileRefused(
            f"{name} unpacks from {n_packed:,} bytes to {n_bytes / 2**20:,.0f} MiB or more. "
            "Refused.",
            "No data pack that well: it is damaged or made to keep the machine busy. Copy it "
            "again from its source.",
        )


def open_text(path: Path, max_bytes: float) -> io.BufferedReader:
    """Open a plain or gzip text file, told apart by content; unpacked bytes are bounded.

    Parameters
    ----------
    path
        A regular file.
    max_bytes
        Bytes that may come out of it: the memory that reading may take.

    Raises
    ------
    FileRefused
        At once when `path` is no regular file; from a read when a bound is passed.
    """
    raw = open_regular(path)
    packed = raw.read(2) == GZIP_MAGIC
    raw.seek(0)
    # gzip.GzipFile is a BinaryIO in all but its declared type
    source: BinaryIO = gzip.GzipFile(fileobj=Sips(raw)) if packed else raw  # type: ignore[assignment]
    bounded = Bounded(source, path.name, max_bytes, packed=raw if packed else None)
    return io.BufferedReader(bounded, 2**20)


@dataclass(frozen=True, slots=True)
class MtxHeader:
    """What a Matrix Market file says about itself.

    Attributes
    ----------
    n_rows, n_columns, n_values
        Its shape and the number of entries that follow.
    kind
        ``integer``, ``real``, ``pattern`` or ``complex``.
    symmetry
        ``general``, ``symmetric``, ...
    """

    n_rows: int
    n_columns: int
    n_values: int
    kind: str
    symmetry: str


def check_mtx(path: Path, memory_bytes: float) -> MtxHeader:
    """Read the header of an .mtx(.gz) file and refuse what cannot be true or would not fit.

    Raises
    ------
    FileRefused
        If the banner is another one, if numbers are missing, negative or more than the rest of
        the file can hold, or if they need more than `memory_bytes`.
    """
    with open_regular(path) as raw:
        packed = raw.read(2) == GZIP_MAGIC
        n_stored = raw.seek(0, io.SEEK_END)
    with open_text(path, memory_bytes) as stream:
        header = read_mtx_header(stream, path.name)
    largest = n_stored * (HIGHEST_RATIO if packed else 1)
    if header.n_values * SMALLEST_ENTRY.get(header.kind, 6) > largest + 1:
        raise FileRefused(
            f"{path.name} says it holds {header.n_values:,} values, more than fit into its "
            f"{n_stored:,} bytes.",
            FETCH_AGAIN,
        )
    needed = BYTES_PER_ENTRY * header.n_values + 16 * (header.n_rows + header.n_columns)
    if needed > memory_bytes:
        asked, free = sizes(needed, memory_bytes)
        raise FileRefused(
            f"Not enough memory: {path.name} needs {asked}, {free} may be used.",
            MORE_MEMORY,
        )
    return header


def read_mtx_header(stream: BinaryIO | io.BufferedReader, name: str) -> MtxHeader:
    """Return the header of an open Matrix Market stream, which then stands at the first entry.

    Raises
    ------
    FileRefused
        If it is not a sparse table of numbers, or its numbers are missing or negative.
    """
    banner = stream.readline(1024).split()
    if len(banner) != 5 or banner[0] != MTX_BANNER or banner[1].lower() != b"matrix":
        raise FileRefused(f"{name} has no Matrix Market banner in its first line.", FETCH_AGAIN)
    layout, kind, symmetry = (part.decode("latin-1").lower() for part in banner[2:])
    if layout != "coordinate" or kind not in {"integer", "real", "pattern", "unsigned-integer"}:
        raise FileRefused(
            f"{name} is a Matrix Market table of the kind {layout} {kind}.",
            "Counts are kept as `coordinate integer` or `coordinate real`. Save it again.",
        )
    left = MTX_HEADER_BYTES
    line = b"%"
    while line.startswith(b"%") or line in {b"\n", b"\r\n"}:
        line = stream.readline(left)
        left -= len(line)
        if left <= 0:
            raise FileRefused(f"{name} has a header without end.", FETCH_AGAIN)
    numbers = line.split()
    if len(numbers) != 3 or not all(part.isdigit() and len(part) < 19 for part in numbers):
        shown = line[:40].decode("latin-1").strip()
        raise FileRefused(f"{name} states no shape: its header ends with {shown!r}.", FETCH_AGAIN)
    n_rows, n_columns, n_values = (int(part) for part in numbers)
    if symmetry == "general" and n_values > n_rows * n_columns:
        raise FileRefused(
            f"{name} says it holds {n_values:,} values in {n_rows:,} × {n_columns:,} places.",
            FETCH_AGAIN,
        )
    return MtxHeader(n_rows, n_columns, n_values, kind, symmetry)
