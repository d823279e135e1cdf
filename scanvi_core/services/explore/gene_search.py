"""Finding genes by name: suggestions while typing, pasted lists, the same gene in another file."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scanvi_core.data.genes.aliases import ALIASES, SPELLED, symbols_of
from scanvi_core.services.workspace import Workspace

SUGGESTIONS = 12
MAX_PASTED = 500
MOST_SUGGESTED = 4_000  # a list of all genes would be sent with every click
_SEPARATORS = re.compile(r"[\s,;|\"']+")


@dataclass(frozen=True, eq=False)
class GeneIndex:
    """All genes under the names people know them by.

    Attributes
    ----------
    names
        What each gene is called on the pages: its symbol where no other gene has the same, else
        its unique name.
    ids
        Unique names, in the order of the counts.
    places
        Position of the gene with a name or symbol.
    folded
        The same without regard to case, for names that stay unique; -1 for others.
    searched
        Symbol and unique name of each gene without regard to case.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    places: dict[str, int]
    folded: dict[str, int]
    searched: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pasted:
    """Genes of a pasted list: found ones as the pages call them, others as they were written."""

    found: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def report(self) -> str:
        """How many were found and which were not, in a sentence."""
        n = len(self.found) + len(self.missing)
        if not self.missing:
            return f"All {n:,} genes found." if n != 1 else "The gene was found."
        listed = ", ".join(self.missing[:SUGGESTIONS])
        more = len(self.missing) - SUGGESTIONS
        listed += f" and {more:,} more" if more > 0 else ""
        return f"{len(self.found):,} of {n:,} genes found. Not in these data: {listed}."


def index(opened: Workspace) -> GeneIndex:
    """Return all genes of a project for searching."""
    genes: GeneIndex = opened.cache.get(("gene index",), lambda: _index(opened))
    return genes


def _index(opened: Workspace) -> GeneIndex:
    ids = tuple(map(str, opened.dataset.var_names))
    symbols = tuple(map(str, opened.dataset.symbols))
    taken = pd.Series([*symbols, *(ids if symbols != ids else ())]).value_counts()
    names = tuple(
        symbol if taken[symbol] == 1 or symbol == own else own
        for symbol, own in zip(symbols, ids, strict=True)
    )
    places: dict[str, int] = {}
    for series in (ids, symbols):
        for place, name in enumerate(series):
            places.setdefault(name, place)
    folded: dict[str, int] = {}
    for name, place in places.items():
        key = name.casefold()
        folded[key] = place if folded.get(key, place) == place else -1
    searched = tuple(
        (symbol.casefold(), own.casefold()) for symbol, own in zip(symbols, ids, strict=True)
    )
    return GeneIndex(names, ids, places, folded, searched)


def search(opened: Workspace, text: str, n: int = SUGGESTIONS) -> list[str]:
    """Return genes for what was typed: meant by it, exact, beginning with it, holding it.

    Symbols and identifiers are searched without regard to case; shorter names come first.
    """
    sought = text.strip().casefold()
    if not sought:
        return []
    known = index(opened)
    meant = [known.folded.get(symbol, -1) for symbol in symbols_of(sought)]
    found = [(-1, 0, "", place) for place in meant if place >= 0 and sought not in known.folded]
    for place, (symbol, own) in enumerate(known.searched):
        if sought in symbol or sought in own:
            begins = symbol.startswith(sought) or own.startswith(sought)
            rank = 0 if sought in (symbol, own) else 1 if begins else 2
            found.append((rank, len(symbol), symbol, place))
    return list(dict.fromkeys(known.names[place] for *_, place in sorted(found)))[:n]


def gene_here(opened: Workspace, name: str) -> str | None:
    """Return what a gene is called here, by its name or an alias (``CD20``: MS4A1).

    None without it, where case alone tells two apart, and where an alias means two (``CD8``).
    """
    known = index(opened)
    place = known.places.get(name)
    if place is None:
        place = known.folded.get(name.strip().casefold())
    if place is None:
        meant = {known.folded[symbol] for symbol in symbols_of(name) if symbol in known.folded}
        place = meant.pop() if len(meant) == 1 else -1
    return known.names[place] if place >= 0 else None


def titles(opened: Workspace) -> dict[str, str]:
    """Return all genes as the pages call them, with the aliases people search them by.

    ``MS4A1`` is shown as ``MS4A1 (CD20)``.
    """
    found: dict[str, str] = opened.cache.get(("gene titles",), lambda: _titles(opened))
    return found


def suggested(opened: Workspace) -> dict[str, str]:
    """Return the titles of at most `MOST_SUGGESTED` genes, for a list to choose from.

    Those with aliases and those seen in most cells; others are found by their whole name.
    """
    found: dict[str, str] = opened.cache.get(("genes suggested",), lambda: _suggested(opened))
    return found


def _suggested(opened: Workspace) -> dict[str, str]:
    every, names = titles(opened), index(opened).names
    by_cells = np.argsort(-np.diff(opened.dataset.counts_by_gene.indptr), kind="stable")
    known = [name for name, title in every.items() if name != title]
    chosen = dict.fromkeys([*known, *(names[place] for place in by_cells[:MOST_SUGGESTED])])
    return {name: every[name] for name in list(chosen)[:MOST_SUGGESTED]}


def _titles(opened: Workspace) -> dict[str, str]:
    known = index(opened)
    others: dict[str, list[str]] = {}
    for alias in ALIASES:
        for symbol in symbols_of(alias) if alias not in known.folded else ():
            place = known.folded.get(symbol, -1)
            if place >= 0:
                others.setdefault(known.names[place], []).append(SPELLED[alias])
    return {
        name: f"{name} ({', '.join(others[name])})" if name in others else name
        for name in known.names
    }


def read_list(opened: Workspace, text: str) -> Pasted:
    """Find the genes of a pasted list, separated by blanks, lines, commas or semicolons."""
    written = list(dict.fromkeys(filter(None, _SEPARATORS.split(text))))[:MAX_PASTED]
    here = [(name, gene_here(opened, name)) for name in written]
    found = dict.fromkeys(gene for _, gene in here if gene is not None)
    return Pasted(tuple(found), tuple(name for name, gene in here if gene is None))


def position(opened: Workspace, name: str) -> int:
    """Return the column of a gene in the counts; `name` as the pages call it."""
    return index(opened).places[name]


def levels(opened: Workspace, name: str) -> np.ndarray:
    """Return log1p of counts per 10,000 of a gene in every cell, float32 [n_obs]."""
    return opened.dataset.gene(name)
