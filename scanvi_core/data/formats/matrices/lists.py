"""The lists beside a matrix: names of genes and cells, and whatever else is known of them.

What a list is, is told from its content and length: 10x's features.tsv and barcodes.tsv without a
header, Parse's all_genes.csv and cell_metadata.csv with one, kb's pair of lists for identifiers
and symbols, tables that R wrote (running numbers or names before the first column, a header one
field shorter). All their columns become columns of obs or var.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core.data import names
from scanvi_core.data.formats.text.annotations import described, joined
from scanvi_core.data.formats.text.glimpse import Glimpse, glimpse

CELL_COLUMNS = (
    "barcode", "barcodes", "cellbarcode", "cellbarcodes", "cellid", "cellids", "cell", "cells",
    "cellname", "cellnames", "bcwells", "cellindex", "obsnames", "index", "sampleid", "",
)  # fmt: skip
TITLES = frozenset({*CELL_COLUMNS, *names.SYMBOL_COLUMNS, *names.IDENTIFIER_COLUMNS} - {""})
GENE_HEADERLESS = ("gene_ids", "name", "feature_types", "chromosome", "start", "end")
CELLS_NAMED = re.compile(r"barcode|cell|obs|meta", re.IGNORECASE)
GENES_NAMED = re.compile(r"gene|feature|var", re.IGNORECASE)
ROWS_NAMED, COLUMNS_NAMED = re.compile("rows", re.IGNORECASE), re.compile("cols", re.IGNORECASE)
LIKE = 0.5  # of `List.cell_like`, either way, from which a text is a list


@dataclass(frozen=True, slots=True)
class List:
    """A text file that may describe one side of a matrix.

    Attributes
    ----------
    seen
        Its first lines and its length.
    named
        What its name says beyond that of the matrix.
    """

    path: Path
    seen: Glimpse
    named: str

    @property
    def cell_like(self) -> float:
        """How much its name and content say that it lists cells; below 0: genes."""
        told: float = bool(CELLS_NAMED.search(self.named)) - bool(GENES_NAMED.search(self.named))
        if not told:  # rows are cells for alevin, genes for R
            told = (
                bool(ROWS_NAMED.search(self.named)) - bool(COLUMNS_NAMED.search(self.named))
            ) / 2
        columns = list(zip(*self.seen.lines[1:], strict=False)) or [self.seen.lines[0]]
        looks = [names.cell_share(column) - 3 * names.gene_share(column) for column in columns]
        return told + max(looks, key=abs, default=0.0)

    def is_list(self, matrix: Path) -> bool:
        """Tell whether it was meant as a list of this matrix, by its place, name and content."""
        return self.path.parent == matrix.parent and abs(self.cell_like) >= LIKE

    def fits(self, n: int) -> bool:
        """Tell whether it has as many lines, or one more, a header.

        As many lines with titles in the first are one too few: to read the titles as a name would
        give every other line the name of its neighbor.
        """
        return self.seen.n_lines == n + 1 or (self.seen.n_lines == n and not self.has_titles)

    @property
    def has_titles(self) -> bool:
        """Whether its first line holds titles that everybody knows, or R's empty one."""
        first = self.seen.lines[0] if self.seen.lines else ()
        known = any(title and names.plain(title) in TITLES for title in first)
        return known or (len(first) > 1 and first[0] == "")


def look_at(path: Path, matrix: Path) -> List:
    """Return what the beginning of a list shows, and how it is named beside its matrix."""
    stem = re.sub(r"\.mtx(\.gz)?$", "", matrix.name, flags=re.IGNORECASE)
    same = 0
    while same < min(len(stem), len(path.name)) and stem[same] == path.name[same]:
        same += 1
    return List(path, glimpse(path, np.inf), path.name[same:])


def genes_of(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the table of genes that some lists make together; its index holds their names."""
    columns: dict[str, pd.Series] = {}
    for table in tables:
        for name in table:
            columns.setdefault(_gene_title(table, name, columns), table[name])
    frame = pd.DataFrame(columns)
    titles = names.symbol_columns(frame) or names.identifier_columns(frame) or list(frame)
    symbols = frame[titles[0]]
    if "gene_ids" in frame and titles[0] != "gene_ids":
        symbols = symbols.where(symbols != "", frame["gene_ids"])
    return frame.drop(columns=titles[0]).set_axis(pd.Index(symbols, dtype=object))


def cells_of(lists: dict[str, pd.DataFrame], notes: list[str]) -> pd.DataFrame:
    """Return the table of cells that some lists make together; its index holds their names.

    The barest list of names is the one that was written with the matrix, in its order.
    """
    tables = list(lists.values())
    first = max(tables, key=lambda table: (_named_as_cells(table) != "", -table.shape[1]))
    key = _named_as_cells(first) or next(iter(first))
    index = first[key]
    columns = {str(name): first[name] for name in first if name != key}
    for title, table in lists.items():
        if table is first:
            continue
        beside, said = joined(table, index)
        if beside is None:
            notes.append(f"{title} names other cells than the matrix: it was left aside.")
            continue
        notes += [f"{title} describes the cells. {said}"] if said else []
        columns |= {name: beside[name] for name in beside if name not in columns}
    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    return described(frame).set_axis(pd.Index(index, dtype=object))


def _gene_title(table: pd.DataFrame, name: object, taken: dict[str, pd.Series]) -> str:
    """Return what a column of a list of genes is called: its header, or what 10x has there."""
    if isinstance(name, str) and name not in {"", "x", "X", "V1"}:
        return "gene_ids" if name in names.identifier_columns([name]) else name
    values = [str(value) for value in table[name]]
    if "gene_ids" not in taken and np.mean([*map(names.is_identifier, values)]) > 1 / 2:
        return "gene_ids"
    if isinstance(name, str) or table.shape[1] == 1:
        return "name"
    if name == 0 and table.shape[1] > 1:
        return "gene_ids"
    return dict(enumerate(GENE_HEADERLESS)).get(int(str(name)), f"column_{name}")


def _named_as_cells(table: pd.DataFrame) -> str:
    """Return the column with names of cells: a usual title and no value twice; "" for none."""
    unique = [name for name in table if table[name].is_unique]
    usual = [name for name in unique if names.plain(name) in CELL_COLUMNS]
    rank = {name: CELL_COLUMNS.index(names.plain(name)) for name in usual}
    if usual:
        return min(usual, key=rank.__getitem__)
    return next((name for name in unique if names.cell_share(table[name].tolist()) > 1 / 2), "")
