"""The benchmark of starts from marker genes, on cells made for it."""

import numpy as np

from benchmarks.quality import markers
from benchmarks.quality.marker_methods import METHODS, Given, averaged
from scanvi_core.annotation.markers.cluster_scores import GeneSet
from scanvi_core.annotation.review.card_clusters import Clusters
from scanvi_core.data.markers import collection
from scanvi_core.data.normalization import log_normalized

SETS = [GeneSet((0, 1)), GeneSet((2, 3), (0,)), GeneSet((4, 5))]


def cells():
    """60 cells of three types, ten to a cluster and twenty to a part."""
    import scipy.sparse as sp

    types = np.arange(60) // 20
    counts = np.random.default_rng(0).poisson(1.0, (60, 40)).astype(np.float32)
    for code, own in enumerate(SETS):
        counts[np.ix_(types == code, own.positive)] += 20
    return sp.csr_matrix(counts), types, np.arange(60) // 10


def test_every_method_finds_types_that_show_their_markers():
    counts, types, clusters = cells()
    logs = log_normalized(counts, np.asarray(counts.sum(axis=1)).ravel()).tocsc()
    given = Given(counts, logs, SETS, clusters, types)
    for name, way in METHODS.items():
        assert (way(given).argmax(axis=1) == types).all(), name
    assert averaged(np.arange(60.0)[:, None], clusters)[:2].ravel().tolist() == [4.5, 4.5]


def test_yes_to_all_names_what_is_said_and_skips_what_is_not():
    _, types, clusters = cells()
    said = np.where(types == 2, -1, types)
    said[5] = 1  # in a part where most are of another type
    small = Clusters(clusters, np.zeros(60, np.float32))
    named, keys = markers.accepted_offers(said, small, types)
    assert keys == 2 + markers.CARDS  # one for each part, and all cards of the one that is skipped
    assert (named[types == 2] == -1).all() and (named[types == 1] == 1).all()
    assert (np.delete(named[types == 0], 5) == 0).all()


def test_accepted_names_are_those_of_the_collection():
    for (tissue, species), accepted in markers.ACCEPTED.values():
        known = {own.name for own in collection.markers_of(tissue, species)}
        assert {name for names in accepted.values() for name in names} <= known
