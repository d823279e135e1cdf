"""Small mends, each with a sentence for the user. The numbers of the counts are never touched."""

import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core import keys
from scanvi_core.data.names import VERSIONED
from scanvi_core.plurals import count

NO_NAMES = frozenset({"", "nan", "none", "<na>", "na", "null"})
MANY = 1_000  # a text column with more different values is kept as plain text


def unique_names(names: np.ndarray, what: str) -> tuple[np.ndarray, list[str]]:
    """Return names that occur once each, and notices.

    Characters without width and blanks at the ends go, a missing name becomes ``cell-7`` or
    ``gene-7``, identifiers of genes lose their version where that keeps them apart, and later
    twins get ``-1``, ``-2``...

    Parameters
    ----------
    names
        Names as in the file.
    what
        ``cell`` or ``gene``, for the notices.
    """
    clean = np.array([_clean(str(name), "Cf").strip() for name in names], dtype=object)
    notes = []
    if (n := int(np.count_nonzero(clean != names))) > 0:
        notes.append(
            f"{count(n, what + ' name')} held blanks at the ends or characters that cannot be "
            "seen; they were taken out here."
        )
    missing = np.flatnonzero([name.casefold() in NO_NAMES for name in clean])
    if missing.size:
        clean[missing] = [f"{what}-{at + 1}" for at in missing]
        notes.append(
            f"{count(missing.size, what)} had no name and got one by position here, for example "
            f"{clean[missing[0]]}."
        )
    if what == "gene":
        notes += _drop_versions(clean)
    return clean, notes + _number_twins(clean, what)


def _drop_versions(names: np.ndarray) -> list[str]:
    """Take the version off identifiers of genes in place; return a notice."""
    whole = map(VERSIONED.fullmatch, names)
    pairs = zip(whole, names, strict=True)
    bare = np.array([found[1] if found else name for found, name in pairs], dtype=object)
    apart = ~pd.Index(bare).duplicated(keep=False)
    changed = np.flatnonzero((bare != names) & apart)
    if not changed.size:
        return []
    example = names[changed[0]]
    names[changed] = bare[changed]
    kind = "Ensembl" if all("ENS" in name.upper() for name in names[changed]) else "gene"
    n = count(changed.size, f"{kind} identifier")
    return [f"{n} had a version (for example {example}); it was taken off to match other data."]


def _number_twins(names: np.ndarray, what: str) -> list[str]:
    """Give later twins an ending in place; return a notice."""
    repeated = np.flatnonzero(pd.Index(names).duplicated())
    if not repeated.size:
        return []
    taken, counter, example = set(names), dict[str, int](), names[repeated[0]]
    for at in repeated:
        name = names[at]
        number = counter.get(name, 0) + 1
        while f"{name}-{number}" in taken:
            number += 1
        counter[name] = number
        names[at] = f"{name}-{number}"
        taken.add(names[at])
    words = (
        f"{count(repeated.size, what + ' name')} repeated an earlier one (for example "
        f"{example}) and got an ending such as -1 here. Your file stays as it is."
    )
    return [words]


def summary_rows(genes: np.ndarray) -> np.ndarray:
    """Return which "genes" are summaries that htseq-count or STAR write below the genes."""
    return np.array([str(name).casefold() in keys.SUMMARY_ROWS for name in genes], dtype=bool)


def symbol_note(var: pd.DataFrame, column: str | None) -> list[str]:
    """Return a notice that gene symbols come from a column of var."""
    if column is None:
        return []
    n = count(int(var[column].notna().sum()), "gene symbol")
    return [f"Genes have identifiers as names; {n} for display come from the column {column}."]


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


def spelling_twins(values: list[str]) -> list[list[str]]:
    """Return groups of labels that differ only by spaces or by how letters are stored."""
    groups: dict[str, list[str]] = {}
    for value in values:
        groups.setdefault(keys.spelling(value), []).append(value)
    return [group for group in groups.values() if len(group) > 1]


def _tidy(values: Any) -> tuple[Any, str]:
    if isinstance(values, pd.Categorical):
        used = values.remove_unused_categories()
        n = len(values.categories) - len(used.categories)
        return used, f"{count(n, 'value')} without cells dropped" if n else ""
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
    other = int(sum(not isinstance(value, str) for value in present))
    note = f"{count(other, 'value')} of another kind kept as text" if other else ""
    n_unique = text.nunique()
    if 0 < n_unique <= min(MANY, max(2, len(text) // 2)):
        return pd.Categorical(text), note
    return text.to_numpy(dtype=object), note


def _clean(name: str, *more: str) -> str:
    if name.isprintable():
        return name
    hidden = {"Cc", "Cs", *more}
    return "".join(c for c in name if c in "\t" or unicodedata.category(c) not in hidden)
