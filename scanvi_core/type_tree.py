"""Types that stand under broader ones, at any depth: what a label of any breadth leaves open.

A model tells apart the *leaves*: its types. A broader type is a set of leaves, and its
probability is the sum of theirs. A type may stand under several broader ones, which need not be
nested: what is kept of each name are those right above it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from scanvi_core.errors import SettingInvalid

Parents = Mapping[str, tuple[str, ...]]
Mask = npt.NDArray[np.bool_]


def check_parents(parents: Parents) -> None:
    """Raise `SettingInvalid` where a type would stand under itself."""
    circle = _circle(parents)
    if circle:
        raise SettingInvalid(
            f"{' is part of '.join(circle)}.",
            "A type cannot be part of itself: take one of these off.",
        )


def without_circles(parents: Parents) -> dict[str, tuple[str, ...]]:
    """Return parents without the steps that would lead a type back to itself."""
    kept = dict(parents)
    while circle := _circle(kept):
        last, first = circle[-2:]
        kept[last] = tuple(name for name in kept[last] if name != first)
    return {name: above for name, above in kept.items() if above}


def _circle(parents: Parents) -> list[str]:
    """Return a way from a type up to itself; empty where there is none."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))  # which comes from above
    return []


@dataclass(frozen=True)
class TypeTree:
    """The types of a model, and the broader ones they stand under.

    Parameters
    ----------
    leaves
        Names of the K types, in the order of their codes.
    parents
        Of types and of broader types: the names right above. A name left out stands under none.

    Raises
    ------
    SettingInvalid
        If a type would stand under itself.

    Examples
    --------
    >>> tree = TypeTree(("naive", "memory", "B"), {"naive": ("T",), "memory": ("T",)})
    >>> tree.nodes
    ('T', 'B')
    >>> tree.members.tolist()
    [[True, True, False], [False, False, True]]
    """

    leaves: tuple[str, ...]
    parents: Parents = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_parents(self.parents)

    @cached_property
    def tops(self) -> tuple[tuple[str, ...], ...]:
        """For each leaf the broadest types it stands under; itself where it stands under none."""
        return tuple(
            tuple(name for name in self.above(leaf) if not self.parents.get(name))
            for leaf in self.leaves
        )

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The broader types in the order of their codes, which follow those of the leaves.

        First the broadest, as their first leaf comes; a leaf that stands under none is one of
        them. Then those between.
        """
        tops = dict.fromkeys(name for names in self.tops for name in names)
        between = (name for leaf in self.leaves for name in self.above(leaf)[1:])
        return tuple(dict.fromkeys([*tops, *between]))

    @cached_property
    def code_names(self) -> tuple[str, ...]:
        """What each code of a label stands for: the leaves, then the broader types."""
        return self.leaves + self.nodes

    @cached_property
    def members(self) -> Mask:
        """Which leaves each broader type holds, bool [G, K]."""
        above = [set(self.above(leaf)) for leaf in self.leaves]
        found = [[node in own for own in above] for node in self.nodes]
        return np.array(found, dtype=bool).reshape(len(self.nodes), len(self.leaves))

    @cached_property
    def allowed(self) -> Mask:
        """Which leaves each code leaves open, bool [K + G + 1, K]; the last row is of code -1."""
        n = len(self.leaves)
        return np.concatenate([np.eye(n, dtype=bool), self.members, np.ones((1, n), dtype=bool)])

    @cached_property
    def groups(self) -> tuple[int, ...] | None:
        """Which of the broadest types each leaf is of [K]; None where one is of several."""
        if any(len(names) > 1 for names in self.tops):
            return None
        return tuple(self.nodes.index(names[0]) for names in self.tops)

    @property
    def is_deep(self) -> bool:
        """Tell whether there is more than one level above the leaves, or more than one way up."""
        return self.groups is None or len(self.nodes) > max(self.groups, default=-1) + 1

    def above(self, name: str) -> tuple[str, ...]:
        """Return a name and everything above it, nearest first."""
        found = [name]
        for each in found:  # it grows on the way
            found += [p for p in self.parents.get(each, ()) if p not in found]
        return tuple(found)

    @cached_property
    def depths(self) -> dict[str, int]:
        """How many steps lie above each name on the longest way: 0 for the broadest."""
        found: dict[str, int] = {}
        for name in TopologicalSorter(self.parents).static_order():  # from above
            found[name] = max((found[p] + 1 for p in self.parents.get(name, ())), default=0)
        return dict.fromkeys(self.leaves, 0) | found

    def cut(self, depth: int) -> npt.NDArray[np.int64] | None:
        """Return the type at some depth that each leaf is of [K], as a code of `code_names`.

        A leaf that does not lie so deep is of itself. None where one is of several there.
        """
        nodes = {name: len(self.leaves) + at for at, name in enumerate(self.nodes)}
        codes = []
        for code, leaf in enumerate(self.leaves):
            there = [name for name in self.above(leaf)[1:] if self.depths[name] == depth]
            if len(there) > 1:
                return None
            codes.append(nodes[there[0]] if there else code)
        return np.array(codes)

    def probabilities(self, leaves: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return the probability of each broader type [n, G] from those of the leaves [n, K]."""
        return leaves.astype(np.float64) @ self.members.T.astype(np.float64)


def leaves_among(names: Sequence[str], parents: Parents) -> tuple[str, ...]:
    """Return those of the names that are types of their own, not labels that leave types open.

    A label is broader where two or more of the leaves stand below it: with one alone, the cells
    that only have its name would all be that one.
    """
    tree = TypeTree(tuple(names), {name: tuple(above) for name, above in parents.items()})
    leaves: list[str] = []
    for name in sorted(names, key=tree.depths.__getitem__, reverse=True):
        if sum(name in tree.above(leaf)[1:] for leaf in leaves) < 2:
            leaves.append(name)
    return tuple(name for name in names if name in leaves)


def within(names: Sequence[str], parents: Parents) -> Mask:
    """Return whether a name is another or stands under it, bool [n + 1, n + 1].

    The last row and column are of no name, which is within none.

    Examples
    --------
    >>> within(("naive", "T"), {"naive": ("T",)}).astype(int).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    """
    tree, place = TypeTree((), parents), {name: at for at, name in enumerate(names)}
    found = np.zeros((len(names) + 1, len(names) + 1), dtype=bool)
    for name, at in place.items():
        found[at, [place[each] for each in tree.above(name) if each in place]] = True
    return found


def of_one(mapping: Mapping[str, str | Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return parents as tuples, where earlier versions wrote the one name itself.

    A type in a group of its own name stands under none.
    """
    found = {
        name: (above,) if isinstance(above, str) else tuple(above)
        for name, above in mapping.items()
    }
    return {name: above for name, above in found.items() if above != (name,)}
