"""What a table of marker genes says: per cell type the genes it shows, and those it does not."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from scanvi_core.keys import looks_unlabeled, spelling

MOST_TYPES = 500
MOST_GENES = 200  # of a type, on either side
LONGEST_NAME = 200  # characters, as of labels
LISTED = 8  # names in a sentence


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
        if name and (shown or absent)
    )


def with_types_to_score(reading: Reading) -> Reading:
    """Return a reading without what is no type or shows no gene; its notes name those."""
    named = [own for own in reading.types if not looks_unlabeled(own.name)]
    kept = tuple(own for own in named if own.positive)
    notes = list(reading.notes)
    if unnamed := [own.name for own in reading.types if looks_unlabeled(own.name)]:
        notes.append(f"Left out, as their names say that no type is known: {_listed(unnamed)}.")
    if negative := [own.name for own in named if not own.positive]:
        notes.append(f"Left out, with no gene that they show: {_listed(negative)}.")
    return replace(reading, types=kept, notes=tuple(notes))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{', '.join(name[:LONGEST_NAME] for name in names[:LISTED])}{more}"
