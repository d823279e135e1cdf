"""Scores that know which types are part of which: per level, and by distance in the tree."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.metrics.intervals import Interval, wilson_interval
from scanvi_core.type_tree import TypeTree

Codes = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class DepthScore:
    """How often what was said is right at one depth, 0 being the broadest types.

    `n` are the cells whose true type reaches so deep; `interval` is the 95 % one of Wilson.
    """

    depth: int
    n: int
    n_right: int

    @property
    def interval(self) -> Interval:
        """95 % interval of the share that is right."""
        return wilson_interval(self.n_right, self.n)


def score_depths(tree: TypeTree, truth: Codes, said: Codes) -> tuple[DepthScore, ...]:
    """Return for each depth how often the true and the said type are the same there.

    A cell counts at every depth that something above its true type, or that type itself, has; it
    is right there where the said type stands under that too, or is it.

    Parameters
    ----------
    tree, truth, said
        As `hierarchical_f1`.
    """
    above, names = _above(tree), dict.fromkeys(tree.code_names)
    depth = np.array([tree.depths[name] for name in names])
    true, answer = above[truth[truth >= 0]], above[said[truth >= 0]]
    found = []
    for at in range(depth.max(initial=-1) + 1):
        own = true[:, depth == at]
        reaches = own.any(axis=1)
        right = (own & answer[:, depth == at]).any(axis=1)
        found.append(DepthScore(at, int(reaches.sum()), int((right & reaches).sum())))
    return tuple(found)


def hierarchical_f1(tree: TypeTree, truth: Codes, said: Codes) -> float:
    """Return how much of what is above the true and the said types they have in common.

    Each type stands for itself and all that is above it; precision is the share of what was said
    that is true, recall the share of what is true that was said, both over all cells together,
    and the score is their harmonic mean (Kiritchenko, Matwin and Famili 2005; Silla and Freitas
    2011, 10.1007/s10618-010-0175-9). An answer that is only too broad loses recall; one beside
    the truth loses both, the more the farther.

    Parameters
    ----------
    tree
        The types.
    truth, said
        Codes of the tree [n]; of `said` -1 is no answer, which says nothing. Cells whose `truth`
        is negative are left out.

    Examples
    --------
    >>> tree = TypeTree(("naive", "memory", "B"), {"naive": ("T",), "memory": ("T",)})
    >>> hierarchical_f1(tree, np.array([0, 0]), np.array([0, 1]))
    0.75
    """
    above = _above(tree)
    known = truth >= 0
    true, answer = above[truth[known]], above[said[known]]
    shared, n_true, n_said = (true & answer).sum(), true.sum(), answer.sum()
    return float(2 * shared / (n_true + n_said)) if n_true + n_said else float("nan")


def _above(tree: TypeTree) -> npt.NDArray[np.bool_]:
    """Return what each code stands for, bool [codes + 1, names]; the last row is of no answer."""
    names = list(dict.fromkeys(tree.code_names))
    place = {name: at for at, name in enumerate(names)}
    found = np.zeros((len(tree.code_names) + 1, len(names)), dtype=bool)
    for code, name in enumerate(tree.code_names):
        found[code, [place[each] for each in tree.above(name)]] = True
    return found
