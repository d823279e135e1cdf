"""Columns among genes that are called as no gene is: told by how nearly all the others look.

Genes of one annotation are written alike: in capitals (human), with a capital (mouse, rat), small
(fish), or as identifiers. A column written otherwise may still be a gene (``snoU13``); one that
stands with columns that surely describe cells, before the first or after the last gene, is not.
"""

import itertools
import re
from collections.abc import Sequence

from scanvi_core.data.names import is_gene, is_identifier

ALIKE = 0.9  # share of the titles that are written alike
FEWEST = 20  # titles, below which nothing is told
CAPITALS = re.compile(r"[A-Z0-9][A-Z0-9._:/@-]*")
CAPITAL = re.compile(r"[A-Z0-9][A-Za-z0-9.():-]*")
SMALL = re.compile(r"[a-z0-9][a-z0-9.():-]*")
OPEN_FRAME = re.compile(r"orf(?=\d)")


def no_genes(titles: Sequence[str], known: set[int]) -> list[int]:
    """Return the places of titles that are no genes, as their looks and their place say.

    Parameters
    ----------
    titles
        Of the columns of a table with cells in rows.
    known
        Places of those that surely describe cells.
    """
    unknown = [title for at, title in enumerate(titles) if at not in known]
    if len(unknown) < FEWEST or not known:
        return []
    ways = (is_identifier, _in_capitals, SMALL.fullmatch, CAPITAL.fullmatch)
    shares = {way: sum(bool(way(title)) for title in unknown) / len(unknown) for way in ways}
    usual = next((way for way in ways if shares[way] >= ALIKE), None)
    if usual is None:
        return []

    def is_other(at: int) -> bool:
        return at in known or not (usual(titles[at]) or is_gene(titles[at]))

    found = set()
    for order in (range(len(titles)), reversed(range(len(titles)))):
        run = list(itertools.takewhile(is_other, order))
        found |= set(run) if known.intersection(run) else set()
    return sorted(found - known)


def _in_capitals(title: str) -> bool:
    return CAPITALS.fullmatch(OPEN_FRAME.sub("ORF", title)) is not None
