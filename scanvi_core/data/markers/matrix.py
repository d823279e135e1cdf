"""Tables of 0 and 1: a line per type and a column per gene, or the other way round."""

from collections.abc import Callable, Iterator

from scanvi_core.data.markers.fields import number
from scanvi_core.data.markers.marker_sets import MarkerSet, Reading, gathered
from scanvi_core.data.markers.text_table import Grid
from scanvi_core.keys import spelling

IsGene = Callable[[str], bool]
HOW = "1 where a gene is a marker of a type, {} in lines"


def readings(grid: Grid, is_gene: IsGene) -> list[Reading] | None:
    """Return how to read a table of 0 and 1 (-1: a gene is not shown); None if it is none.

    The names among which more genes are known are the genes.
    """
    if len(grid[0]) == max(map(len, grid[1:]), default=0) - 1:  # R names no column of row names
        grid = [["", *grid[0]], *grid[1:]]
    titles, rows = grid[0][1:], grid[1:]
    if len(titles) < 2 or not rows or any(number(title) is not None for title in titles):
        return None
    if not all(_is_sign(field) for row in rows for field in row[1:]):
        return None
    n_titles = sum(map(is_gene, titles))
    n_names = sum(is_gene(row[0]) for row in rows)
    if not n_titles and not n_names:
        return None
    across = n_titles * len(rows) >= n_names * len(titles)  # as shares
    how = HOW.format("types" if across else "genes")
    types = gathered(_terms(titles, rows, across=across))
    names = dict.fromkeys(
        spelling(name) for name in ([row[0] for row in rows] if across else titles)
    )
    bare = names.keys() - {own.name for own in types} - {""}
    return [Reading(how, (*types, *(MarkerSet(name, ()) for name in names if name in bare)))]


def _is_sign(field: str) -> bool:
    return number(field) in (0, 1, -1)


def _terms(titles: list[str], rows: Grid, *, across: bool) -> Iterator[tuple[str, str, bool]]:
    for row in rows:
        for title, field in zip(titles, row[1:], strict=False):
            kind, gene = (row[0], title) if across else (title, row[0])
            if gene and number(field):
                yield kind, gene, number(field) == 1
