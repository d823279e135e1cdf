"""Tables whose header says nothing: genes are told by the genes known here.

A line per type (its name, then its genes: also GMT, and what is pasted) or a column per type (its
name above its genes: also scanpy's ``names``).
"""

from collections.abc import Iterator, Sequence

from scanvi_core.data.markers import headers
from scanvi_core.data.markers.fields import genes_in, is_number
from scanvi_core.data.markers.marker_sets import Reading, gathered
from scanvi_core.data.markers.named_columns import NUMBERS, IsGene, is_header
from scanvi_core.data.markers.text_table import Grid

KNOWN, FEW = 0.5, 0.2  # of the genes of a table; of the fields of a column that holds none
LOOKED_AT = 300  # lines
MOST_FIELDS = 300_000  # of lines that are read: more hold no genes that would be used
LINES, COLUMNS = "one line per type, its name first", "one column per type, its name on top"


def readings(grid: Grid, is_gene: IsGene) -> list[Reading]:
    """Return the ways to read a table: one where known genes tell, else all that may be.

    A way is told by known genes where most of its genes are known and few names of its types are.
    """
    grid = grid[: MOST_FIELDS // max(map(len, grid))]
    ways = [_by_lines(grid, is_gene)]
    if not _has_header(grid, is_gene):
        ways.append(_by_columns(grid))
    ways = [way for way in ways if way.types]
    likely = [way for way in ways if _fits(way, is_gene)]
    if len(likely) > 1 and NUMBERS in likely[0].notes:  # the lines of a table are numbered
        likely = likely[1:]
    return likely or ways


def _fits(way: Reading, is_gene: IsGene) -> bool:
    genes = [gene for own in way.types for gene in (*own.positive, *own.negative)]
    of_genes = _share(genes, is_gene)
    of_types = _share([own.name for own in way.types], lambda name: _are_genes(name, is_gene))
    return of_genes >= KNOWN and of_types < KNOWN


def _are_genes(name: str, is_gene: IsGene) -> bool:
    """Tell whether the name of a type is mostly genes, which no type is called."""
    return _share([gene for gene, _ in genes_in(name)], is_gene) > KNOWN


def _share(names: Sequence[str], is_gene: IsGene) -> float:
    return sum(map(is_gene, names)) / max(1, len(names))


def _by_lines(grid: Grid, is_gene: IsGene) -> Reading:
    rows = grid[1:] if _has_header(grid, is_gene) else grid
    width = max(map(len, rows), default=0)
    place = 0
    known = [_known_in(rows, at, is_gene) for at in range(width)]
    if width == 2 and known[0] > known[1]:  # a gene first, then its type
        place = 1
    used = [at for at in range(width) if at != place]
    best = max((known[at] for at in used), default=0.0)
    idle = [at for at in used[: width if width <= 6 else 1] if best >= KNOWN and known[at] < FEW]
    used = [at for at in used if at not in idle]
    types = gathered(_terms_of_lines(rows, place, used))
    notes = [f"Column {at + 1} holds no genes and is left out." for at in idle]
    if types and all(is_number(own.name) for own in types):
        notes.append(NUMBERS)
    return Reading(
        LINES if place == 0 else "a gene and its type in each line", types, tuple(notes)
    )


def _has_header(grid: Grid, is_gene: IsGene) -> bool:
    """Tell whether the first line names columns, where others hold genes."""
    first = grid[0][1:]
    if any(headers.is_header_of_genes(title) for title in first) or is_header(grid[0][:1]):
        return not any(map(is_gene, first))
    return False


def _known_in(rows: Grid, column: int, is_gene: IsGene) -> float:
    genes = [
        gene for row in rows[:LOOKED_AT] if column < len(row) for gene, _ in genes_in(row[column])
    ]
    return _share(genes, is_gene)


def _terms_of_lines(
    rows: Grid, place: int, used: Sequence[int]
) -> Iterator[tuple[str, str, bool]]:
    for row in rows:
        if place < len(row) and row[place]:
            for at in used:
                for gene, positive in genes_in(row[at]) if at < len(row) else ():
                    yield row[place], gene, positive


def _by_columns(grid: Grid) -> Reading:
    titles, rows = grid[0], grid[1:]
    numbers = [at for at in range(len(titles)) if _are_numbers(rows, at)]
    names = {at: title for at, title in enumerate(titles) if title and at not in numbers}
    if names and all(title.endswith(("_n", "_names")) for title in names.values()):  # scanpy's
        names = {at: title.rpartition("_")[0] for at, title in names.items()}
    types = gathered(_terms_of_columns(rows, names))
    notes = [NUMBERS] if types and all(is_number(own.name) for own in types) else []
    if any(titles[at] for at in numbers):
        notes.append("Columns of numbers are left out.")
    return Reading(COLUMNS, types, tuple(notes))


def _are_numbers(rows: Grid, column: int) -> bool:
    fields = [row[column] for row in rows if column < len(row) and row[column]]
    return not fields or all(map(is_number, fields))


def _terms_of_columns(rows: Grid, names: dict[int, str]) -> Iterator[tuple[str, str, bool]]:
    for at, name in names.items():
        for row in rows:
            for gene, positive in genes_in(row[at]) if at < len(row) else ():
                yield name, gene, positive
