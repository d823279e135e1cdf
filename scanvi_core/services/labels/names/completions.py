"""What boxes for names complete: the types here, then the names of the Cell Ontology."""

from collections.abc import Collection, Sequence
from functools import cache

from scanvi_core.ontology import search, table
from scanvi_core.ontology.table import Term
from scanvi_core.services.labels.names.near_names import near_names

ID, MEANS = " · ", " → "  # before an id; between another name and the one of the ontology
MOUSE = "mouse · "  # before names of mouse cells that have a term for all species as well
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
    """Return the lines of the ontology, and the name that each gives.

    Of lines that fit a box shows the shortest first: what abbreviations mean has no id, so that
    they come before other names that begin alike.
    """
    terms, ours = table.terms(), table.abbreviations()
    first = {f"{a.name}{MEANS}{terms[a.terms[0]].name}": terms[a.terms[0]].name for a in ours}
    lines = first | {_line("", each): each.name for each in terms.values()}
    other = [(a.name, terms[key]) for a in ours for key in a.terms[1:]]
    other += [(word, each) for each in terms.values() for word in each.synonyms]
    for word, each in other:
        if f"{word}{MEANS}{each.name}" not in first:
            lines[_line(f"{word}{MEANS}", each)] = each.name
    return lines


def _line(before: str, term: Term) -> str:
    species = MOUSE if term.name.endswith(search.ONE_SPECIES) else ""
    return f"{species}{before}{term.name}{ID}{term.id}"


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
