"""What a table of marker genes says: per cell type the genes it shows, and those it does not."""

from collections.abc import Iterable
from dataclasses import dataclass

from scanvi_core.keys import spelling

MOST_TYPES = 500
MOST_GENES = 200  # of a type, on either side
LONGEST_NAME = 200  # characters, as of labels


@dataclass(frozen=True)
class MarkerSet:
    """The markers of one cell type, as the table writes them.

    Attributes
    ----------
    name
        Of the type.
    positive
        Genes that its cells show.
    negative
        Genes that they do not show.
    """

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One way to read a table; where there are several, its owner says which is meant.

    Attributes
    ----------
    how
        Which part of the table was taken for what, in words.
    types
        The markers of its types, in the order of the table.
    notes
        What was left out or looks wrong, in sentences.
    """

    how: str
    types: tuple[MarkerSet, ...]
    notes: tuple[str, ...] = ()


def gathered(terms: Iterable[tuple[str, str, bool]]) -> tuple[MarkerSet, ...]:
    """Return the sets of markers that single terms make: type, gene, and whether it is shown.

    A gene that a type both shows and does not show is one that it shows.
    """
    sets: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for name, gene, positive in terms:
        own = sets.setdefault(spelling(name), ({}, {}))
        own[0 if positive else 1][gene] = None
    return tuple(
        MarkerSet(
            name,
            tuple(shown)[:MOST_GENES],
            tuple(gene for gene in absent if gene not in shown)[:MOST_GENES],
        )
        for name, (shown, absent) in sets.items()
        if name and shown
    )
