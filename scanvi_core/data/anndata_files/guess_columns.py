"""Guess which columns of obs hold cell types and batches. A guess, never a decision."""

from typing import Any

import numpy as np
import pandas as pd

from scanvi_core import config, keys
from scanvi_core.data.repairs import kind_of, spelling_twins
from scanvi_core.plurals import count

MIN_CATEGORIES, MIN_MEMBERS = 2, 2  # groups, and cells in each at the mean


def describe_columns(obs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return {column: {"kind", "n_unique", "n_missing"}}."""
    return {
        name: {
            "kind": kind_of(obs[name]),
            "n_unique": int(obs[name].nunique()),
            "n_missing": int(obs[name].isna().sum()),
        }
        for name in obs
    }


def guess_labels(obs: pd.DataFrame) -> tuple[list[dict[str, Any]], list[str]]:
    """Return candidates for the column of cell types, best first, and warnings about them.

    A candidate is {"key", "n_categories", "reason", "likely", "looks_unlabeled"}: `likely` says
    that the name is a usual one; `looks_unlabeled` lists values that usually mean "no label".
    """
    candidates, warnings = _guess(obs, keys.LABEL_COLUMNS, "cell types", keys.BATCH_COLUMNS)
    for candidate in candidates:
        sizes = obs[candidate["key"]].astype(object).dropna().map(str).value_counts()
        candidate["looks_unlabeled"] = sorted(filter(keys.looks_unlabeled, sizes.index))
        warnings += [
            f"Column {candidate['key']}: {' and '.join(map(repr, sorted(twins)))} "
            f"({count(int(sizes[twins].sum()), 'cell')}) differ only by spaces or by how "
            "letters are stored. They are taken as one type."
            for twins in spelling_twins(list(sizes.index))
        ]
        if candidate["likely"]:
            warnings += _about_unlabeled(obs[candidate["key"]], sizes, candidate)
    return candidates, warnings


def guess_batches(obs: pd.DataFrame) -> tuple[list[dict[str, Any]], list[str]]:
    """Return candidates for the batch column, best first, and warnings about them.

    Only columns with a usual name: correcting for a column that is no batch removes biology.
    """
    candidates, warnings = _guess(obs, keys.BATCH_COLUMNS, "batches", keys.LABEL_COLUMNS)
    candidates = [candidate for candidate in candidates if candidate["likely"]]
    for candidate in candidates:
        sizes = obs[candidate["key"]].value_counts()
        tiny = sizes[(sizes > 0) & (sizes < config.MIN_BATCH_CELLS)]
        if tiny.size:
            warnings.append(
                f"Column {candidate['key']}: {tiny.size:,} of {candidate['n_categories']:,} "
                f"batches have fewer than {config.MIN_BATCH_CELLS} cells "
                f"({count(int(tiny.sum()), 'cell')} in all). They are pooled when variable "
                "genes are chosen."
            )
    return candidates, warnings


def _about_unlabeled(column: pd.Series, sizes: pd.Series, candidate: dict[str, Any]) -> list[str]:
    """Say how many cells have no label, and which values may mean that too."""
    notices = []
    if n := int(column.isna().sum()):
        notices.append(
            f"Column {candidate['key']}: {count(n, 'cell')} without a value; they count as "
            "unlabeled."
        )
    if alike := candidate["looks_unlabeled"]:
        words = ", ".join(map(repr, alike))
        notices.append(
            f"Column {candidate['key']} has values that may mean unlabeled: {words} "
            f"({count(int(sizes[alike].sum()), 'cell')}). They count as cell types unless you "
            "say otherwise."
        )
    return notices


def _guess(
    obs: pd.DataFrame, usual: tuple[str, ...], what: str, others: tuple[str, ...]
) -> tuple[list[dict[str, Any]], list[str]]:
    rank = {name: position for position, name in enumerate(usual)}
    candidates, warnings = [], []
    for name in obs:
        named = rank.get(name.casefold())
        kind, n_unique = kind_of(obs[name]), int(obs[name].nunique())
        if named is None and (kind != "category" or name.casefold() in others):
            continue
        problem = _problem(obs[name], n_unique)
        if problem:
            if named is not None:
                warnings.append(f"Column {name} cannot be used as {what}: {problem}.")
            continue
        reason = f"is a usual name for {what}" if named is not None else "is a column of words"
        candidate = {
            "key": name,
            "n_categories": n_unique,
            "reason": f"{name} {reason} and has {n_unique} values.",
            "likely": named is not None,
        }
        candidates.append((len(usual) if named is None else named, candidate))
    candidates.sort(key=lambda pair: pair[0])
    return [candidate for _, candidate in candidates], warnings


def _problem(column: pd.Series, n_unique: int) -> str:
    """Return why a column cannot divide cells into groups, or nothing."""
    n_obs = int(column.notna().sum())
    if n_unique < MIN_CATEGORIES:
        return f"it has {count(n_unique, 'value')}"
    if n_unique * MIN_MEMBERS > n_obs or n_unique > config.MAX_TYPES:
        return f"{n_unique:,} values for {n_obs:,} cells look like barcodes"
    if column.dtype.kind == "f" and not np.array_equal(column.dropna(), column.dropna().round()):
        return "it holds measurements, not groups"
    return ""


SAME_DIVISION = (
    "The columns {} and {} divide the cells in the same way: types cannot be told from batches. "
    "Use one of them only."
)


def same_division(obs: pd.DataFrame, labels: str, batches: str) -> bool:
    """Tell whether two columns divide the cells in the same way."""
    pairs = obs[[labels, batches]].astype("string").dropna().drop_duplicates()
    return len(pairs) > 1 and pairs[labels].is_unique and pairs[batches].is_unique
