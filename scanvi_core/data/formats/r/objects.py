"""Parts of an R object as the package rdata parses it, as plain arrays, tables and matrices.

Nothing of R is run. Layouts: R Internals (serialization); Matrix::dgCMatrix (slots i, p, x, Dim,
Dimnames); S4Vectors::DFrame (listData, rownames).
"""

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.data.blocks.nodes import Unreadable

NA_INTEGER = -(2**31)
Names = list[str] | None


def resolved(node: Any) -> Any:
    """Return the object that a reference stands for."""
    return node.referenced_object if node is not None and _kind(node) == "REF" else node


def attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of an object, the slots of one of class S4, by name."""
    found: dict[str, Any] = {}
    link = resolved(node).attributes if node is not None else None
    while link is not None and _kind(link) == "LIST":
        found[_text(resolved(link.tag).value)] = resolved(link.value[0])
        link = link.value[1]
    return found


def slot(node: Any, *path: str) -> Any:
    """Return a slot of a slot ...; None where one is missing or NULL."""
    for name in path:
        node = attributes(node).get(name) if node is not None else None
    return None if node is None or _kind(node) in {"NILVALUE", "NIL", "SYM"} else node


def classes(node: Any) -> list[str]:
    """Return the names of the classes that an object says it is of."""
    return texts(slot(node, "class"))


def texts(node: Any) -> list[str]:
    """Return a vector of text; "" where it is missing."""
    if node is None or _kind(node) != "STR":
        return []
    return ["" if one.value is None else _text(one) for one in node.value]


def items(node: Any) -> dict[str, Any]:
    """Return the parts of a named list, also of one inside an S4 list."""
    if node is None:
        return {}
    if _kind(node) != "VEC":
        return items(slot(node, "listData"))
    names = texts(slot(node, "names"))
    return {name: resolved(part) for name, part in zip(names, node.value, strict=False)}


def column(node: Any) -> Any:
    """Return a vector as what pandas makes of it: numbers, text, a category, yes and no."""
    kind = _kind(node)
    if kind == "STR":
        return np.array([None if one.value is None else _text(one) for one in node.value], object)
    if kind not in {"INT", "REAL", "LGL"}:
        raise Unreadable("it is no vector")
    values = np.ma.filled(np.ma.asarray(node.value), NA_INTEGER if kind != "REAL" else np.nan)
    if kind == "REAL":
        return np.asarray(values, dtype=np.float64)
    missing = values == NA_INTEGER
    if "factor" in classes(node):
        return pd.Categorical.from_codes(
            np.where(missing, 0, values) - 1, texts(slot(node, "levels"))
        )
    if missing.any():
        return np.where(missing, np.nan, values.astype(np.float64))
    return values.astype(bool) if kind == "LGL" else values


def table(node: Any, names: Names = None) -> tuple[pd.DataFrame, list[str]]:
    """Return a data.frame or DataFrame, and notices about columns that are neither.

    Parameters
    ----------
    node
        The object; None makes a table without columns.
    names
        Names of its rows, where it does not hold them itself.
    """
    notes, columns = list[str](), {}
    rows = texts(slot(node, "row.names")) or texts(slot(node, "rownames")) or names or []
    for name, part in items(node).items():
        try:
            values = column(part)
        except (Unreadable, ValueError):
            notes.append(f"Column {name} cannot be read and was left out.")
            continue
        if len(values) == len(rows):
            columns[name] = values
    return pd.DataFrame(columns, index=pd.Index(rows, dtype=object)), notes


def matrix(node: Any) -> tuple[sp.csr_matrix, Names, Names]:
    """Return a matrix [genes, cells] of R turned round, and the names of its genes and cells.

    Raises
    ------
    Unreadable
        If it is no matrix of numbers held in memory.
    """
    if "dgCMatrix" in classes(node) or "lgCMatrix" in classes(node):
        shape = tuple(int(n) for n in slot(node, "Dim").value)
        parts = slot(node, "x").value, slot(node, "i").value, slot(node, "p").value
        turned = sp.csr_matrix(tuple(map(np.asarray, parts)), shape=shape[::-1])
        return (turned, *_both(slot(node, "Dimnames")))
    dim = slot(node, "dim")
    if dim is None or _kind(node) not in {"INT", "REAL", "LGL"} or len(dim.value) != 2:
        raise Unreadable(f"it is of the class {', '.join(classes(node)) or 'NULL'}")
    values = np.asarray(node.value).reshape(tuple(int(n) for n in dim.value)[::-1])
    return (sp.csr_matrix(values), *_both(slot(node, "dimnames")))


def _both(names: Any) -> tuple[Names, Names]:
    if names is None:
        return None, None
    rows, columns = (texts(resolved(side)) or None for side in names.value)
    return rows, columns


def _kind(node: Any) -> str:
    return str(node.info.type.name)


def _text(char: Any) -> str:
    value = getattr(char, "value", char)
    value = getattr(value, "value", value)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
