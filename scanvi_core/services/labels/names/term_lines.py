"""The names of a project and what each may be in the Cell Ontology, for the reader to decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from scanvi_core import keys
from scanvi_core.ontology import search
from scanvi_core.ontology.search import Match
from scanvi_core.plurals import count
from scanvi_core.services.labels.type_terms import NONE_FITS, said
from scanvi_core.services.workspace import Workspace

N_OFFERS = 4
EXACT, CLOSE, ACCEPTED, NO_TERM, NOTHING = (
    "exact", "close", "accepted", "none fits", "nothing found",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TermLine:
    """A name, its number of cells, what was said of it ('': nothing), and what is offered."""

    name: str
    cells: int
    said: str
    offers: tuple[Match, ...]

    @property
    def is_exact(self) -> bool:
        """Whether the name means the first offer and nothing else."""
        return bool(self.offers) and self.offers[0].exact

    @property
    def how(self) -> str:
        """What is known of it, in a word or two."""
        if self.said == NONE_FITS:
            return NO_TERM
        if self.said:
            same = search.same_cells(self.name, self.said)
            return ACCEPTED if same else f"{ACCEPTED}, {CLOSE}"
        return EXACT if self.is_exact else CLOSE if self.offers else NOTHING


def lines(opened: Workspace) -> tuple[TermLine, ...]:
    """Return a line for each type, in the order of the types."""
    state, known = opened.labels(), said(opened)
    return tuple(
        TermLine(name, cells, known.get(name, ""), search.search(name, N_OFFERS))
        for name, cells in state.counts.items()
        if name != keys.UNKNOWN
    )


def next_line(made: Sequence[TermLine], skipped: Sequence[str]) -> TermLine | None:
    """Return the first name to decide, of those skipped least; None where all are decided."""
    left = [line for line in made if not line.said]
    return min(left, key=lambda line: skipped.count(line.name), default=None)


def exact_ones(made: Sequence[TermLine]) -> dict[str, str]:
    """Return the terms that names mean for sure, of names of which nothing was said."""
    return {line.name: line.offers[0].id for line in made if not line.said and line.is_exact}


def in_short(made: Sequence[TermLine]) -> str:
    """Say how many names have a term, and how many wait for a look."""
    sure = sum(line.is_exact if not line.said else line.said != NONE_FITS for line in made)
    close = sum(not line.said and not line.is_exact and bool(line.offers) for line in made)
    told = f"{sure} of {count(len(made), 'name')} have a term of the Cell Ontology"
    return f"{told}, {close} more may have one." if close else f"{told}."


def table(made: Sequence[TermLine], now: TermLine | None) -> pd.DataFrame:
    """Return one row per name: its cells, the term it has or is offered first, what is known."""
    rows = []
    for line in made:
        term = search.term(line.said) if line.said else next(iter(line.offers), None)
        mark = "▸" if now is not None and line.name == now.name else ""
        shown = (term.name, term.id) if term is not None else ("", "")
        rows.append((mark, line.name, line.how, *shown, line.cells))
    return pd.DataFrame(rows, columns=["", "name", "how", "is", "term", "cells"])
