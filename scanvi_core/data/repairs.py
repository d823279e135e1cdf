"""Small mends, each with a sentence for the user. The numbers of the counts are never touched."""

import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core.data.words import counted

MANY = 1_000  # a text column with more different values is kept as plain text


def unique_names(names: np.ndarray, what: str) -> tuple[np.ndarray, list[str]]:
    """Return names that occur once each (later twins get ``-1``, ``-2``...), and a notice.

    Parameters
    ----------
    names
        Names as in the file.
    what
        ``cell`` or ``gene``, for the notice.
    """
    clean = np.array([_clean(name) for name in names], dtype=object)
    notes = []
    if (n := int(np.count_nonzero(clean != names))) > 0:
        notes.append(f"{counted(n, what + ' name')} held control characters; they were taken out.")
    repeated = pd.Index(clean).duplicated()
    if not repeated.any():
        return clean, notes
    taken, counter = set(clean), dict[str, int]()
    for at in np.flatnonzero(repeated):
        name = clean[at]
        number = counter.get(name, 0) + 1
        while f"{name}-{number}" in taken:
            number += 1
        counter[name] = number
        clean[at] = f"{name}-{number}"
        taken.add(clean[at])
    n, example = int(repeated.sum()), names[np.flatnonzero(repeated)[0]]
    notes.append(
        f"{counted(n, what + ' name')} repeated an earlier one (for example {example}) and got an "
        "ending such as -1 here. Your file stays as it is."
    )
    return clean, notes


def tidy_columns(columns: dict[str, Any], names: np.ndarray) -> tuple[pd.DataFrame, list[str]]:
    """Return obs as text, category, number and yes/no columns only, and notices.

    Parameters
    ----------
    columns
        Column name -> values as read.
    names
        Unique names of the cells: the index.
    """
    tidy, notes = {}, list[str]()
    for name, values in columns.items():
        tidy[name], note = _tidy(values)
        if note:
            notes.append(f"Column {name}: {note}.")
    return pd.DataFrame(tidy, index=pd.Index(names, dtype=object)), notes


def kind_of(column: pd.Series) -> str:
    """Return ``category``, ``bool``, ``number`` or ``text``."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if column.dtype.kind == "b":
        return "bool"
    return "number" if column.dtype.kind in "iuf" else "text"


def spelling(value: str) -> str:
    """Return a label with one spelling of its letters (NFC) and single spaces."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def spelling_twins(values: list[str]) -> list[list[str]]:
    """Return groups of labels that differ only by spaces or by how accents are stored."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(spelling(value), []).append(value)
    return [group for group in groups.values() if len(group) > 1]


def _tidy(values: Any) -> tuple[Any, str]:
    if isinstance(values, pd.Categorical):
        used = values.remove_unused_categories()
        n = len(values.categories) - len(used.categories)
        return used, f"{counted(n, 'value')} without cells dropped" if n else ""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values.astype(np.float32) if values.dtype == np.float16 else values, ""
    known = pd.Series(values, dtype=object)
    present = known.dropna()
    kinds = {type(value) for value in present}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        if len(present) == len(known):
            return known.to_numpy(dtype=bool), ""
        return pd.Categorical(known.map(str, na_action="ignore")), "yes, no and missing"
    if kinds and all(issubclass(kind, int | float | np.number) for kind in kinds):
        return known.to_numpy(dtype=np.float64, na_value=np.nan), ""
    text = known.map(lambda value: _clean(str(value)), na_action="ignore")
    n_unique = text.nunique()
    if 0 < n_unique <= min(MANY, max(2, len(text) // 2)):
        return pd.Categorical(text), ""
    return text.to_numpy(dtype=object), ""


def _clean(name: str) -> str:
    if name.isprintable():
        return name
    return "".join(c for c in name if c in "\t" or unicodedata.category(c) not in {"Cc", "Cs"})
