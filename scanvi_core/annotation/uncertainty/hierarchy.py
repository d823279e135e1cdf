"""Predictions at the finest level that is sure enough: "CD4 naive T", else "T cell"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scanvi_core.errors import SettingInvalid

TYPE, GROUP, NEITHER = 0, 1, -1


@dataclass(frozen=True, slots=True, eq=False)
class LeveledPrediction:
    """One label per cell, at the level that reached the threshold; all arrays are [n].

    Parameters
    ----------
    names
        Name of the type or of the group; None where neither is sure enough.
    level
        `TYPE`, `GROUP` or `NEITHER`.
    confidence
        Probability of the label; where there is none, of the likeliest group. NaN without
        probabilities.
    """

    names: np.ndarray
    level: np.ndarray
    confidence: np.ndarray


def back_off(
    probabilities: np.ndarray,
    label_names: Sequence[str],
    groups: Mapping[str, str],
    threshold: float,
) -> LeveledPrediction:
    """Name each cell by its likeliest type if that is sure enough, else by its likeliest group.

    The probability of a group is the sum over its types, so it is calibrated where theirs are,
    and never below that of its likeliest type. The group named is the likeliest one, which may
    not be that of the likeliest type.

    Parameters
    ----------
    probabilities
        Calibrated probabilities [n, K]; rows of NaN (cells without counts) get no label.
    label_names
        The K types.
    groups
        Type to the name of its group. A type that is left out is a group of its own.
    threshold
        Least probability of a label, from 0 to 1.

    Raises
    ------
    SettingInvalid
        If the threshold is not from 0 to 1.
    """
    if not 0.0 <= threshold <= 1.0:
        raise SettingInvalid(f"The threshold is {threshold}.", "Choose a value from 0 to 1.")
    known = np.isfinite(probabilities).all(axis=1)
    filled = np.where(known[:, None], probabilities, 0.0).astype(np.float64)
    parents, of_parent = group_probabilities(filled, label_names, groups)
    best, best_parent = filled.argmax(axis=1), of_parent.argmax(axis=1)
    p, p_parent = filled.max(axis=1), of_parent.max(axis=1)
    level = np.select([p >= threshold, p_parent >= threshold], [TYPE, GROUP], NEITHER)
    level = np.where(known, level, NEITHER)
    types, coarse = np.array([*label_names], dtype=object), np.array([*parents], dtype=object)
    names = np.where(level == TYPE, types[best], coarse[best_parent])
    names[level == NEITHER] = None
    confidence = np.where(known, np.where(level == TYPE, p, p_parent), np.nan)
    return LeveledPrediction(names, level.astype(np.int8), confidence.astype(np.float32))


def group_probabilities(
    probabilities: np.ndarray, label_names: Sequence[str], groups: Mapping[str, str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the groups, in the order of their first types, and their probabilities [n, G]."""
    own = [groups.get(name, name) for name in label_names]
    parents = tuple(dict.fromkeys(own))
    member = np.array([[name == parent for parent in parents] for name in own], dtype=np.float64)
    return parents, probabilities @ member
