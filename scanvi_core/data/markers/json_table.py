"""Marker genes in JSON: types with their genes, in one of the shapes people write."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scanvi_core.data.markers import headers
from scanvi_core.data.markers.fields import genes_in
from scanvi_core.data.markers.marker_sets import Reading, gathered
from scanvi_core.data.markers.text_table import Grid
from scanvi_core.data.names import plain
from scanvi_core.errors import FileRefused

HINT = 'Write {"B cell": ["MS4A1", "CD79A"], "T cell": ["CD3D", "CD3E"]}.'
MOST_PARTS = 60


def parsed(name: str, text: str) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    FileRefused
        If it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileRefused(f"{name} is no sound JSON.", HINT) from error


def records(found: Any) -> Grid | None:
    """Return a list of records as a table with a header; None for anything else."""
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return None
    titles = list(dict.fromkeys(str(key) for one in found for key in one))
    lines = [[_field(one.get(title)) for title in titles] for one in found]
    return [titles, *lines]


def readings(found: Any) -> list[Reading]:
    """Return the ways to read types with their genes, one per tissue where they lie in such."""
    if not isinstance(found, dict):
        return []
    types = gathered(_terms(found))
    if types:
        return [Reading("names of types, and their genes", types)]
    parts = [(str(part), gathered(_terms(own))) for part, own in found.items()
             if isinstance(own, dict)][:MOST_PARTS]  # fmt: skip
    return [Reading(f"{part}: names of types, and their genes", own) for part, own in parts if own]


def _terms(found: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield type, gene and sign; a type may hold ``positive`` and ``negative`` apart."""
    for name, own in found.items():
        sides = own if isinstance(own, dict) else {"genes": own}
        for side, genes in sides.items():
            absent = plain(side) in headers.ABSENT
            if absent or plain(side) in headers.GENES:
                for gene, positive in genes_in(_field(genes)):
                    yield str(name).strip(), gene, positive and not absent


def _field(value: Any) -> str:
    """Return a value as the text of one field; what is nested deeper is left out."""
    if isinstance(value, list):
        return " ".join(str(item) for item in value if isinstance(item, str | int | float))
    return str(value) if isinstance(value, str | int | float) else ""
