"""Text files, plain or packed with gzip, that may hold a table: their first lines, their names."""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scanvi_core.data.guard.regular_file import open_regular
from scanvi_core.data.guard.text import GZIP_MAGIC, open_text
from scanvi_core.data.names import IDENTIFIER_COLUMNS, SYMBOL_COLUMNS, plain
from scanvi_core.errors import FileRefused
from scanvi_core.hints import SMALLER_FILE

GLIMPSE_LINES = 60
SAYS_SEPARATOR = re.compile(rb"sep=[,;\t| ]\"?[,;\t\s]*$")
MOST_REMARKS = 500  # lines before a table
LINE_BYTES = 2**24
VALUE_BYTES = 12  # of a stored count, twice while parts are put together
OTHER_ENCODING = "latin-1"  # of old spreadsheets; whatever is no UTF-8 can be read as this
NAMING = frozenset(  # titles of the column of names, by `plain`
    {"", "cell", "cells", "cellid", "cellname", "barcode", "barcodes", "cellbarcode", "index",
     *SYMBOL_COLUMNS, *IDENTIFIER_COLUMNS}
)  # fmt: skip
SEPARATORS = ("\t", ",", ";", " ")
COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
# 1,234 may be a thousand
SURE_COMMA = re.compile(r"[-+]?(0?,\d+|\d*,(\d{1,2}|\d{4,}))([eE][-+]?\d+)?")
POINT = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")
SURE_POINT = re.compile(SURE_COMMA.pattern.replace(",(", "[.](").replace("?,", "?[.]"))


@dataclass(frozen=True, slots=True)
class Glimpse:
    """The first lines of a table, and how long it is.

    Attributes
    ----------
    start
        The first line as it is.
    lines
        Fields of the first lines.
    separator
        What stands between fields.
    n_lines
        Lines that are not empty, without those before the table.
    n_before
        Lines before the table: remarks behind a ``#``, as BD Rhapsody and Drop-seq write them.
    empty_end
        Whether a separator ends every line, with nothing behind it.
    """

    start: str
    lines: tuple[tuple[str, ...], ...]
    separator: str
    n_lines: int
    n_before: int = 0
    empty_end: bool = False


def first_lines(path: Path, n: int = GLIMPSE_LINES) -> list[str]:
    """Return some first lines of a text file."""
    with open_text(path, LINE_BYTES * n) as stream:
        lines = [stream.readline(LINE_BYTES) for _ in range(n)]
    texts = [_decoded(line).rstrip("\r\n") for line in lines]
    return [text for text in texts if text]


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode(OTHER_ENCODING)


def glimpse(path: Path, max_bytes: float, memory_bytes: float = math.inf) -> Glimpse:
    """Return what the beginning and the length of a table show.

    Raises
    ------
    FileRefused
        If it unpacks to more than `max_bytes`, or its counts need more than `memory_bytes`.
    """
    remarks = lines_before(path)
    lines = first_lines(path, GLIMPSE_LINES + remarks)[remarks:]
    separator = guess_separator(lines)
    parted = [fields_of(line, separator) for line in lines]
    kept = without_empty_end(parted)
    fields = tuple(map(tuple, kept))
    n_lines = count_lines(path, max_bytes, separator, memory_bytes) - remarks
    first = lines[0] if lines else ""
    return Glimpse(first, fields, separator, n_lines, remarks, kept is not parted)


def lines_before(path: Path) -> int:
    """Return how many lines of remarks come before a table; text with a blank line is no table.

    ``sep=;`` in the first line tells a spreadsheet how to part the others.
    """
    n = 0
    with open_text(path, LINE_BYTES * MOST_REMARKS) as stream:
        for _ in range(MOST_REMARKS):
            line = stream.readline(LINE_BYTES)
            start = line.lstrip(b'\xef\xbb\xbf"').lower()
            if not (start.startswith(b"#") or (n == 0 and SAYS_SEPARATOR.match(start))):
                return n if line.strip() else 0
            n += 1
    return n


def count_lines(
    path: Path, max_bytes: float, separator: str = "", memory_bytes: float = math.inf
) -> int:
    """Return the number of lines that are not empty.

    With a `separator` the fields that are not zero are counted on the way, at least: a table that
    cannot fit is refused long before it has been read.
    """
    gap = separator.encode()
    zeros = tuple(gap + start for start in (b"0", b" 0", b'"0')) if gap else ()
    n_lines = n_values = 0
    with open_text(path, max_bytes) as stream:
        for line in stream:
            n_lines += bool(line.strip())
            if gap:
                n_values += max(0, line.count(gap) - sum(map(line.count, zeros)))
                _check_fits(path.name, n_values, memory_bytes)
    return n_lines


def _check_fits(name: str, n_values: int, memory_bytes: float) -> None:
    if n_values * VALUE_BYTES > memory_bytes:
        raise FileRefused(
            f"Not enough memory for {name}: it holds {n_values:,} values or more that are not "
            f"zero, and {memory_bytes / 1e9:,.1f} GB may be used.",
            SMALLER_FILE,
        )


def is_ended(path: Path) -> bool:
    """Tell whether the last line has an end; what is packed cannot have been cut off unseen."""
    with open_regular(path) as stream:
        if stream.read(2) == GZIP_MAGIC:
            return True
        stream.seek(-1, io.SEEK_END)
        return stream.read(1) in {b"\n", b"\r"}


def guess_separator(lines: Sequence[str], separators: Sequence[str] = SEPARATORS) -> str:
    """Return the separator that cuts most lines of a table into equally many fields.

    Of several, the one that cuts its header, the first line, into as many.
    """

    def evenness(separator: str) -> tuple[bool, int, bool, int]:
        first, *widths = [len(fields_of(line, separator)) for line in [lines[0], *lines[-50:]]]
        usual = max(set(widths), key=widths.count)
        fits = first in {usual, usual - 1}  # a comma in every number is not in the header
        n_usual = widths.count(usual) if usual > 1 else 0
        return fits and usual > 1, n_usual, first == usual, usual

    return max(separators, key=evenness) if lines else ","


def fields_of(line: str, separator: str) -> list[str]:
    """Return the fields of a line; quotes hold together what is inside them."""
    import csv

    csv.field_size_limit(max(csv.field_size_limit(), len(line) + 1))  # a guess may not cut at all
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:  # a carriage return inside a line
        raise FileRefused(
            f"A line that starts with {line[:30]!r} cannot be parted into fields.",
            "Save the table again, with lines that all end in the same way.",
        ) from error


def without_empty_end(lines: list[list[str]]) -> list[list[str]]:
    """Return the fields of a table without an empty last column: a separator ends its lines."""
    header, *body = lines or [[]]
    widths = {len(line) for line in body}
    if len(widths) != 1 or max(widths) < 3 or any(line[-1] for line in body):
        return lines
    width = max(widths)
    if len(header) == width and not header[-1]:
        header = header[:-1]
    elif len(header) != width - 1 or plain(header[0]) not in NAMING:  # as R writes it
        return lines
    return [header, *[line[:-1] for line in body]]


def checked_end(frame: pd.DataFrame, width: int, name: str) -> pd.DataFrame:
    """Return the first columns of a table whose lines end in a separator.

    Raises
    ------
    FileRefused
        If anything stands behind it.
    """
    behind = frame.iloc[:, width:].fillna("").astype(str)
    if (behind != "").to_numpy().any():
        raise FileRefused(
            f"{name} is no table: its lines have different numbers of fields.",
            "It may have been cut off, or its separator stands inside names. Save it again.",
        )
    return frame.iloc[:, :width]


def decimal_mark(seen: Glimpse) -> str:
    """Return what stands before the decimals of a table, as its fields show."""
    if seen.separator == ",":
        return "."
    fields = {field.strip() for line in seen.lines[1:] for field in line[1:]}
    points = any(map(POINT.fullmatch, fields))
    if seen.separator == ";":
        return (
            "."
            if any(map(SURE_POINT.fullmatch, fields)) and not any(map(COMMA.fullmatch, fields))
            else ","
        )
    return "," if not points and any(map(SURE_COMMA.fullmatch, fields)) else "."


def why_no_table(error: ValueError) -> str:
    """Return why pandas found no table in a text."""
    odd = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if odd is None:
        return "its lines cannot be parted into fields"
    return f"line {odd[2]} has {odd[3]} fields, those before {odd[1]}"


def number(text: str) -> float | None:
    """Return the number that a field holds, NaN for a missing one; None for a word."""
    if text.strip().lower() in {"", "na", "nan"}:
        return math.nan
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
