"""What boxes for names complete: the types here, then the names of the Cell Ontology."""

from collections.abc import Collection, Sequence
from functools import cache

from scanvi_core.ontology import search, table
from scanvi_core.services.labels.near_names import near_names

ID, MEANS = " · ", " → "  # before an id; between another name and the one of the ontology
FEW = 3


def completions(known: Sequence[str]) -> list[str]:
    """Return what a box offers, the types here first.

    A line of the ontology shows the name, what it is another name of, and the id: whoever types an
    abbreviation finds it at the beginning of a line.
    """
    there = set(known)
    return [*known, *(line for line, name in _lines().items() if name not in there)]


def name_of(chosen: str, known: Collection[str]) -> str:
    """Return the name that a line of the box gives: the ontology's, or what was typed."""
    return chosen if chosen in known else _lines().get(chosen, chosen)


@cache
def _lines() -> dict[str, str]:
    terms = table.terms()
    short = [(ours.name, terms[key]) for ours in table.abbreviations() for key in ours.terms]
    names = [(f"{each.name}{ID}{each.id}", each.name) for each in terms.values()]
    other = [(word, each) for each in terms.values() for word in each.synonyms]
    names += [
        (f"{word}{MEANS}{each.name}{ID}{each.id}", each.name) for word, each in short + other
    ]
    return dict(names)


def near(name: str, known: Sequence[str]) -> list[str]:
    """Return types here that a new name may stand for, those of the same cells first."""
    if name in known:
        return []
    meant = search.exact(name)
    same = [other for other in known if meant is not None and search.same_cells(other, meant.id)]
    return list(dict.fromkeys([*same, *near_names(name, known)]))[:FEW]


def in_ontology(name: str) -> str:
    """Say what a name that is none of the ontology's means there; '' where it finds nothing."""
    found = search.search(name, FEW)
    if not found or found[0].name == name:
        return ""
    if found[0].exact:
        return f"{found[0].name}, {found[0].id}"
    return "close to " + ", ".join(each.name for each in found)
