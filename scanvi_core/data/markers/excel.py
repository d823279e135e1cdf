"""Excel files (.xlsx) as tables of text: values as they were saved; no formula is run.

A workbook is a zip archive of XML. What is unpacked is bounded, and documents that declare
entities, by which a few bytes become gigabytes, are refused.
"""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import PurePosixPath
from xml.parsers import expat

from scanvi_core.data.guard.zip import DAMAGE, check_entries
from scanvi_core.data.markers.text_table import MOST_COLUMNS, Grid, check_size
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

MEMORY = 200 * 2**20
PART_BYTES = 100 * 2**20  # of one sheet, unpacked
MOST_FIELDS = 2_000_000
MOST_SHEETS = 50
_COLUMN = re.compile(r"[A-Za-z]{1,3}")
BOOK, LINKS, TEXTS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"


def sheets(name: str, content: bytes) -> dict[str, Grid]:
    """Return the sheets of a workbook that hold anything, by their names.

    Raises
    ------
    FileRefused
        If it is no workbook, damaged, or larger than tables of markers are.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_entries(archive, name, MEMORY)
            grids = _grids(archive, name)
    except (*DAMAGE, ValueError, OSError, LookupError, expat.ExpatError) as error:
        raise FileRefused(f"{name} is no sound Excel file (.xlsx).", FETCH_AGAIN) from error
    return {title: grid for title, grid in grids.items() if grid}


def _grids(archive: zipfile.ZipFile, name: str) -> dict[str, Grid]:
    titles, places, texts = dict[str, str](), dict[str, str](), list[str]()

    def book(tag: str, about: dict[str, str]) -> None:
        if tag == "sheet" and len(titles) < MOST_SHEETS:
            link = next((v for key, v in about.items() if key.rpartition(":")[2] == "id"), "")
            titles[link] = about.get("name", "")

    def links(tag: str, about: dict[str, str]) -> None:
        if tag == "Relationship":
            places[about.get("Id", "")] = about.get("Target", "")

    _parse(archive, BOOK, name, begin=book)
    _parse(archive, LINKS, name, begin=links)
    if TEXTS in archive.namelist():
        texts = _shared_texts(archive, name)
    return {
        title: _Sheet(name, texts).read(archive, _inside(places[link]))
        for link, title in titles.items()
        if "worksheets" in places.get(link, "")
    }


def _inside(target: str) -> str:
    """Return the entry of a sheet, whose place is told from the root or from the book."""
    return target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl", target))


def _shared_texts(archive: zipfile.ZipFile, name: str) -> list[str]:
    texts, inside = list[str](), list[str]()
    said = {"text": False}

    def begin(tag: str, _about: dict[str, str]) -> None:
        if tag == "si":
            inside.clear()
        said["text"] = tag == "t"

    def end(tag: str) -> None:
        said["text"] = False
        if tag == "si":
            texts.append("".join(inside))

    def text(part: str) -> None:
        if said["text"]:
            inside.append(part)

    _parse(archive, TEXTS, name, begin=begin, end=end, text=text)
    return texts


class _Sheet:
    """Reads one sheet: fields by their addresses (``B12``), which may leave some out."""

    def __init__(self, name: str, texts: list[str]) -> None:
        self._name, self._texts = name, texts
        self._grid: Grid = []
        self._row: dict[int, str] = {}
        self._column, self._kind = -1, ""
        self._inside: list[str] = []
        self._wanted = False
        self._n_fields = 0

    def read(self, archive: zipfile.ZipFile, entry: str) -> Grid:
        _parse(archive, entry, self._name, begin=self._begin, end=self._end, text=self._text)
        return self._grid

    def _begin(self, tag: str, about: dict[str, str]) -> None:
        if tag == "row":
            self._row, self._column = {}, -1
        elif tag == "c":
            self._column = _column_of(about.get("r", ""), self._column + 1)
            self._kind, self._inside = about.get("t", "n"), []
        self._wanted = tag in ("v", "t")  # not "f", which holds a formula

    def _text(self, part: str) -> None:
        if self._wanted:
            self._inside.append(part)

    def _end(self, tag: str) -> None:
        self._wanted = False
        if tag == "c" and self._inside:
            self._n_fields += 1
            check_size(self._name, len(self._grid), self._column)
            if self._n_fields > MOST_FIELDS:
                raise FileRefused(
                    f"{self._name} has more than {MOST_FIELDS:,} fields.",
                    "Choose the table of marker genes.",
                )
            self._row[self._column] = self._value("".join(self._inside))
        elif tag == "row" and any(self._row.values()):
            self._grid.append([self._row.get(at, "") for at in range(max(self._row) + 1)])

    def _value(self, text: str) -> str:
        if self._kind == "e":  # an error such as #N/A
            return ""
        return (self._texts[int(text)] if self._kind == "s" else text).strip()


def _column_of(address: str, following: int) -> int:
    letters = _COLUMN.match(address)
    if letters is None:
        return following
    number = 0
    for letter in letters[0].upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return min(number - 1, MOST_COLUMNS + 1)


def _parse(
    archive: zipfile.ZipFile,
    entry: str,
    name: str,
    *,
    begin: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Read one XML document of the archive; prefixes of names are left out."""

    def refuse(*_about: object) -> None:
        raise FileRefused(f"{name} declares entities, as no Excel file does. Refused.")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, about: begin(tag.rpartition(":")[2], about)
    if end is not None:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    with archive.open(entry) as stream:
        left = PART_BYTES
        while block := stream.read(2**20):
            left -= len(block)
            if left < 0:
                raise FileRefused(
                    f"{name} unpacks to more than {PART_BYTES / 2**20:,.0f} MiB.",
                    "Choose the table of marker genes.",
                )
            parser.Parse(block)
        parser.Parse(b"", True)
