"""Tables of marker genes for a project: the built-in collection, pasted text, files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.data.markers import collection, read
from scanvi_core.data.markers.marker_sets import MarkerSet, Reading
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.workspace import Workspace

if TYPE_CHECKING:
    from scanvi_core.data.markers.matching import GeneNames, Match

HUMAN, MOUSE, TISSUES = collection.HUMAN, collection.MOUSE, collection.TISSUES
PASTED = "pasted table"
LOOKED_AT = 2_000  # cells
LISTED = 8  # names in a sentence


@dataclass(frozen=True)
class MarkerTable:
    """A table of marker genes, and the ways it may be read.

    Attributes
    ----------
    name
        What to call it.
    readings
        One, or several of which one is meant.
    about
        Where it comes from.
    """

    name: str
    readings: tuple[Reading, ...]
    about: Mapping[str, str]


def built_in(tissue: str, species: str) -> MarkerTable:
    """Return the built-in markers of a tissue."""
    types = collection.markers_of(tissue, species)
    about = {"table": "built in", "tissue": tissue, "species": species,
             "sources": collection.SOURCES[tissue]}  # fmt: skip
    return MarkerTable(f"{tissue}, {species}", (Reading("built in", types),), about)


def from_text(opened: Workspace, text: str) -> MarkerTable:
    """Read a pasted table.

    Raises
    ------
    FileRefused
        If no types with marker genes are found in it.
    """
    return from_bytes(opened, PASTED, text.encode("utf-8", "replace"))


def from_path(opened: Workspace, text: str) -> MarkerTable:
    """Read a table below the data folder; see `from_bytes`."""
    path = allowed_path(text)
    with path.open("rb") as file:  # a longer one is refused by its length
        return from_bytes(opened, path.name, file.read(read.MAX_BYTES + 1))


def from_bytes(opened: Workspace, name: str, content: bytes) -> MarkerTable:
    """Read a table from a file: text, Excel, GMT or JSON.

    Raises
    ------
    FileRefused
        If no types with marker genes are found in it, or it is damaged or too large.
    """
    name = Path(name).name
    key = ("marker table", name, hashlib.blake2b(content).hexdigest())
    found: tuple[Reading, ...] = opened.cache.get(
        key, lambda: read.readings(name, content, genes_here(opened).is_known)
    )
    return MarkerTable(name, found, {"table": name})


def genes_here(opened: Workspace) -> "GeneNames":
    """Return the genes of a project under all names by which a table may call them."""
    from scanvi_core.data.markers.matching import GeneNames

    def index() -> GeneNames:
        return GeneNames(opened.dataset.var_names.tolist(), opened.dataset.symbols.tolist())

    return opened.cache.get(("gene names",), index)


def match(opened: Workspace, types: tuple[MarkerSet, ...]) -> "Match":
    """Return which of the genes are here."""
    return genes_here(opened).match(types)


def as_read(types: tuple[MarkerSet, ...], found: "Match", symbols: np.ndarray) -> pd.DataFrame:
    """Return a table as it was read: per type its genes here, those it must not show, others."""

    def words(places: tuple[int, ...]) -> str:
        return ", ".join(str(symbols[place]) for place in places)

    return pd.DataFrame(
        {
            "type": [own.name for own in types],
            "shows": [words(one.positive) for one in found.types],
            "does not show": [words(one.negative) for one in found.types],
            "not in these data": [", ".join(one.missing) for one in found.types],
        }
    )


def remarks(found: "Match") -> list[str]:
    """Say what was matched other than by its very name, and which types are not scored."""
    said = []
    left_out = [one.name for one in found.types if not one.is_scored]
    if left_out:
        said.append(f"Not scored, with fewer than two genes here: {_listed(left_out)}.")
    if found.capitals:
        pairs = [f"{here} for {written}" for written, here in found.capitals]
        said.append(
            f"In other capitals here, as human and mouse genes are: {_listed(pairs)}. They are "
            "taken for the same gene of the other species."
        )
    if found.aliases:
        said.append(f"Aliases: {_listed([f'{own} is {here}' for own, here in found.aliases])}.")
    return said


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{', '.join(names[:LISTED])}{more}"


def likely_species(opened: Workspace) -> str:
    """Return whether more genes here are written as those of man or of mouse."""
    genes = genes_here(opened)

    def n_here(species: str) -> int:
        lists = (collection.markers_of(tissue, species) for tissue in TISSUES)
        names = {gene for sets in lists for own in sets for gene in own.positive}
        return sum(genes.find(name)[1] == "name" for name in names)

    return MOUSE if n_here(MOUSE) > n_here(HUMAN) else HUMAN


def likely_tissue(opened: Workspace, species: str) -> str | None:
    """Return the tissue whose types are seen in these cells, None where none is."""
    tissue: str | None = opened.cache.get(
        ("likely tissue", species), lambda: _likely_tissue(opened, species) or ""
    )
    return tissue or None


def _likely_tissue(opened: Workspace, species: str) -> str | None:
    from scanvi_core.annotation.markers.likely_tissue import evidence

    filled = np.flatnonzero(np.asarray(opened.dataset.totals) > 0)
    rows = np.sort(np.random.default_rng(0).permutation(filled)[:LOOKED_AT])
    tissues = {
        tissue: {own.name: own.positive for own in match(opened, built).types}
        for tissue in TISSUES
        if (built := collection.markers_of(tissue, species))
    }
    found = evidence(opened.dataset.counts[rows], tissues)
    best = next(iter(found))
    return best if found[best] > 0 else None
