"""Tables as text: bytes to fields, whatever stands between them."""

import csv
from collections.abc import Sequence

from scanvi_core.errors import FileRefused

Grid = list[list[str]]
SEPARATORS = ("\t", ";", "|", ",")
LOOKED_AT = 50  # lines
MOST_ROWS, MOST_COLUMNS = 200_000, 1_000
HINT = (
    "Write one line per type, its name first (B cell: MS4A1, CD79A), or a table with a column of "
    "types and one of genes."
)


def decoded(name: str, content: bytes) -> str:
    """Return the text of a file, in UTF-8 or as Excel saves "Unicode text".

    Raises
    ------
    FileRefused
        If it is no text.
    """
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(f"{name} is no text in UTF-8.", "Save it as CSV in UTF-8.") from error
    if "\0" in text:
        raise FileRefused(f"{name} is no table of text.", HINT)
    return text


def grid_of(name: str, text: str) -> Grid:
    """Return the fields of a text, line by line; lines may have different numbers of fields.

    Raises
    ------
    FileRefused
        If there are too many, or one is longer than fields are.
    """
    lines = [  # their ends stay, as fields in quotes may hold several
        line for line in text.splitlines(keepends=True) if line.strip() and line[0] != "#"
    ]
    check_size(name, len(lines), 0)
    if _has_colons(lines[:LOOKED_AT]):
        return [[part.strip() for part in line.split(":", 1)] for line in lines]
    try:
        grid = _fields(lines, _separator(lines[:LOOKED_AT]))
    except csv.Error as error:
        raise FileRefused(f"{name} cannot be read as a table.", HINT) from error
    check_size(name, len(grid), max(map(len, grid), default=0))
    return grid


def check_size(name: str, n_rows: int, n_columns: int) -> None:
    """Raise `FileRefused` where a table is larger than any table of markers."""
    if n_rows > MOST_ROWS or n_columns > MOST_COLUMNS:
        raise FileRefused(
            f"{name} has more than {MOST_ROWS:,} lines or {MOST_COLUMNS:,} columns.",
            "Choose the table of marker genes.",
        )


def _fields(lines: Sequence[str], separator: str) -> Grid:
    return [[field.strip() for field in row] for row in csv.reader(lines, delimiter=separator)]


def _has_colons(lines: Sequence[str]) -> bool:
    """Tell whether most lines are of the form ``B cell: MS4A1, CD79A``."""
    colons = [0 < line.find(":") < min(_places(line), default=len(line)) for line in lines]
    return bool(lines) and 2 * sum(colons) > len(lines)


def _places(line: str) -> list[int]:
    return [place for mark in SEPARATORS if (place := line.find(mark)) >= 0]


def _separator(lines: Sequence[str]) -> str:
    """Return what stands between fields: what divides all lines alike, else most of them.

    Where two do, it is the one that comes first in the lines: the other divides genes.
    """

    def rank(mark: str) -> tuple[bool, float, float]:
        widths = [len(row) for row in _fields(lines, mark)]
        alike = len(set(widths)) == 1 and widths[0] > 1
        divided = sum(width > 1 for width in widths) / max(1, len(widths))
        early = sum(min(_places(line), default=-1) == line.find(mark) >= 0 for line in lines)
        return alike, divided, early

    return max(SEPARATORS, key=rank)
