"""The lists beside a matrix: names of genes and cells, and whatever else is known of them.

What a list is, is told from its content and length: 10x's features.tsv and barcodes.tsv without a
header, Parse's all_genes.csv and cell_metadata.csv with one, kb's pair of lists for identifiers
and symbols, tables that R wrote (running numbers or names before the first column, a header one
field shorter). All their columns become columns of obs or var.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core.data import names
from scanvi_core.data.formats.text.glimpse import Glimpse, glimpse
from scanvi_core.data.guard.text import open_text

CELL_COLUMNS = (
    "barcode", "barcodes", "cellbarcode", "cellbarcodes", "cellid", "cellids", "cell", "cells",
    "cellname", "cellnames", "bcwells", "cellindex", "obsnames", "index", "sampleid", "",
)  # fmt: skip
GENE_HEADERLESS = ("gene_ids", "name", "feature_types", "chromosome", "start", "end")
CELLS_NAMED = re.compile(r"barcode|cell|obs|rows|meta", re.IGNORECASE)
GENES_NAMED = re.compile(r"gene|feature|var|cols", re.IGNORECASE)
MOST_MISSING = 0.1  # share of the names that a table may lack which is joined by name


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
        told = bool(CELLS_NAMED.search(self.named)) - bool(GENES_NAMED.search(self.named))
        columns = list(zip(*self.seen.lines[1:], strict=False)) or [self.seen.lines[0]]
        looks = [names.cell_share(column) - 3 * names.gene_share(column) for column in columns]
        return told + max(looks, key=abs, default=0.0)

    def fits(self, n: int) -> bool:
        """Tell whether it has as many lines, or one more, a header."""
        return self.seen.n_lines in {n, n + 1}


def look_at(path: Path, matrix: Path) -> List:
    """Return what the beginning of a list shows, and how it is named beside its matrix."""
    stem = re.sub(r"\.mtx(\.gz)?$", "", matrix.name, flags=re.IGNORECASE)
    same = 0
    while same < min(len(stem), len(path.name)) and stem[same] == path.name[same]:
        same += 1
    return List(path, glimpse(path, np.inf), path.name[same:])


def table_of(one: List, n: int) -> pd.DataFrame:
    """Return a list as text, a column per field; those without a header are called 0, 1, ..."""
    header = one.seen.n_lines == n + 1
    first = one.seen.lines[0] if one.seen.lines else ()
    width = max((len(line) for line in one.seen.lines[1:]), default=len(first))
    separator = one.seen.separator if width > 1 else "\t"
    with open_text(one.path, np.inf) as stream:
        frame = pd.read_csv(
            stream, sep=separator, header=None, dtype=str, keep_default_na=False,
            skip_blank_lines=True, skiprows=one.seen.n_before + header, names=range(width),
            quoting=csv.QUOTE_MINIMAL, encoding_errors="backslashreplace",
        )  # fmt: skip
    if header:
        titles = [""] * (width - len(first)) + [str(title) for title in first]
        frame = frame.set_axis(_apart(titles), axis=1)
    frame = frame.fillna("").iloc[len(frame) - n :].reset_index(drop=True)
    running = [name for name in frame if _counts_up(frame[name])]
    return frame.drop(columns=running[:1]) if len(running) < frame.shape[1] else frame


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


def cells_of(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the table of cells that some lists make together; its index holds their names."""
    first = max(tables, key=lambda table: _named_as_cells(table) != "")
    key = _named_as_cells(first) or next(iter(first))
    index = first[key]
    columns = {str(name): first[name] for name in first if name != key}
    for table in tables:
        if table is first:
            continue
        beside = joined(table, index)
        columns |= {name: beside[name] for name in beside if name not in columns}
    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    return described(frame).set_axis(pd.Index(index, dtype=object))


def joined(table: pd.DataFrame, index: pd.Series) -> pd.DataFrame:
    """Return the lines of a table in the order of some names, by the column that holds them.

    A table whose lines bear none of the names, but are as many, is taken as it stands.
    """
    for key in table:
        found = pd.Index(table[key])
        if found.is_unique and np.mean(found.get_indexer(index) >= 0) >= 1 - MOST_MISSING:
            lines = table.set_index(key).reindex(index)
            return lines.set_axis([str(name) for name in lines], axis=1)
    if len(table) != len(index):
        return pd.DataFrame(index=index)
    return table.set_axis([f"column_{name}" for name in table], axis=1)


def described(frame: pd.DataFrame) -> pd.DataFrame:
    """Return columns of text as numbers where all of them are, else as categories."""
    tidy = {}
    for name in frame:
        text = frame[name].replace({"": None, "NA": None, "NaN": None, "nan": None})
        numbers = pd.to_numeric(text, errors="coerce")
        is_number = bool((numbers.notna() == text.notna()).all()) and text.notna().any()
        tidy[str(name)] = numbers if is_number else text.astype(object).astype("category")
    return pd.DataFrame(tidy, index=frame.index)


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


def _apart(titles: list[str]) -> list[str]:
    """Return titles that occur once each."""
    seen: dict[str, int] = {}
    found = []
    for title in titles:
        n = seen[title] = seen.get(title, 0) + 1
        found.append(title if n == 1 else f"{title}_{n}")
    return found


def _counts_up(column: pd.Series) -> bool:
    """Tell whether a column is the running numbers that R and pandas write before a table."""
    first = str(column.iloc[0]) if len(column) else ""
    if first not in {"0", "1"} or len(column) < 2:
        return False
    return column.tolist() == [str(at) for at in range(int(first), int(first) + len(column))]
