"""Names of two sources: what the predictions across them say, on cells drawn from known types."""

import numpy as np
import pytest
from scipy import sparse

from scanvi_core.annotation.vocabularies import cross_predictions as crossed
from scanvi_core.annotation.vocabularies.relations import PART, SAME, Relation, relations

TYPES, EACH, GENES = 5, 40, 60


@pytest.fixture
def cells():
    """Counts of five types in two sources, with the type and the source of each cell."""
    random = np.random.default_rng(0)
    types = np.repeat(np.arange(TYPES), 2 * EACH)
    rate = np.full((TYPES, GENES), 0.5)
    for k in range(TYPES):
        rate[k, 8 * k : 8 * k + 8] = 6.0
    counts = sparse.csr_array(random.poisson(rate[types]).astype(np.float32))
    return counts, types, np.tile([0, 1], TYPES * EACH)


def found(counts, y, source):
    shares = crossed.cross_predictions(counts, y, source, np.random.default_rng(0))
    return set(relations(shares, crossed.apart(crossed.uses(y, source))))


def test_names_of_the_same_cells_and_of_parts_of_others_are_found(cells):
    counts, types, source = cells
    second = np.array([5, 6, 7, 7, 7])  # 0 and 1 have other names, 2 to 4 one broader name
    y = np.where(source == 1, second[types], types)
    same = {Relation(0, 5, SAME), Relation(1, 6, SAME)}
    assert found(counts, y, source) == same | {Relation(k, 7, PART) for k in (2, 3, 4)}


def test_a_type_that_the_others_do_not_have_is_nothing_of_theirs(cells):
    counts, types, source = cells
    y = np.where(source == 1, types + 5, types)
    kept = ~((source == 1) & (types == 3))
    pairs = found(counts[kept], y[kept], source[kept])
    assert pairs == {Relation(k, k + 5, SAME) for k in (0, 1, 2, 4)}


def test_names_that_some_source_uses_together_are_never_compared(cells):
    counts, types, source = cells
    y = np.where((source == 1) & (types == 0), 5, types)
    y[np.flatnonzero(y == 0)[0]] = 5  # a cell of the first source has that name, too
    assert not crossed.apart(crossed.uses(y, source)).any()
    assert np.isnan(crossed.cross_predictions(counts, y, source, np.random.default_rng(0))).all()


def test_of_few_cells_nothing_is_said(cells):
    counts, types, source = cells
    y = np.where((source == 1) & (types == 0), 5, types)
    rows = np.flatnonzero(y == 5)[crossed.LEAST_CELLS - 1 :]
    kept = np.setdiff1d(np.arange(len(y)), rows)
    shares = crossed.cross_predictions(
        counts[kept], y[kept], source[kept], np.random.default_rng(0)
    )
    assert np.isnan(shares[5]).all() and not relations(shares, np.ones((6, 6), dtype=bool))


def test_of_each_name_a_few_cells_are_drawn():
    y = np.array([0] * 1_000 + [1] * 3 + [-1] * 50)
    rows = crossed.drawn(y, np.random.default_rng(0))
    assert np.bincount(y[rows]).tolist() == [crossed.MOST_CELLS, 3]
    assert (np.diff(rows) > 0).all()
