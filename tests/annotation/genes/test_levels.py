"""Levels of genes per group of cells against brute force."""

import numpy as np
import scipy.sparse as sp

from scanvi_core.annotation.genes.levels import by_group

RNG = np.random.default_rng(3)
COUNTS = RNG.poisson(RNG.gamma(0.5, 2.0, size=(1, 12)), size=(90, 12)).astype(np.float32)
KINDS = np.repeat([0, 1, -1], 30)
LEVELS = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)


def test_levels_are_means_and_shares_of_the_cells_of_a_group():
    mean, seen = by_group(sp.csc_matrix(COUNTS), COUNTS.sum(1).astype(float), [3, 5, 0], KINDS, 3)
    for code in (0, 1):
        own = LEVELS[np.equal(KINDS, code)][:, [3, 5, 0]]
        assert np.allclose(mean[code], own.mean(0), rtol=1e-5)
        assert np.allclose(seen[code], (own > 0).mean(0))
    assert np.isnan(mean[2]).all() and np.isnan(seen[2]).all()
