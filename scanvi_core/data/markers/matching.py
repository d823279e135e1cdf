"""Genes of a marker table found among those of a data set: by name, id, capitals or alias."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from scanvi_core.data.genes.aliases import symbols_of
from scanvi_core.data.markers import collection
from scanvi_core.data.markers.marker_sets import MarkerSet
from scanvi_core.data.names import VERSIONED, is_gene

FEWEST = 2  # genes here without which a type is not scored


@dataclass(frozen=True)
class Matched:
    """The markers of one type, as far as they are here.

    Attributes
    ----------
    name
        Of the type.
    positive, negative
        Positions of the genes that are here.
    missing
        Genes of the table that are not.
    """

    name: str
    positive: tuple[int, ...]
    negative: tuple[int, ...]
    missing: tuple[str, ...]

    @property
    def is_scored(self) -> bool:
        """Whether there are genes enough to say anything of the type."""
        return len(self.positive) >= FEWEST


@dataclass(frozen=True)
class Match:
    """A marker table and the genes here.

    Attributes
    ----------
    types
        Per type what was found.
    capitals
        Genes that differ by capitals alone, as those of man and mouse: as written, and here.
    aliases
        Genes that the table calls by another name (CD20: MS4A1).
    """

    types: tuple[Matched, ...]
    capitals: tuple[tuple[str, str], ...]
    aliases: tuple[tuple[str, str], ...]

    @property
    def scored(self) -> tuple[Matched, ...]:
        """The types with genes enough."""
        return tuple(one for one in self.types if one.is_scored)


class GeneNames:
    """The genes of a data set under all names by which a table may call them.

    Parameters
    ----------
    ids
        Unique names, in the order of the counts.
    symbols
        What the genes are called; the same where the file has no symbols.
    """

    def __init__(self, ids: Sequence[str], symbols: Sequence[str]) -> None:
        self.symbols = tuple(map(str, symbols))
        self._exact: dict[str, int] = {}
        for names in (map(str, ids), self.symbols):
            for place, name in enumerate(names):
                self._exact.setdefault(name, place)
                self._exact.setdefault(_unversioned(name), place)

    @cached_property
    def _folded(self) -> dict[str, int]:
        folded: dict[str, int] = {}
        for name, place in self._exact.items():
            folded.setdefault(name.casefold(), place)
        return folded

    def find(self, name: str) -> tuple[int, str]:
        """Return the position of a gene, and how it was found: name, capitals, alias; -1, ''."""
        for own in (name, _unversioned(name)):
            if own in self._exact:
                return self._exact[own], "name"
        folded = name.casefold()
        if folded in self._folded:
            return self._folded[folded], "capitals"
        places = [self._folded[meant] for meant in symbols_of(name) if meant in self._folded]
        return (places[0], "alias") if places else (-1, "")

    def is_known(self, name: str) -> bool:
        """Tell whether a name is surely that of a gene, here or anywhere."""
        return (
            self.find(name)[0] >= 0
            or name.casefold() in collection.known_genes()
            or bool(symbols_of(name))
            or is_gene(name)
        )

    def match(self, sets: Sequence[MarkerSet]) -> Match:
        """Return which genes of marker sets are here."""
        capitals, aliases = dict[str, str](), dict[str, str]()

        def places(genes: Sequence[str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
            here, missing = dict[int, None](), []
            for gene in genes:
                place, how = self.find(gene)
                if place < 0:
                    missing.append(gene)
                    continue
                here[place] = None
                if how != "name":
                    (capitals if how == "capitals" else aliases)[gene] = self.symbols[place]
            return tuple(here), tuple(missing)

        types = []
        for own in sets:
            shown, missing = places(own.positive)
            absent, gone = places(own.negative)
            absent = tuple(place for place in absent if place not in shown)
            types.append(Matched(own.name, shown, absent, (*missing, *gone)))
        return Match(tuple(types), tuple(capitals.items()), tuple(aliases.items()))


def _unversioned(name: str) -> str:
    found = VERSIONED.fullmatch(name)
    return re.sub(r"^.*_", "", found[1]) if found else name
