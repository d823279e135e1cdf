"""Terms of the ontologies that CELLxGENE and the Cell Annotation Platform ask for.

They come, offline, with ``cellxgene-ontology-guide`` (MIT license), the package CELLxGENE's own
validator reads them from; it is optional: ``pip install 'scanvi-app[cellxgene]'``.
"""

import importlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from scanvi_core.errors import InputError

PACKAGE = "cellxgene_ontology_guide"
UNKNOWN, NOT_APPLICABLE = "unknown", "na"
HUMAN, MOUSE = "NCBITaxon:9606", "NCBITaxon:10090"
ORGANISMS = {
    HUMAN: "Homo sapiens",
    MOUSE: "Mus musculus",
    "NCBITaxon:10116": "Rattus norvegicus",
    "NCBITaxon:9544": "Macaca mulatta",
    "NCBITaxon:9541": "Macaca fascicularis",
    "NCBITaxon:9598": "Pan troglodytes",
    "NCBITaxon:9595": "Gorilla gorilla gorilla",
    "NCBITaxon:9483": "Callithrix jacchus",
    "NCBITaxon:30608": "Microcebus murinus",
    "NCBITaxon:9986": "Oryctolagus cuniculus",
    "NCBITaxon:9823": "Sus scrofa",
    "NCBITaxon:7955": "Danio rerio",
    "NCBITaxon:7227": "Drosophila melanogaster",
    "NCBITaxon:6239": "Caenorhabditis elegans",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Which terms a field may hold.

    Attributes
    ----------
    ontologies
        Prefixes as in ``CL:0000084``.
    below
        A term must have one of these above it.
    also, never
        Terms that are allowed, or not, besides that.
    words
        Values that are no terms.
    """

    ontologies: tuple[str, ...]
    below: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


CELL_TYPE = Scope(
    ("CL",), ("CL:0000000",), ("CL:0000000",), ("CL:0000255", "CL:0000257", "CL:0000548"),
    (UNKNOWN,),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OntologyTerm:
    """A term: its id, such as ``CL:0000084``, and its name."""

    id: str
    name: str


def available() -> bool:
    """Tell whether the package with the ontologies is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


@cache
def _schema() -> Any:
    if not available():
        raise InputError(
            "The ontologies are not installed.",
            "Install them with pip install 'scanvi-app[cellxgene]' and start the app again.",
        )
    return importlib.import_module(f"{PACKAGE}.supported_versions").CXGSchema()


def schema_version() -> str:
    """Return the version of CELLxGENE's schema whose terms these are, such as ``7.1.0``."""
    return str(_schema().version)


def ontology_version(name: str) -> str:
    """Return the release of an ontology, such as ``v2026-03-26`` of CL."""
    return str(_schema().supported_ontologies[name]["version"])


def _all(name: str) -> Mapping[str, Mapping[str, Any]]:
    terms: Mapping[str, Mapping[str, Any]] = _schema().ontology(name)
    return terms


def _entry(term: str, scope: Scope) -> Mapping[str, Any] | None:
    entries = [_all(name).get(term) for name in scope.ontologies]
    return next((entry for entry in entries if entry is not None), None)


def name_of(term: str, scope: Scope) -> str:
    """Return the name of a term; of a word like ``unknown`` the word; '' when there is none."""
    if term in scope.words:
        return term
    entry = _entry(term, scope)
    return "" if entry is None else str(entry["label"])


def synonyms_of(term: str, scope: Scope) -> list[str]:
    """Return other names of a term."""
    entry = _entry(term, scope)
    return [] if entry is None else [str(word) for word in entry.get("synonyms", ())]


def problem(term: str, scope: Scope) -> str:
    """Return why a field cannot hold a term, as the rest of a sentence; '' when it can."""
    if term in scope.words or term in scope.also:
        return ""
    entry = _entry(term, scope)
    if entry is None:
        return f"is no term of {' or '.join(scope.ontologies)}"
    if entry["deprecated"]:
        return f"({entry['label']}) is no longer used"
    if term in scope.never or not _inside(entry, scope):
        return f"({entry['label']}) is not allowed here"
    return ""


def _inside(entry: Mapping[str, Any], scope: Scope) -> bool:
    return not scope.below or any(above in entry["ancestors"] for above in scope.below)


def suggest(text: str, scope: Scope) -> OntologyTerm | None:
    """Return the term that has this very name or synonym, written a little differently perhaps.

    An id or an allowed word stands for itself. ``T cells`` finds *T cell*, ``B`` finds *B cell*,
    ``CD14+ Monocyte`` finds *CD14-positive monocyte*.
    """
    text = text.strip()
    if not text:
        return None
    if text in scope.words or text in scope.also or _entry(text, scope) is not None:
        return OntologyTerm(text, name_of(text, scope)) if not problem(text, scope) else None
    if text.casefold() in scope.words:
        return OntologyTerm(text.casefold(), text.casefold())
    known = _names(scope)
    tries = [_key(text)]
    if scope is CELL_TYPE:
        tries.append(_key(f"{text} cell"))
    term = next((known[key] for key in tries if key in known), None)
    return None if term is None else OntologyTerm(term, name_of(term, scope))


def search(text: str, scope: Scope, n: int = 8) -> list[OntologyTerm]:
    """Return terms whose name or a synonym holds all the words, the shortest names first."""
    words = _key(text).split()
    if not words:
        return []
    found = dict[str, int]()
    for key, term in _names(scope).items():
        if all(word in key for word in words):
            found[term] = min(len(key), found.get(term, len(key)))
    ranked = sorted(found, key=lambda term: (found[term], term))[:n]
    return [OntologyTerm(term, name_of(term, scope)) for term in ranked]


@lru_cache(maxsize=32)
def _names(scope: Scope) -> dict[str, str]:
    """Return the terms of a field by name and, where no name is in the way, by synonym."""
    known, other = dict[str, str](), dict[str, str]()
    for ontology in scope.ontologies:
        for term, entry in _all(ontology).items():
            if problem(term, scope):
                continue
            known.setdefault(_key(entry["label"]), term)
            for synonym in entry.get("synonyms", ()):
                key = _key(synonym)
                other[key] = term if other.get(key, term) == term else ""  # "": of several terms
    return {key: term for key, term in other.items() if term} | known


def _key(text: str) -> str:
    """Return a name without what people write differently: case, dashes, plurals, + and -."""
    text = text.casefold().replace("α", "alpha").replace("β", "beta").replace("γ", "gamma")
    text = re.sub(r"(?<=\w)\+", " positive ", text)
    text = re.sub(r"(?<=\w)-(?=\s|$)", " negative ", text)
    words = re.sub(r"[^\w']+", " ", text).replace("_", " ").split()
    return " ".join(word.removesuffix("s") if len(word) > 4 else word for word in words)
