"""Marker rules, such as ``MS4A1+, CD3D-``: read, and matched with the genes of the data."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from scanvi_core.data.genes.aliases import symbols_of
from scanvi_core.errors import InputError


@dataclass(frozen=True, slots=True)
class Marker:
    """One term of a marker rule: a gene whose value must be above, or not above, a threshold."""

    gene: str
    positive: bool
    threshold: float


# A name may hold dots and dashes (HLA-DRA, RP11-34.2), so the sign is the last character.
_SIGNED = re.compile(r"(?P<gene>.+?)\s*(?P<sign>[+\-\u2212\u2013])")
_COMPARED = re.compile(r"(?P<gene>.+?)\s*(?P<sign>[<>])\s*(?P<value>\d+(\.\d*)?|\.\d+)")


def parse_rule(text: str) -> list[Marker]:
    """Read a rule such as ``MS4A1+, CD79A+, CD3D-, CD8A>1.5, NKG7<2``.

    ``+`` and a bare name: more than 0 counts; ``-``: none; ``>`` and ``<``: log1p(CP10k) units.

    Raises
    ------
    InputError
        If the rule is empty, or a term is not a gene name with a sign.
    """
    markers = []
    for term in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        if found := _COMPARED.fullmatch(term):
            gene, above, value = found["gene"], found["sign"] == ">", float(found["value"])
        elif found := _SIGNED.fullmatch(term):
            gene, above, value = found["gene"], found["sign"] == "+", 0.0
        elif re.search(r"[<>]", term):
            raise InputError(
                f"{term!r} is not a marker.", "Write for example CD3D+, MS4A1- or CD3D>1.5."
            )
        else:
            gene, above, value = term, True, 0.0
        markers.append(Marker(gene, above, value))
    if not markers:
        raise InputError("The marker rule is empty.", "Write for example MS4A1+, CD79A+, CD3D-.")
    return markers


def known_markers(text: str, genes: Sequence[str]) -> list[Marker]:
    """Return the terms of a rule with the genes as the data call them.

    Parameters
    ----------
    text
        See `parse_rule`. Names match exactly, else without regard to case when that is unique,
        else as an alias (``CD20``: MS4A1).
    genes
        All gene names of the data.

    Raises
    ------
    InputError
        If the rule cannot be read or a gene is not in the data; the hint names close matches.
    """
    return [_known(marker, genes) for marker in parse_rule(text)]


def _known(marker: Marker, genes: Sequence[str]) -> Marker:
    folded = marker.gene.casefold()
    matches = [g for g in genes if g == marker.gene]
    for meant in ({folded}, set(symbols_of(marker.gene))):
        matches = matches or [g for g in genes if g.casefold() in meant]
    if len(set(matches)) == 1:
        return Marker(str(matches[0]), marker.positive, marker.threshold)
    raise InputError(
        f"Gene {marker.gene} is not in the data."
        if not matches
        else f"Gene {marker.gene} could be {' or '.join(sorted(set(matches)))}.",
        _suggestion(marker.gene, genes),
    )


def _suggestion(gene: str, genes: Sequence[str]) -> str:
    by_folded = {str(name).casefold(): str(name) for name in genes}
    begin = [name for folded, name in by_folded.items() if folded.startswith(gene.casefold())]
    close = difflib.get_close_matches(gene.casefold(), by_folded, n=5, cutoff=0.7)
    names = list(dict.fromkeys([*sorted(begin, key=len)[:3], *(by_folded[c] for c in close)]))[:5]
    if names:
        return f"Did you mean {', '.join(names)}?"
    return "Check the spelling, and whether the data use gene symbols or identifiers."
