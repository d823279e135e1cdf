"""The table of terms, as it lies beside this file, and the abbreviations that are ours.

``cell_ontology.tsv`` is made from a release of the Cell Ontology (CC BY 4.0, its authors at
https://obofoundry.org/ontology/cl) by ``python -m scanvi_core.ontology.build``; its first lines
say which release. ``abbreviations.csv`` was compiled for this project from general knowledge and
is free for any use (CC0 1.0). Terms are for all species: human and mouse cells have the same ids.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("cell_ontology.tsv")
ABBREVIATIONS = Path(__file__).with_name("abbreviations.csv")
COLUMNS = ("id", "name", "synonyms", "parents", "replaced_by")
AMONG = "|"  # between synonyms, parents
COMMENT = "#"
PREFIX = "CL:"


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the Cell Ontology, such as ``CL:0000084``, *T cell*.

    Attributes
    ----------
    synonyms
        Other names of exactly these cells.
    parents
        Ids of the terms right above it.
    """

    id: str
    name: str
    synonyms: tuple[str, ...]
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """A name people use; the terms it may mean, the likeliest first; whether it is just that."""

    name: str
    exact: bool
    terms: tuple[str, ...]


def version() -> str:
    """Return the date of the release, such as ``2026-03-26``."""
    return _about()["version"]


@cache
def _about() -> dict[str, str]:
    with TABLE.open(encoding="utf-8") as file:
        lines = [line[1:].split(":", 1) for line in file if line.startswith(COMMENT)]
    return {key.strip(): said.strip() for key, said in lines}


@cache
def terms() -> dict[str, Term]:
    """Return the terms in use, by id."""
    return {
        row["id"]: Term(row["id"], row["name"], _parts(row["synonyms"]), _parts(row["parents"]))
        for row in _rows()
        if not row["replaced_by"]
    }


@cache
def replaced() -> dict[str, str]:
    """Return which term took the place of one that is no longer used."""
    return {row["id"]: row["replaced_by"] for row in _rows() if row["replaced_by"]}


@cache
def abbreviations() -> tuple[Abbreviation, ...]:
    """Return the abbreviations that are ours, not the ontology's."""
    with ABBREVIATIONS.open(encoding="utf-8", newline="") as file:
        return tuple(
            Abbreviation(row["name"], row["how"] == "exact", _parts(row["terms"]))
            for row in csv.DictReader(file)
        )


def _rows() -> Iterator[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = (line for line in file if not line.startswith(COMMENT))
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(AMONG)))
