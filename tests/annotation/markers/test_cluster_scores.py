"""Scores of marker genes by clusters, on cells whose types are known."""

import numpy as np
import pytest

from scanvi_core.annotation.markers.cluster_scores import (
    SAID,
    GeneSet,
    cluster_scores,
    strengths,
)

SETS = [GeneSet((0, 1)), GeneSet((2, 3)), GeneSet((4, 5))]


@pytest.fixture
def levels():
    """300 cells, ten to a cluster: 280 of the first type, 20 of the second, none of the third."""
    types = np.repeat([0, 1], [280, 20])
    levels = np.random.default_rng(0).normal(0, 0.3, (300, 6))
    levels[types == 0, :2] += 2
    levels[types == 1, 2:4] += 2
    return levels, types, np.arange(300) // 10


def scores(levels, clusters, parts, sets=SETS):
    return cluster_scores(lambda place: levels[:, place], sets, clusters, parts)


def test_each_cluster_gets_the_type_whose_genes_it_shows(levels):
    values, types, clusters = levels
    best, sure = strengths(scores(values, clusters, types))
    assert (best == types[::10]).all() and (sure > SAID).all()


def test_a_type_that_is_most_of_the_cells_is_not_its_own_background(levels):
    values, types, clusters = levels
    alike = strengths(scores(values, clusters, np.zeros(300, np.int32)))[1]
    by_part = strengths(scores(values, clusters, types))[1]
    assert by_part[0] > SAID > alike[0]


def test_cells_that_show_no_markers_are_of_no_type(levels):
    values, types, clusters = levels
    values[:10] = 0.0
    sure = strengths(scores(values, clusters, types))[1]
    assert sure[0] < SAID < sure[1]


def test_a_gene_that_is_not_shown_speaks_against_a_type(levels):
    values, types, clusters = levels
    both = [GeneSet((0, 1)), GeneSet((0, 1), (2,))]
    made = scores(values, clusters, types, both)
    assert made[0, 1] > made[0, 0] - 1e-9  # low in these: it speaks for the second
    values[:10, 2] += 3
    made = scores(values, clusters, types, both)
    assert made[0, 1] < made[0, 0]


def test_a_gene_of_all_types_tells_nothing(levels):
    values, types, clusters = levels
    shared = [GeneSet((0, 4)), GeneSet((0, 5)), GeneSet((0, 2, 3))]
    made = scores(values, clusters, types, shared)
    values[:, 0] += np.linspace(0, 5, 300)
    np.testing.assert_allclose(scores(values, clusters, types, shared), made)


def test_cells_without_a_cluster_take_no_part(levels):
    values, types, clusters = levels
    made = scores(values[10:], clusters[10:] - 1, types[10:])
    clusters, parts = clusters.copy() - 1, types.copy()
    parts[:10] = -1
    values[:10] = 1e6
    np.testing.assert_allclose(scores(values, clusters, parts), made)


def test_a_constant_gene_and_a_single_type_do_no_harm():
    made = scores(np.ones((20, 2)), np.arange(20) // 10, np.zeros(20, int), [GeneSet((0, 1))])
    best, sure = strengths(made)
    assert np.isfinite(made).all() and (sure <= SAID).all() and best.tolist() == [0, 0]


def test_a_part_of_a_single_cell_counts_as_one(levels):
    values, types, clusters = levels
    made = scores(values, clusters, types)
    parts = types.copy()
    parts[0] = 2
    moved = scores(values, clusters, parts)
    assert np.abs(moved - made).max() < 0.2
