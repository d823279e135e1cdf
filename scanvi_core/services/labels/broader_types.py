"""What types here are part of: as a tree to look at, and as the Cell Ontology would have it."""

from typing import NamedTuple

from scanvi_core.errors import SettingInvalid
from scanvi_core.ontology import broader
from scanvi_core.project.label_log import events
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.workspace import Workspace
from scanvi_core.type_tree import TypeTree, without_circles

MOST_LINES = 500


class Branch(NamedTuple):
    """A line of the tree: how far it is indented, its name, cells that have just this name."""

    depth: int
    name: str
    n_cells: int


class Proposal(NamedTuple):
    """What would be added: the broader types, the types under one, types that have no term."""

    parents: dict[str, tuple[str, ...]]
    broader: tuple[str, ...]
    without_term: tuple[str, ...]


def tree_lines(opened: Workspace) -> tuple[Branch, ...]:
    """Return the types below what they are part of; one of several broader types stands in each.

    Empty where no type is part of another.
    """
    state = opened.labels()
    key = ("tree of types", state.seq)
    return opened.cache.get(key, lambda: _lines(state.parents, state.active, state.counts))


def _lines(
    parents: dict[str, tuple[str, ...]], active: tuple[str, ...], counts: dict[str, int]
) -> tuple[Branch, ...]:
    tree = TypeTree(active, parents)
    known = dict.fromkeys(name for leaf in active for name in reversed(tree.above(leaf)))
    below: dict[str, list[str]] = {name: [] for name in known}
    for name in known:
        for above in parents.get(name, ()):
            below[above].append(name)
    lines: list[Branch] = []
    left = [(0, name) for name in reversed(known) if parents and not parents.get(name)]
    while left and len(lines) < MOST_LINES:  # a type of many broader ones stands in many places
        depth, name = left.pop()
        lines.append(Branch(depth, name, counts.get(name, 0)))
        left += [(depth + 1, child) for child in reversed(below[name])]
    return tuple(lines)


def below(opened: Workspace, label: str) -> tuple[str, ...]:
    """Return the types that stand under a label, at any depth."""
    state = opened.labels()
    return tuple(name for name in state.active if label in state.tree.above(name)[1:])


def fold_back(opened: Workspace, label: str) -> int:
    """Turn all types that stand under a type into it again; return how many they were.

    Raises
    ------
    SettingInvalid
        If none stands under it.
    """
    seq, folded = opened.labels().seq, below(opened, label)
    if not folded:
        raise SettingInvalid(f"No type is part of {label}.", "There is nothing to fold back.")
    opened.store.append(events.merge(folded, label), seq)
    return len(folded)


def propose(opened: Workspace) -> Proposal:
    """Return what the Cell Ontology says of types that are part of nothing yet."""
    state = opened.labels()
    terms = {name: term.id for name, term in type_terms.of_names(opened, state.active).items()}
    return opened.cache.get(
        ("broader types", state.seq, tuple(terms.items())),
        lambda: _proposal(state.active, state.parents, terms),
    )


def _proposal(
    active: tuple[str, ...], known: dict[str, tuple[str, ...]], terms: dict[str, str]
) -> Proposal:
    free = {name: term for name, term in terms.items() if not known.get(name)}
    found = broader.propose(free)
    new = {name: above for name, above in found.items() if not known.get(name)}
    added = without_circles({**new, **known})
    new = {name: above for name, above in new.items() if added.get(name) == above}
    above = tuple(dict.fromkeys(name for names in new.values() for name in names))
    without = tuple(name for name in active if name not in terms and not known.get(name))
    return Proposal(new, above, without)


def take(opened: Workspace, proposal: Proposal) -> None:
    """Put types under the proposed broader ones, as one step; what was said before stays."""
    edit.set_parents(opened, {**proposal.parents, **opened.labels().parents})
