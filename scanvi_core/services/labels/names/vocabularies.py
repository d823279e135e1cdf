"""Names of different batches that may mean the same cells, or a part of others': proposals.

Three things speak: how the names are written, what the Cell Ontology says of them, and what the
cells are called by models of the batches that have other names. Nothing is done before somebody
says so; names that were told apart are not asked about again.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from scanvi_core import keys
from scanvi_core.annotation.vocabularies import relations
from scanvi_core.ontology import broader
from scanvi_core.project.label_log import events
from scanvi_core.services.labels import edit, type_terms
from scanvi_core.services.labels.names.names_table import suggest_names
from scanvi_core.services.workspace import Workspace

SAME, PART = relations.SAME, relations.PART
TOLD_APART = "told_apart"  # settings: pairs of names
SEED = 0
HALF = 0.5  # of the cells of a name: less speaks against it
WRITTEN = {"spelling": "written alike", "synonym": "synonyms"}
Pair = tuple[int, int]


class Line(NamedTuple):
    """A name that is the `SAME` as another, which stays, or `PART` of it; and what speaks for it.

    `why` is what names and ontology say, if anything; `there` the share of its cells that batches
    without it call by the other name, and `back` that of the other's cells (NaN: too few of them).
    `is_sure` where no prediction speaks against it and, of names that would be merged, the names
    speak for it as well: predictions alone were right of four in five.
    """

    name: str
    n_cells: int
    how: str
    other: str
    why: str
    there: float
    back: float
    is_sure: bool


def differ(opened: Workspace) -> bool:
    """Tell whether some names are used in some batches only, and others in others."""
    return bool(_apart(opened).any())


def lines(opened: Workspace) -> tuple[Line, ...]:
    """Return what is proposed, the sure ones first; it takes some seconds when first asked."""
    state = opened.labels()
    told = frozenset(map(frozenset, opened.project.settings.get(TOLD_APART, [])))
    key = ("vocabularies", state.seq, opened.batch_key)
    found = opened.cache.get(key, lambda: tuple(_lines(opened)))
    return tuple(line for line in found if frozenset((line.name, line.other)) not in told)


def take(opened: Workspace, taken: Iterable[Line]) -> None:
    """Turn names into those they are the same as, and put parts under what they are part of.

    Names that become one other are one step to undo, and all parts together are one.
    """
    taken = tuple(taken)
    stays = {line.name: line.other for line in taken if line.how == SAME}

    def last(name: str) -> str:
        return last(stays[name]) if name in stays else name

    for other in dict.fromkeys(map(last, stays)):
        opened.store.append(events.merge([name for name in stays if last(name) == other], other))
    parts = [(last(line.name), last(line.other)) for line in taken if line.how == PART]
    parents = dict(opened.labels().parents)
    for name, above in parts:
        parents[name] = (*parents.get(name, ()), above)
    if parts:
        edit.set_parents(opened, parents)


def tell_apart(opened: Workspace, left: Iterable[Line]) -> None:
    """Remember that names mean different cells, so that they are not asked about again."""
    known = opened.project.settings.get(TOLD_APART, [])
    opened.project.update_settings(
        **{TOLD_APART: [*known, *([line.name, line.other] for line in left)]}
    )


def _named(opened: Workspace) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the types of cells with counts as positions [n_obs], -1 for none, and their names."""
    y, names = opened.labels().compact()
    means_none = np.array([*map(keys.looks_unlabeled, names), True])
    return np.where((opened.dataset.totals > 0) & ~means_none[y], y, -1), names


def _apart(opened: Workspace) -> np.ndarray:
    """Return which pairs of types no batch has both of [types, types]; none of few cells."""

    def work() -> np.ndarray:
        from scanvi_core.annotation.vocabularies import cross_predictions as crossed

        y, names = _named(opened)
        if not opened.batch_key or not names or not (y >= 0).any():
            return np.zeros((0, 0), dtype=bool)
        enough = np.bincount(y[y >= 0], minlength=len(names)) >= crossed.LEAST_CELLS
        y = np.where(enough[y], y, -1)
        return crossed.apart(crossed.uses(y, opened.batches(opened.batch_key).index))

    key = ("names of different batches", opened.labels().seq, opened.batch_key)
    return opened.cache.get(key, work)


def _shares(opened: Workspace) -> np.ndarray:
    """Return what other batches call the cells of each type [types, types]."""
    from scanvi_core.annotation.vocabularies.cross_predictions import cross_predictions, drawn
    from scanvi_core.config import TrainConfig
    from scanvi_core.data.blocks.rows import take_rows
    from scanvi_core.data.genes.choose import variable_genes

    y, names = _named(opened)
    random = np.random.default_rng(SEED)
    rows = drawn(y, random)
    genes = variable_genes(opened.dataset.folder, TrainConfig().n_top_genes, opened.batch_key)
    counts = take_rows(opened.dataset.counts, rows)[:, genes]
    seen = np.asarray(counts.sum(axis=1)).ravel() > 0
    rows, batch = rows[seen], opened.batches(opened.batch_key).index
    shares = np.full((len(names), len(names)), np.nan)
    found = cross_predictions(counts[seen], y[rows], batch[rows], random)
    shares[: len(found), : len(found)] = found
    return shares


def _lines(opened: Workspace) -> Iterator[Line]:
    apart, names = _apart(opened), opened.labels().active
    n = len(apart)
    shares = _shares(opened)[:n, :n]
    said = {(r.one, r.other): r.how for r in relations.relations(shares, apart)}
    told = _by_name(opened, apart)
    found = list[Line]()
    tree, counts = opened.labels().tree, opened.labels().counts
    for pair in dict.fromkeys([*told, *said]):
        how, why = told.get(pair, (said.get(pair, ""), ""))
        one, other = pair if how == PART else _kept_last(opened, pair)
        if names[other] in tree.above(names[one])[1:]:
            continue
        there, back = float(shares[one, other]), float(shares[other, one])
        against = there < HALF or (how == SAME and (back < HALF or not why))
        against = against or said.get(pair, how) != how
        found.append(Line(
            names[one], counts[names[one]], how, names[other], why, there, back, not against
        ))  # fmt: skip
    yield from sorted(found, key=lambda line: (not line.is_sure, line.how, line.other))


def _by_name(opened: Workspace, apart: np.ndarray) -> dict[Pair, tuple[str, str]]:
    """Return what the ways names are written, and the ontology, say of pairs: how, and why."""
    names = opened.labels().active
    terms = {name: term.id for name, term in type_terms.of_names(opened, names).items()}
    found: dict[Pair, tuple[str, str]] = {}
    for one, other in np.argwhere(apart).tolist():
        first, second = (terms.get(names[code], "") for code in (one, other))
        if one < other and first and first == second:
            found[one, other] = SAME, f"both are {first}"
        elif one < other and (how := _written_alike(names[one], names[other])):
            found[one, other] = SAME, how
        elif first and second and first != second and second in broader.ancestors(first):
            found[one, other] = PART, f"{first} is a {second}"
    return found


def _written_alike(name: str, other: str) -> str:
    """Say that a name is written like another, or known as its synonym; empty: it is not."""
    return next((WRITTEN.get(line.how, "") for line in suggest_names([name], [other])), "")


def _kept_last(opened: Workspace, pair: Pair) -> Pair:
    """Return two names that are the same, the one to keep last: with a term, then more cells."""
    state = opened.labels()
    terms = type_terms.of_names(opened, state.active)

    def worth(code: int) -> tuple[bool, int]:
        name = state.active[code]
        return name in terms and terms[name].exact, state.counts.get(name, 0)

    one, other = sorted(pair, key=worth)
    return one, other
