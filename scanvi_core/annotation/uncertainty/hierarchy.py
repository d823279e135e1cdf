"""Answers as deep as they are sure: "naive CD4 T", else "CD4 T", else "T cell"."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scanvi_core.annotation.model.prediction import BLOCK
from scanvi_core.errors import SettingInvalid
from scanvi_core.type_tree import TypeTree


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is said of each cell: the deepest name that reached the threshold; arrays are [n].

    Parameters
    ----------
    code
        Position in `TypeTree.code_names`: a type, or a broader one; -1 where none is sure enough.
    depth
        Steps that lie above the name: 0 for the broadest, -1 where there is none.
    confidence
        Probability of the name; where there is none, of the likeliest of all. NaN without
        probabilities.
    """

    code: np.ndarray
    depth: np.ndarray
    confidence: np.ndarray


def back_off(probabilities: np.ndarray, tree: TypeTree, threshold: float) -> Answer:
    """Say of each cell the deepest type whose probability reaches the threshold.

    The probability of a broader type is the sum over the leaves below it, so it is calibrated
    where theirs are, and never below that of any of them. Deepest is what holds the fewest
    leaves; of several, what is likelier; of broader types with the same leaves, the lower one.

    Parameters
    ----------
    probabilities
        Calibrated probabilities [n, K]; rows of NaN (cells without counts) get no answer.
    tree
        The K types, and what they stand under.
    threshold
        Least probability of an answer, from 0 to 1.

    Raises
    ------
    SettingInvalid
        If the threshold is not from 0 to 1.
    """
    if not 0.0 <= threshold <= 1.0:
        raise SettingInvalid(f"The threshold is {threshold}.", "Choose a value from 0 to 1.")
    order, size = _deepest_first(tree)
    starts = range(0, max(len(probabilities), 1), BLOCK)
    parts = [_back_off(probabilities[at : at + BLOCK], tree, order, size, threshold)
             for at in starts]  # fmt: skip
    code, confidence = (np.concatenate(part) for part in zip(*parts, strict=True))
    depths = np.array([*(tree.depths[name] for name in tree.code_names), -1], dtype=np.int16)
    return Answer(code, depths[code], confidence)


def _deepest_first(tree: TypeTree) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes from the deepest to the broadest, and how many leaves each holds."""
    size = tree.allowed[:-1].sum(axis=1)
    depth = np.array([tree.depths[name] for name in tree.code_names])
    is_node = np.arange(len(size)) >= len(tree.leaves)
    order = np.lexsort((np.arange(len(size)), -depth, is_node, size))
    return order, size[order]


def _back_off(
    probabilities: np.ndarray,
    tree: TypeTree,
    order: np.ndarray,
    size: np.ndarray,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(probabilities).all(axis=1)
    filled = np.where(known[:, None], probabilities, 0.0).astype(np.float64)
    every = np.hstack([filled, tree.probabilities(filled)])[:, order]
    code = np.full(len(filled), -1, dtype=np.int32)
    confidence = np.where(known, every.max(axis=1, initial=0.0), np.nan)
    for n_leaves in np.unique(size):
        own = np.flatnonzero(size == n_leaves)
        best = every[:, own].argmax(axis=1)
        p = every[np.arange(len(every)), own[best]]
        named = known & (code < 0) & (p >= threshold)
        code[named], confidence[named] = order[own[best[named]]], p[named]
    return code, confidence.astype(np.float32)


def in_names(chosen: Iterable[int], tree: TypeTree) -> tuple[str, ...]:
    """Return the shortest way to say a set of leaves, as the tree has words for it.

    Where the smallest broader type that holds all of them holds fewer others than them, it is
    said instead: the set is then all that is below it. Else each broader type that lies in the
    set stands for its leaves.

    Examples
    --------
    >>> tree = TypeTree(("naive", "memory", "B"), {"naive": ("T",), "memory": ("T",)})
    >>> in_names([0, 1], tree), in_names([0, 2], tree), in_names([0, 1, 2], tree)
    (('T',), ('naive', 'B'), ('T', 'B'))
    """
    own = np.zeros(len(tree.leaves), dtype=bool)
    own[list(chosen)] = True
    n = int(own.sum())
    size = tree.members.sum(axis=1)
    holds = np.flatnonzero(~(own & ~tree.members).any(axis=1) & (size < 2 * n))
    if n > 1 and holds.size:
        return (tree.nodes[_smallest(holds, size, tree)],)
    inside = ~(tree.members & ~own).any(axis=1) & (size > 1)
    names: dict[int, str] = {}
    left = own.copy()
    for node in sorted(np.flatnonzero(inside), key=lambda g: -size[g]):
        if left[tree.members[node]].all():
            names[int(np.flatnonzero(tree.members[node])[0])] = tree.nodes[node]
            left &= ~tree.members[node]
    names |= {int(leaf): tree.leaves[leaf] for leaf in np.flatnonzero(left)}
    return tuple(names[at] for at in sorted(names))


def _smallest(nodes: np.ndarray, size: np.ndarray, tree: TypeTree) -> int:
    return int(min(nodes, key=lambda g: (size[g], -tree.depths[tree.nodes[g]])))
