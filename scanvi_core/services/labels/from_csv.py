"""Labels from a table (CSV), one line per cell, found again by the names of the cells."""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.data.anndata_files import cell_type_names
from scanvi_core.data.endings import match_but_for_endings
from scanvi_core.data.formats.text.glimpse import GLIMPSE_LINES, guess_separator, why_no_table
from scanvi_core.errors import ColumnMissing, FileRefused, InputError, LabelsUnusable
from scanvi_core.export.table import is_formula
from scanvi_core.plurals import sizes
from scanvi_core.project.label_log import events
from scanvi_core.services.labels import edit, holdout, pack_types
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.workspace import Workspace

MAX_BYTES = 500_000_000
BARCODES = ("barcode", "barcodes", "cell", "cell_id", "cell_name", "index", "obs_names", "")
SEPARATORS = (",", ";", "\t", "|")
SHOWN = 3


@dataclass(frozen=True)
class LabelTable:
    """A table of labels, and where its cells are here.

    Attributes
    ----------
    name
        Of the file.
    barcodes
        Name of the column with the names of the cells.
    frame
        Its other columns, as text, one line per cell of the table.
    place
        Per line the row of its cell here, -1 where there is none or the name is there twice.
    differing
        How the names differ from those here ("ACGT-1 is ACGT here"), where they were matched but
        for an ending or a beginning: to be asked about; "" where they are the same.
    """

    name: str
    barcodes: str
    frame: pd.DataFrame
    place: np.ndarray
    differing: str = ""


@dataclass(frozen=True)
class Match:
    """How a table fits the cells here, in numbers and in examples.

    Attributes
    ----------
    found
        Cells here that have a line in the table.
    labeled
        Of these, cells whose line holds a label.
    without_line
        Cells here that have none.
    strange, repeated
        Lines of cells that are not here; lines that are left out since their name is there twice.
    examples
        Some of the names that are not here.
    types
        Number of different labels.
    """

    found: int
    labeled: int
    without_line: int
    strange: int
    repeated: int
    examples: tuple[str, ...]
    types: int


def from_path(opened: Workspace, text: str) -> LabelTable:
    """Read a table below the data folder; see `from_bytes`."""
    path = allowed_path(text)
    _check_size(path.stat().st_size, path.name)
    return from_bytes(opened, path.name, path.read_bytes())


def from_bytes(opened: Workspace, name: str, content: bytes) -> LabelTable:
    """Read a table and find its cells by name.

    Commas, semicolons, tabs and bars may separate; the names of the cells are in a column called
    barcode, cell or the like, or else in the first. What Excel was kept from running as a formula
    (a leading ``'``) is read as it was.

    Raises
    ------
    FileRefused
        If it is no table of text.
    LabelsUnusable
        If none of its cells is here.
    """
    _check_size(len(content), name)
    key = ("label table", name, hashlib.blake2b(content).hexdigest())
    table: LabelTable = opened.cache.get(key, lambda: _matched(opened, name, content))
    return table


def _matched(opened: Workspace, name: str, content: bytes) -> LabelTable:
    frame = _parsed(Path(name).name, content)
    lower = {str(column).strip().casefold(): column for column in reversed(frame.columns)}
    barcodes = next((lower[word] for word in BARCODES if word in lower), frame.columns[0])
    names = pd.Index(frame.pop(barcodes))
    cells = pd.Index(opened.dataset.obs_names)
    place = cells.get_indexer(names)
    place[names.duplicated(keep=False)] = -1
    differing = ""
    if not (place >= 0).any():
        place, differing = match_but_for_endings(names, cells)
    if not (place >= 0).any():
        raise LabelsUnusable(
            f"None of the {len(names):,} cells of {name} is here, such as {names[0]!r}; the cells "
            f"here are called {cells[0]!r} and the like.",
            "The table must name the cells as the data set does.",
        )
    table = frame.set_axis(names)
    return LabelTable(Path(name).name, str(barcodes), table, place, differing)


def _check_size(n_bytes: int, name: str) -> None:
    if n_bytes > MAX_BYTES:
        long, most = sizes(n_bytes, MAX_BYTES)
        raise FileRefused(
            f"{name} has {long}; a table of labels has at most {most}.",
            "Choose the table of labels.",
        )


def _parsed(name: str, content: bytes) -> pd.DataFrame:
    hint = "Choose a .csv file with one line per cell: its name and its label."
    try:
        text = content.decode("utf-8-sig")
        head = text.split("\n", GLIMPSE_LINES)[:GLIMPSE_LINES]
        if "\0" in head[0] or not head[0].strip():
            raise FileRefused(f"{name} is no table of text.", hint)
        separator = guess_separator([line for line in head if line.strip()], SEPARATORS)
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False,
            quoting=csv.QUOTE_MINIMAL, index_col=False,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise FileRefused(f"{name} is no text in UTF-8.", hint) from error
    except ValueError as error:  # pandas' errors of parsing are ValueErrors
        why = why_no_table(error)
        raise FileRefused(f"{name} cannot be read as a table: {why}.", hint) from error
    if frame.shape[1] < 2 or not len(frame):
        raise FileRefused(f"{name} holds no table of at least two columns and one line.", hint)
    return frame.set_axis([_without_mark(str(c)) for c in frame], axis=1).apply(
        lambda column: column.map(_without_mark)
    )


def _without_mark(text: str) -> str:
    """Return a text without the mark that keeps a spreadsheet from running it."""
    marked = text.startswith("'") and is_formula(text[1:])
    return text[1:] if marked else text


def label_columns(table: LabelTable) -> list[str]:
    """Return the columns that may hold labels: first usual names, then what looks like types."""
    usual = [keys.CURATED, *keys.LABEL_COLUMNS]

    def rank(name: str) -> tuple[bool, int]:
        types = cell_type_names.column_holds_types(name, table.frame[name].unique())
        return not types, usual.index(name) if name in usual else len(usual)

    few = [name for name in table.frame if 1 < table.frame[name].nunique() <= len(table.frame) / 2]
    return sorted(few, key=rank)


def values(table: LabelTable, column: str) -> pd.DataFrame:
    """Return the labels of a column with their number of cells here, as `labeling` does."""
    counts = _column(table, column)[table.place >= 0].value_counts()
    counts = counts[counts.index.str.strip() != ""]
    unlabeled = [keys.looks_unlabeled(value) for value in counts.index]
    return pd.DataFrame(
        {"value": counts.index, "cells": counts.to_numpy(), "unlabeled": unlabeled}
    )


def match(opened: Workspace, table: LabelTable, column: str, unlabeled: set[str]) -> Match:
    """Return how the table fits the cells here."""
    n_obs = opened.dataset.n_obs
    labels, names = _column(table, column), table.frame.index
    repeated = np.asarray(names.duplicated(keep=False))
    strange = (table.place < 0) & ~repeated
    here = table.place >= 0
    given = labels[here & _is_label(labels, unlabeled)]
    return Match(
        found=int(here.sum()),
        labeled=len(given),
        without_line=n_obs - int(here.sum()),
        strange=int(strange.sum()),
        repeated=int(repeated.sum()),
        examples=tuple(names[strange][:SHOWN]),
        types=int(given.nunique()),
    )


def take_over(
    opened: Workspace,
    table: LabelTable,
    column: str,
    unlabeled: set[str],
    *,
    endings_differ: bool = False,
) -> None:
    """Take the labels of a column of the table; they replace those there are, in one step.

    Parameters
    ----------
    endings_differ
        Whether the user agreed that names which differ by an ending are the same cells.

    Raises
    ------
    InputError
        If the names differ and nobody agreed.
    ColumnMissing
        If there is no such column.
    LabelsUnusable
        If fewer than two types remain, or more than a model can learn.
    """
    if table.differing and not endings_differ:
        raise InputError(
            f"The names in the table differ from those here: {table.differing}.",
            "Say that they are the same cells, or name the cells as the data set does.",
        )
    labels = _column(table, column)
    use = (table.place >= 0) & _is_label(labels, unlabeled)
    codes = np.full(opened.dataset.n_obs, -1, dtype=np.int32)
    codes[table.place[use]], categories = pd.factorize(labels[use], sort=True)
    names = [str(name) for name in categories]
    edit.check_types(codes, names, column)
    key = f"{column} of {table.name}"
    opened.store.append(events.import_labels(names, codes, key=key))
    pack_types.add_again(opened)
    opened.project.update_settings(labels_key=key, unlabeled=sorted(unlabeled))
    holdout.set_aside(opened, holdout.HoldoutRequest())


def _column(table: LabelTable, column: str) -> pd.Series:
    if column not in table.frame:
        known = ", ".join(table.frame)
        raise ColumnMissing(f"The table has no column {column}.", f"It has: {known}.")
    return table.frame[column]


def _is_label(labels: pd.Series, unlabeled: set[str]) -> np.ndarray:
    named = (labels.str.strip() != "") & ~labels.isin(unlabeled)
    return np.asarray(named)
