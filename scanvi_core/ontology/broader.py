"""Which broader types of the Cell Ontology several types here have in common."""

from collections import Counter
from collections.abc import Mapping
from functools import cache

from scanvi_core.ontology.table import terms

MOST_TERMS = 0.25  # of the ontology: what holds more, such as *animal cell*, says too little


def propose(ids: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return what types are part of, by the ontology: a tree, as deep as they share terms.

    A term above two or more of the types is taken, the most specific first (that with the fewest
    terms below it: the information content of Resnik 1995, arXiv:cmp-lg/9511007), where it lies
    within or around those taken before it, or apart from them. Terms that hold all the types, or a
    quarter of the ontology, say nothing, and are left out unless they are types here.

    Parameters
    ----------
    ids
        Id of the term of each type; types without one are left out.

    Returns
    -------
    Of types, and of terms between them and the broadest: the names right above, as `TypeTree`
    takes them. A term that is a type here goes by the name of that type.

    Examples
    --------
    >>> propose({"naive": "CL:0000895", "Treg": "CL:0000815", "hepatocyte": "CL:0000182"})
    {'naive': ('mature T cell',), 'Treg': ('mature T cell',)}
    """
    ids = {name: term for name, term in ids.items() if term in terms()}
    names = {term: name for name, term in reversed(ids.items())}
    below: dict[str, frozenset[str]] = {}
    for name, term in ids.items():
        for above in ancestors(term):
            below[above] = below.get(above, frozenset()) | {name}
    taken: dict[str, frozenset[str]] = {}
    for term in sorted(below, key=lambda term: (term not in names, n_below()[term], term)):
        if _says_something(term, below[term], taken, ids, names):
            taken[term] = below[term]
    return _right_above(ids, taken, names)


def _says_something(
    term: str,
    own: frozenset[str],
    taken: Mapping[str, frozenset[str]],
    ids: Mapping[str, str],
    names: Mapping[str, str],
) -> bool:
    if len(own) < 2 or own in taken.values():
        return False
    if any(own & other and not (own <= other or other <= own) for other in taken.values()):
        return False
    return term in names or (len(own) < len(ids) and n_below()[term] < MOST_TERMS * len(terms()))


def _right_above(
    ids: Mapping[str, str], taken: Mapping[str, frozenset[str]], names: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return for each type and each taken term the smallest taken one that holds it."""
    own = {name: (frozenset([name]), term) for name, term in ids.items()}
    own |= {_name(term, names): (held, term) for term, held in taken.items()}
    parents = {}
    for name, (held, term) in own.items():
        around = [t for t, other in taken.items() if held <= other and t != term and
                  (held < other or t not in names)]  # fmt: skip
        if around:
            parents[name] = (_name(min(around, key=lambda t: len(taken[t])), names),)
    return {name: above for name, above in parents.items() if above != (name,)}


def _name(term: str, names: Mapping[str, str]) -> str:
    return names.get(term) or terms()[term].name


@cache
def ancestors(term: str) -> frozenset[str]:
    """Return a term and all above it."""
    found = {term}
    for above in terms()[term].parents:
        if above in terms():
            found |= ancestors(above)
    return frozenset(found)


@cache
def n_below() -> Counter[str]:
    """Return how many terms each term holds, itself among them."""
    return Counter(above for term in terms() for above in ancestors(term))
