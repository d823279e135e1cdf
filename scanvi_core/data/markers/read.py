"""Tables of marker genes in whatever form they come: text, Excel, GMT, JSON; long or wide."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from scanvi_core.data.markers import excel, json_table, matrix, named_columns, unnamed_columns
from scanvi_core.data.markers.fields import DATE
from scanvi_core.data.markers.marker_sets import (
    LONGEST_NAME,
    MOST_GENES,
    MOST_TYPES,
    Reading,
    with_types_to_score,
)
from scanvi_core.data.markers.text_table import HINT, Grid, decoded, grid_of
from scanvi_core.errors import FileRefused
from scanvi_core.plurals import sizes

MAX_BYTES = 20_000_000
ZIP, OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
FIRST_GENES = f"Of each type the first {MOST_GENES} genes are used."
DATES = (
    "Some genes look like dates, as spreadsheets write MARCH1 or SEPT2: {}. Write them as symbols "
    "(MARCHF1, SEPTIN2)."
)


def readings(name: str, content: bytes, is_gene: Callable[[str], bool]) -> tuple[Reading, ...]:
    """Return the ways to read a table; several where only its owner knows which is meant.

    Parameters
    ----------
    name
        Of the file.
    content
        All of it.
    is_gene
        Tells whether a gene of this name is known.

    Raises
    ------
    FileRefused
        If it is no table of marker genes, damaged, or too large.
    """
    if len(content) > MAX_BYTES:
        long, most = sizes(len(content), MAX_BYTES)
        raise FileRefused(
            f"{name} has {long}; a table of marker genes has at most {most}.",
            "Choose the table of marker genes.",
        )
    ways = [with_types_to_score(reading) for reading in _found(name, content, is_gene)]
    found = [_checked(name, reading) for reading in ways if reading.types]
    if not found:
        raise FileRefused(f"No types with marker genes were found in {name}.", HINT)
    return tuple(found)


def _found(name: str, content: bytes, is_gene: Callable[[str], bool]) -> list[Reading]:
    if content.startswith(ZIP):
        sheets = excel.sheets(name, content)
        several = len(sheets) > 1
        return [
            replace(way, how=f"sheet {title}: {way.how}") if several else way
            for title, grid in sheets.items()
            for way in _of_grid(grid, is_gene)
        ]
    if content.startswith(OLD_EXCEL):
        raise FileRefused(f"{name} is an Excel file of before 2007.", "Save it as .xlsx or CSV.")
    text = decoded(name, content)
    if PurePath(name).suffix.casefold() == ".json" or text.lstrip()[:1] in ("{", "["):
        parsed = json_table.parsed(name, text)
        table = json_table.records(parsed)
        return _of_grid(table, is_gene) if table is not None else json_table.readings(parsed)
    return _of_grid(grid_of(name, text), is_gene)


def _of_grid(grid: Grid, is_gene: Callable[[str], bool]) -> list[Reading]:
    grid = [row for row in grid if any(row)]
    if not grid:
        return []
    named = named_columns.readings(grid, is_gene)
    if named is None:
        named = matrix.readings(grid, is_gene)
    return unnamed_columns.readings(grid, is_gene) if named is None else named


def _checked(name: str, reading: Reading) -> Reading:
    if len(reading.types) > MOST_TYPES:
        raise FileRefused(
            f"{name} names {len(reading.types):,} types; at most {MOST_TYPES} can be scored.",
            "Keep the types of your tissue.",
        )
    longest = max((own.name for own in reading.types), key=len)
    if len(longest) > LONGEST_NAME:
        raise FileRefused(
            f"In {name} a type would be called {longest[:40]}… ({len(longest):,} characters).",
            HINT,
        )
    if any(len(own.positive) == MOST_GENES for own in reading.types):
        reading = replace(reading, notes=(*reading.notes, FIRST_GENES))
    genes = [gene for own in reading.types for gene in own.positive]
    dates = list(dict.fromkeys(gene for gene in genes if DATE.fullmatch(gene)))[:3]
    if not dates:
        return reading
    return replace(reading, notes=(*reading.notes, DATES.format(", ".join(dates))))
