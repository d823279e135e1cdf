"""Read the tables of an .h5ad file (obs, var) column by column.

Each column stands alone: one that cannot be read is named and left out. Every encoding that
anndata has written since 0.5 is known here. Object references are never followed; what they would
lead to is found by name, among the parts that have been checked.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.anndata_files.element import (
    CATEGORICAL,
    CATEGORIES,
    CODES,
    MASKED,
    PLAIN,
    describe,
    index_name,
)
from scanvi_core.data.blocks.nodes import (
    NUMBERS,
    Unreadable,
    array_in,
    attribute,
    dtype_of,
    group_in,
    is_group,
    names_in,
    part_in,
    read,
    shape_of,
    text,
    texts,
)
from scanvi_core.errors import FileRefused
from scanvi_core.hints import FETCH_AGAIN

LARGEST_WHOLE = 2.0**53  # of floats that hold every whole number
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Table:
    """Names of the rows, columns as read, and notes about columns left out."""

    names: np.ndarray
    columns: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def rows(self, keep: np.ndarray) -> "Table":
        """Return the same table with some of its rows: bool [rows]."""
        if keep.all():
            return self
        columns = {name: values[keep] for name, values in self.columns.items()}
        return Table(self.names[keep], columns, self.notes)


def read_table(file: Any, key: str) -> Table:
    """Return the table stored at `key` (``obs``, ``var``, ``raw/var`` or ``raw.var``).

    Raises
    ------
    FileRefused
        If the names of the rows cannot be read.
    """
    try:
        node = part_in(file, key)
        if not is_group(node):
            return _legacy_table(file, node)
        index_key = index_name(node)
        table = Table(_as_text(_column(node, index_key)))
        order = texts(attribute(node, "column-order", []))
        inside = {name.split("/")[0] for name in order if "/" in name}  # of "a/b" a group "a"
        listed = order + sorted(set(names_in(node)) - set(order) - inside)
    except Unreadable as error:
        raise FileRefused(
            f"The file is damaged: the names in {key} cannot be read.",
            FETCH_AGAIN,
        ) from error
    for name in dict.fromkeys(listed):
        if name not in {index_key, CATEGORIES} and name in node:
            _add_column(table, key, name, node)
    return table


def _add_column(table: Table, key: str, name: str, parent: Any) -> None:
    try:
        values = _column(parent, name)
    except Unreadable as error:
        logger.warning("%s['%s'] cannot be read", key, name, exc_info=error)
        table.notes.append(f"{key}['{name}'] cannot be read and was left out ({error}).")
        return
    if len(values) != len(table.names):
        table.notes.append(f"{key}['{name}'] has {len(values)} values and was left out.")
        return
    table.columns[name] = values


def _column(parent: Any, name: str) -> Any:
    """Return one column: array, masked pandas array or categorical."""
    element = describe(parent, name)
    node = element.node
    if element.kind == CODES:
        words = _column(group_in(parent, CATEGORIES), name)
        return categorical(read(array_in(parent, name)), words, ordered=is_ordered(node))
    if element.kind == PLAIN:
        return plain_column(node)
    if element.kind == CATEGORICAL:
        codes, words = read(array_in(node, "codes")), _column(node, "categories")
        return categorical(codes, words, ordered=is_ordered(node))
    if element.kind == MASKED:
        values, mask = plain_column(array_in(node, "values")), read(array_in(node, "mask"))
        if len(values) != len(mask) or mask.dtype.kind not in "biu":
            raise Unreadable("its mask does not fit its values")
        return pd.Series(values).astype(object).where(mask == 0, None).array
    raise Unreadable(f"its encoding {element.encoding or 'of an unknown kind'!r} is not known")


def plain_column(node: Any) -> np.ndarray:
    """Return a data set of one dimension: numbers, or texts as str objects.

    Raises
    ------
    Unreadable
        If it is anything else.
    """
    import h5py

    n_dimensions = 0 if is_group(node) else len(shape_of(node) or ())
    if n_dimensions != 1:
        raise Unreadable(f"it has {n_dimensions} dimensions")
    kind = dtype_of(node)
    if kind is not None and h5py.check_string_dtype(kind) is not None:
        return np.asarray(read(node.asstr(errors="backslashreplace")), dtype=object)
    if kind is None or kind.kind not in NUMBERS:
        raise Unreadable(f"its type {kind or ''} is not known")
    return np.asarray(read(node), dtype=kind.newbyteorder("="))


def is_ordered(node: Any) -> bool:
    """Tell whether a column of words is marked as one whose words have an order."""
    return bool(np.any(attribute(node, "ordered", default=False)))


def categorical(codes: np.ndarray, categories: Any, *, ordered: bool = False) -> pd.Categorical:
    """Return a column of words from their positions (-1: missing) and the words.

    Raises
    ------
    Unreadable
        If the positions are no list of numbers, or one lies beyond the last word.
    """
    words = _as_text(_whole(categories))
    # Two categories may become one text (1 and "1"): they are one from here on.
    position, unique = pd.factorize(words)
    if codes.ndim != 1 or codes.dtype.kind not in NUMBERS:
        raise Unreadable("its positions of categories are no list of numbers")
    codes = codes.astype(np.int64)
    if codes.size and (codes.max() >= len(words) or codes.min() < -1):
        raise Unreadable("it points beyond its last category")
    codes = np.where(codes >= 0, np.append(position, -1)[codes], -1)
    return pd.Categorical.from_codes(codes, unique, ordered=ordered)


def _whole(values: Any) -> Any:
    """Return whole numbers without their point: a type is called "1", however it is stored."""
    given = np.asarray(values)
    if given.dtype.kind != "f" or not given.size or not np.isfinite(given).all():
        return values
    is_whole = (given == np.rint(given)).all() and np.abs(given).max() < LARGEST_WHOLE
    return given.astype(np.int64) if is_whole else values


def _legacy_table(file: Any, node: Any) -> Table:
    """Read the compound arrays that anndata wrote before 0.7."""
    kind = dtype_of(node)
    if kind is None or kind.names is None or len(shape_of(node) or ()) != 1:
        raise Unreadable("it is no table")
    records = read(node)
    first = records.dtype.names[0]
    table = Table(_as_text(records[first]))
    for name in records.dtype.names[1:]:
        try:
            table.columns[name] = _legacy_column(file, records, name)
        except Unreadable as error:
            logger.warning("%s cannot be read", name, exc_info=error)
            table.notes.append(f"Column {name} cannot be read and was left out.")
    return table


def _legacy_column(file: Any, records: np.ndarray, name: str) -> Any:
    values = records[name]
    categories = file.get(f"uns/{name}_categories")
    if categories is not None:
        return categorical(values, plain_column(categories))
    if values.dtype.kind in NUMBERS and values.ndim == 1:
        return values
    if values.dtype.kind in "SO":
        return _as_text(values)
    raise Unreadable("its type is not known")


def _as_text(values: Any) -> np.ndarray:
    return np.array([text(value) for value in values], dtype=object)
