"""Genes in one field of a table: ``MS4A1``, ``CD3D, CD3E``, ``CD3E+ CD8A-``."""

import re

from scanvi_core.data.genes.aliases import symbols_of
from scanvi_core.keys import spelling

_BETWEEN = re.compile(r"[\s,;|]+")
_AROUND = "[](){}\"'`*"
_MINUS = "-\u2212\u2013"
_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?%?")
LONGEST = 40  # characters of a gene's name
# MARCH1, SEPT2 and DEC1 as spreadsheets write them
DATE = re.compile(
    r"\d{1,2}[-./ ](Mar|Sep|Sept|Dec|M\u00e4r|Dez)|(Mar|Sep|Sept|Dec)[-./ ]\d{1,2}", re.I
)


def genes_in(field: str) -> list[tuple[str, bool]]:
    """Return the genes that a field names, and whether each is shown; ``-`` behind it: it is not.

    Commas, semicolons, bars and blanks stand between genes, and a slash that no alias has
    (``F4/80``). Numbers are no genes.
    """
    found = []
    for part in _BETWEEN.split(spelling(field)):
        found += [sign for word in _apart(part.strip(_AROUND)) if (sign := _signed(word))[0]]
    return found


def is_number(text: str) -> bool:
    """Tell whether a field holds a number and nothing else."""
    return bool(_NUMBER.fullmatch(text.strip()))


def number(text: str) -> float | None:
    """Return the number that a field holds, with a point or a comma; None where it holds none."""
    if not is_number(text):
        return None
    return float(text.strip().rstrip("%").replace(",", "."))


def _apart(word: str) -> list[str]:
    if "/" not in word or symbols_of(word.rstrip("+" + _MINUS)):
        return [word]
    return word.split("/")


def _signed(word: str) -> tuple[str, bool]:
    gene = word.rstrip("+" + _MINUS).strip(_AROUND)
    if not gene or is_number(gene) or len(gene) > LONGEST:
        return "", True
    return gene, word[-1] not in _MINUS
