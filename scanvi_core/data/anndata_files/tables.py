"""Read the tables of an .h5ad file (obs, var) column by column.

Each column stands alone: one that cannot be read is named and left out. Every encoding that
anndata has written since 0.5 is known here. Object references are never followed; what they would
lead to is found by name, among the parts that have been checked.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.errors import FileRefused

RESERVED = "__categories"


@dataclass(slots=True)
class Table:
    """Names of the rows, columns as read, and notes about columns left out."""

    names: np.ndarray
    columns: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Unreadable(ValueError):
    """A column whose encoding is not known."""


def read_table(file: Any, key: str) -> Table:
    """Return the table stored at `key` (``obs``, ``var``, ``raw/var`` or ``raw.var``).

    Raises
    ------
    FileRefused
        If the names of the rows cannot be read.
    """
    node = file[key]
    try:
        if not hasattr(node, "keys"):
            return _legacy_table(file, node)
        index_key = _text(node.attrs.get("_index", "_index"))
        if index_key not in node:
            index_key = "index"
        table = Table(_as_text(_values(node[index_key])))
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise FileRefused(
            f"The file is damaged: the names in {key} cannot be read.",
            "Compare its checksum with the source, or copy it again.",
        ) from error
    order = [_text(name) for name in node.attrs.get("column-order", [])]
    listed = order + sorted(set(node) - set(order))
    for name in dict.fromkeys(listed):
        if name not in {index_key, RESERVED} and name in node:
            _add_column(table, key, name, node)
    return table


def _add_column(table: Table, key: str, name: str, parent: Any) -> None:
    try:
        values = _column(parent[name], name, parent)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        table.notes.append(f"{key}['{name}'] cannot be read and was left out ({error}).")
        return
    if len(values) != len(table.names):
        table.notes.append(f"{key}['{name}'] has {len(values)} values and was left out.")
        return
    table.columns[name] = values


def _column(node: Any, name: str, parent: Any) -> Any:
    if "categories" in node.attrs and RESERVED in parent:  # anndata 0.7
        return categorical(node[()], _values(parent[RESERVED][name]), node.attrs)
    return _values(node)


def _values(node: Any) -> Any:
    """Return one column: array, masked pandas array or categorical."""
    encoding = _text(node.attrs.get("encoding-type", ""))
    if not hasattr(node, "keys"):
        return plain_column(node)
    if encoding == "categorical":
        ordered = node.attrs
        return categorical(node["codes"][()], _values(node["categories"]), ordered)
    if encoding.startswith("nullable-"):
        values, mask = plain_column(node["values"]), np.asarray(node["mask"][()], dtype=bool)
        return pd.Series(values).astype(object).where(~mask, None).array
    raise Unreadable(f"its encoding {encoding or 'of an unknown kind'!r} is not known")


def plain_column(node: Any) -> np.ndarray:
    """Return a data set of one dimension: numbers, or texts as str objects.

    Raises
    ------
    Unreadable
        If it is anything else.
    """
    import h5py

    if node.ndim != 1:
        raise Unreadable(f"it has {node.ndim} dimensions")
    if h5py.check_string_dtype(node.dtype) is not None:
        return np.asarray(node.asstr(errors="backslashreplace")[()], dtype=object)
    values = node[()]
    if values.dtype.kind not in "biuf":
        raise Unreadable(f"its type {values.dtype} is not known")
    return np.asarray(values, dtype=values.dtype.newbyteorder("="))


def categorical(codes: np.ndarray, categories: Any, attrs: Any) -> pd.Categorical:
    """Return a column of words from their positions (-1: missing) and the words.

    Raises
    ------
    Unreadable
        If a position lies beyond the last word.
    """
    texts = _as_text(categories)
    # Two categories may become one text (1 and "1"): they are one from here on.
    position, unique = pd.factorize(texts)
    codes = np.asarray(codes).astype(np.int64)
    if codes.size and (codes.max() >= len(texts) or codes.min() < -1):
        raise Unreadable("it points beyond its last category")
    codes = np.where(codes >= 0, np.append(position, -1)[codes], -1)
    return pd.Categorical.from_codes(codes, unique, ordered=bool(attrs.get("ordered", False)))


def _legacy_table(file: Any, node: Any) -> Table:
    """Read the compound arrays that anndata wrote before 0.7."""
    records = node[()]
    first = records.dtype.names[0]
    table = Table(_as_text(records[first]))
    for name in records.dtype.names[1:]:
        values = records[name]
        categories = file.get(f"uns/{name}_categories")
        if categories is not None:
            table.columns[name] = categorical(values, np.atleast_1d(plain_column(categories)), {})
        elif values.dtype.kind in "biuf" and values.ndim == 1:
            table.columns[name] = values
        elif values.dtype.kind in "SO":
            table.columns[name] = _as_text(values)
        else:
            table.notes.append(f"Column {name} cannot be read and was left out.")
    return table


def _as_text(values: Any) -> np.ndarray:
    return np.array([_text(value) for value in values], dtype=object)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
