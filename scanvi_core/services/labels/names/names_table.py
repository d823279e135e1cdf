"""Which type of the project somebody else's name means: a proposal, to be looked at.

Names are the same, or the same but for their spelling, or known as synonyms; anything else is left
to the reader, since a wrong guess costs more than an empty line.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from scanvi_core import keys
from scanvi_core.services.labels.names.near_names import plain_name

How = Literal["exact", "spelling", "synonym", "as it says", ""]
OWN, CELLS, HERE, HOW = "it says", "cells", "means here", "why"  # columns of the table shown
CLOSE = 0.9  # of the letters of two names, by difflib's ratio
LONG = 6  # letters, from which one letter more or less is a slip

# Names of the same cells, without capitals, signs and "cells". Broader and narrower names are no
# synonyms: a monocyte need not be a CD14 one.
SYNONYMS = (
    ("b", "b lymphocyte"),
    ("t", "t lymphocyte"),
    ("nk", "natural killer"),
    ("nkt", "nk t", "natural killer t"),
    ("cd4 t", "cd4", "cd4 positive t", "cd4 positive alpha beta t", "helper t", "t helper"),
    ("cd8 t", "cd8", "cd8 positive t", "cd8 positive alpha beta t", "cytotoxic t"),
    ("treg", "t reg", "t regulatory", "regulatory t"),
    ("mait", "mucosal associated invariant t", "mucosal invariant t"),
    ("gdt", "gd t", "gamma delta t", "γδ t"),
    ("ilc", "innate lymphoid"),
    ("mono", "monocyte"),
    ("cd14 mono", "cd14 monocyte", "classical monocyte", "cd14 positive monocyte"),
    ("cd16 mono", "fcgr3a mono", "cd16 monocyte", "fcgr3a monocyte", "non classical monocyte",
     "nonclassical monocyte"),
    ("macrophage", "mac", "mφ"),
    ("dc", "dendritic"),
    ("cdc", "conventional dendritic", "classical dendritic", "conventional dc"),
    ("cdc1", "dc1", "conventional dendritic 1", "conventional dendritic type 1"),
    ("cdc2", "dc2", "conventional dendritic 2", "conventional dendritic type 2"),
    ("pdc", "plasmacytoid dendritic", "plasmacytoid dc"),
    ("plasma", "plasma b", "antibody secreting"),
    ("platelet", "thrombocyte"),
    ("megakaryocyte", "mk"),
    ("erythrocyte", "rbc", "red blood"),
    ("hsc", "hematopoietic stem", "haematopoietic stem"),
    ("hspc", "hematopoietic stem and progenitor", "hematopoietic stem progenitor"),
    ("kupffer", "liver macrophage"),
    ("smc", "smooth muscle"),
    ("opc", "oligodendrocyte precursor", "oligodendrocyte progenitor"),
    ("alpha", "pancreatic alpha", "pancreatic a"),
    ("beta", "pancreatic beta", "type b pancreatic", "pancreatic b"),
    ("delta", "pancreatic delta", "pancreatic d"),
    ("ductal", "duct", "pancreatic ductal"),
    ("acinar", "pancreatic acinar"),
    ("endothelial", "endothelium"),
    ("epithelial", "epithelium"),
)  # fmt: skip
_SAME = {name: group[0] for group in SYNONYMS for name in group}


@dataclass(frozen=True, slots=True)
class NameLine:
    """A name, the type of the project it may mean ("": none), and how that was found."""

    own: str
    here: str
    how: How


def suggest_names(
    own_names: Iterable[str], types: Sequence[str], *, keep: bool = False
) -> tuple[NameLine, ...]:
    """Return a line for each name that somebody uses; names that mean "unlabeled" get none.

    Parameters
    ----------
    own_names
        As they are written there.
    types
        Those of the project.
    keep
        Whether a name without a type is to become one, as where the project has none yet.

    Examples
    --------
    >>> [line.here for line in suggest_names(["B-cells", "pDCs", "Tcm"], ["B cell", "pDC"])]
    ['B cell', 'pDC', '']
    """
    return tuple(
        _line(name, types, keep=keep) for name in own_names if not keys.looks_unlabeled(name)
    )


def _line(name: str, types: Sequence[str], *, keep: bool) -> NameLine:
    if name in types:
        return NameLine(name, name, "exact")
    ways: tuple[tuple[How, list[str]], ...] = (
        ("spelling", [other for other in types if _words(other) == _words(name)]),
        ("synonym", [other for other in types if _meant(other) == _meant(name)]),
        ("spelling", [other for other in types if _is_slip(name, other)]),
    )
    for how, found in ways:
        if len(found) == 1:
            return NameLine(name, found[0], how)
    return NameLine(name, name, "as it says") if keep else NameLine(name, "", "")


def _words(name: str) -> list[str]:
    """Return the words of a name in any order."""
    return sorted(plain_name(name).split())


def _meant(name: str) -> str:
    """Return one name for all that are synonyms."""
    return _SAME.get(plain_name(name), plain_name(name))


def _is_slip(one: str, other: str) -> bool:
    """Tell whether two long names differ in a letter or two, and in no number or short word."""
    first, second = plain_name(one), plain_name(other)
    if min(len(first), len(second)) < LONG or _signs(first) != _signs(second):
        return False
    return SequenceMatcher(None, first, second).ratio() >= CLOSE


def _signs(name: str) -> list[str]:
    """Return the words that a slip does not change: with numbers in them, or short."""
    return [word for word in name.split() if len(word) <= 3 or re.search(r"\d", word)]
