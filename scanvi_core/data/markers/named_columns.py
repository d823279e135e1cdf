"""Tables whose header says where types and genes are, one or several genes a line.

Among them those of Seurat's FindAllMarkers and scanpy's rank_genes_groups_df, which tell how
strong each gene is, and ScType's with positive and negative genes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from scanvi_core.data.markers import headers
from scanvi_core.data.markers.fields import genes_in, is_number, number
from scanvi_core.data.markers.marker_sets import Reading, gathered
from scanvi_core.data.markers.text_table import Grid
from scanvi_core.data.names import plain

IsGene = Callable[[str], bool]
STRONGEST = 25  # genes of a type, where the table tells how strong they are
SURE = 0.05  # adjusted p
MOST_PARTS = 60  # tissues of one table
NUMBERS = (
    "The types are called by numbers, as clusters of another analysis are: give them names in the "
    "table where you can."
)


@dataclass(frozen=True)
class Columns:
    """Which column holds what; -1: none does."""

    types: int
    genes: int
    absent: int
    sign: int
    change: int
    chance: int
    weight: int


def readings(grid: Grid, is_gene: IsGene) -> list[Reading] | None:
    """Return the ways to read a table by its header; None where it names no types and genes."""
    header, rows = grid[0], grid[1:]
    types = headers.find(header, headers.TYPES)
    genes = _gene_columns(grid, is_gene)
    types = [at for at in types if at not in genes]
    if not types or not genes:
        return None
    parts = _parts(header, rows)
    found = []
    for column in _apart(types, rows):
        columns = _columns(header, column, genes[0])
        for part, own in parts.items():
            reading = _reading(header, own, columns, part)
            if reading.types:
                found.append(reading)
    return found


def _gene_columns(grid: Grid, is_gene: IsGene) -> list[int]:
    """Return the columns of genes, those with most known ones first."""
    found = headers.find(grid[0], headers.GENES)

    def known(column: int) -> float:
        genes = [gene for row in grid[1:500] for gene, _ in genes_in(_field(row, column))]
        return round(sum(map(is_gene, genes)) / max(1, len(genes)), 1)

    return sorted(found, key=lambda column: -known(column))


def _apart(types: Sequence[int], rows: Grid) -> list[int]:
    """Return the columns that name types, without those that say the same as one before."""
    kept = dict[tuple[int, ...], int]()
    for column in types:
        values = [_field(row, column) for row in rows]
        if len(set(values)) > 1 or len(types) == 1:
            codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
            kept.setdefault(tuple(codes[value] for value in values), column)
    return list(kept.values())


def _parts(header: Sequence[str], rows: Grid) -> dict[str, Grid]:
    """Return the lines of each tissue or species where the table is about several."""
    for column in headers.find(header, headers.CONTEXT):
        parts: dict[str, Grid] = {}
        for row in rows:
            parts.setdefault(_field(row, column), []).append(row)
        if 1 < len(parts) <= MOST_PARTS:
            return parts
    return {"": rows}


def _columns(header: Sequence[str], types: int, genes: int) -> Columns:
    def first(usual: Sequence[str]) -> int:
        found = [at for at in headers.find(header, usual) if at not in (types, genes)]
        return found[0] if found else -1

    kinds = (headers.ABSENT, headers.SIGN, headers.CHANGE, headers.CHANCE, headers.WEIGHT)
    return Columns(types, genes, *map(first, kinds))


def _reading(header: Sequence[str], rows: Grid, columns: Columns, part: str) -> Reading:
    notes = list[str]()
    columns = _with_numbers(header, rows, columns, notes)
    if max(columns.change, columns.weight) >= 0:
        rows = _strongest(rows, columns, notes)
    types = gathered(_terms(rows, columns))
    how = f"types in the column {header[columns.types]}, genes in {header[columns.genes]}"
    if columns.absent >= 0:
        how += f", genes they do not show in {header[columns.absent]}"
    if types and all(is_number(own.name) for own in types):
        notes.append(NUMBERS)
    return Reading(f"{part}: {how}" if part else how, types, tuple(notes))


def _terms(rows: Grid, columns: Columns) -> Iterator[tuple[str, str, bool]]:
    for row in rows:
        name = _field(row, columns.types)
        absent = columns.sign >= 0 and _is_negative(_field(row, columns.sign))
        if not name:
            continue
        for gene, positive in genes_in(_field(row, columns.genes)):
            yield name, gene, positive and not absent
        if columns.absent >= 0:
            for gene, _ in genes_in(_field(row, columns.absent)):
                yield name, gene, False


def _is_negative(sign: str) -> bool:
    value = number(sign)
    return sign.casefold() in headers.NO if value is None else value <= 0


def _with_numbers(
    header: Sequence[str], rows: Grid, columns: Columns, notes: list[str]
) -> Columns:
    """Return the columns without those that should hold numbers and hold none at all."""
    for kind in ("change", "chance", "weight"):
        column = getattr(columns, kind)
        if column >= 0 and not any(is_number(_field(row, column)) for row in rows):
            notes.append(f"The column {header[column]} holds no numbers and is not used.")
            columns = replace(columns, **{kind: -1})
    return columns


def _strongest(rows: Grid, columns: Columns, notes: list[str]) -> Grid:
    """Return the lines of the strongest genes of each type: higher in it than elsewhere."""
    kept: dict[str, list[tuple[float, list[str]]]] = {}
    n_unread = n_lower = n_unsure = 0
    for row in rows:
        change = _number(row, columns.change, 1.0)
        chance = _number(row, columns.chance, 0.0)
        weight = change if columns.change >= 0 else _number(row, columns.weight, 0.0)
        if change is None or chance is None or weight is None:
            n_unread += 1
        elif change <= 0:
            n_lower += 1
        elif chance > SURE:
            n_unsure += 1
        else:
            kept.setdefault(_field(row, columns.types), []).append((weight, row))
    more = sum(len(own) > STRONGEST for own in kept.values())
    notes += _said(n_unread, n_lower, n_unsure, more)
    strongest = [sorted(own, key=lambda pair: -pair[0])[:STRONGEST] for own in kept.values()]
    return [row for own in strongest for _, row in own]


def _said(n_unread: int, n_lower: int, n_unsure: int, n_more: int) -> Iterable[str]:
    if n_unread:
        yield f"{n_unread:,} lines with a field that should be a number and is none are left out."
    if n_lower:
        yield f"{n_lower:,} lines of genes that are lower in their type are left out."
    if n_unsure:
        yield f"{n_unsure:,} lines with an adjusted p above {SURE:g} are left out."
    if n_more:
        yield f"Of each type the {STRONGEST} strongest genes are used."


def _number(row: Sequence[str], column: int, otherwise: float) -> float | None:
    """Return the number in a column; ``otherwise`` only where the table has no such column."""
    return number(_field(row, column)) if column >= 0 else otherwise


def _field(row: Sequence[str], column: int) -> str:
    return row[column] if 0 <= column < len(row) else ""


def is_header(row: Sequence[str]) -> bool:
    """Tell whether a line names columns, as headers of tables of markers do."""
    usual = {*headers.TYPES, *headers.GENES, *headers.ABSENT}
    return any(plain(title) in usual for title in row)
