"""A tissue is guessed from genes that are seen together, not from genes that are seen."""

import numpy as np
import scipy.sparse as sp

from scanvi_core.annotation.markers.likely_tissue import evidence


def test_genes_of_one_type_lie_in_the_same_cells():
    random = np.random.default_rng(0)
    counts = (random.random((500, 12)) < 0.02).astype(np.float32)
    counts[:100, :3] = counts[100:200, 3:6] = 1  # the first tissue's types
    for gene in range(6, 12):  # as often, each in cells of its own
        counts[random.permutation(500)[:100], gene] = 1
    found = evidence(
        sp.csr_matrix(counts),
        {
            "other": {"a": (6, 7, 8), "b": (9, 10, 11)},
            "this": {"c": (0, 1, 2), "d": (3, 4, 5)},
            "absent": {"e": (), "f": (0,)},
        },
    )
    assert next(iter(found)) == "this" and found["this"] > 0.2
    assert found["other"] == found["absent"] == 0


def test_types_that_many_tissues_have_tell_less_than_those_of_one():
    counts = np.zeros((300, 9), np.float32)
    counts[:50, :3] = counts[100:150, 3:6] = 1  # T cells, and a type of the second tissue
    t, own, absent = (0, 1, 2), (3, 4, 5), (6, 7, 8)
    found = evidence(
        sp.csr_matrix(counts),
        {"first": {"T": t, "x": absent}, "second": {"T": t, "y": own}, "third": {"T": t}},
    )
    assert found["second"] > 2 * found["first"] > 0
