import numpy as np
import pytest

from scanvi_core.annotation.uncertainty.unseen_batches import find_unseen_batches


def latent(shift, sizes=(200, 300, 60), seed=0):
    """Cells of three types in each batch; the last batch is moved by `shift`."""
    random = np.random.default_rng(seed)
    batch = np.repeat(np.arange(len(sizes)), sizes)
    centers = random.normal(size=(3, 8)) * 4
    z1 = centers[random.integers(0, 3, len(batch))] + random.normal(size=(len(batch), 8))
    z1[batch == len(sizes) - 1] += shift
    return z1.astype(np.float32), batch


def found(z1, batch, labeled=None, seed=0):
    known = batch == 0 if labeled is None else labeled
    return find_unseen_batches(z1, batch, known, np.random.default_rng(seed))


def test_a_batch_that_stands_apart_is_stray_and_only_that():
    z1, batch = latent(20.0)
    assert np.array_equal(found(z1, batch), batch == 2)


def test_mixed_batches_are_not_stray():
    assert not any(found(*latent(0.0, seed=seed), seed=seed).any() for seed in range(10))


def test_a_batch_with_labels_of_its_own_is_never_stray():
    z1, batch = latent(20.0)
    labeled = np.zeros(len(batch), dtype=bool)
    labeled[np.flatnonzero(batch == 2)[0]] = True
    assert not found(z1, batch, labeled)[batch == 2].any()


def test_a_type_that_only_one_batch_has_does_not_make_the_batch_stray():
    z1, batch = latent(0.0)
    own_type = np.flatnonzero(batch == 1)[:150]
    z1[own_type] += 30.0
    assert not found(z1, batch).any()


@pytest.mark.parametrize("sizes", [(300,), (300, 19)])
def test_one_batch_alone_and_tiny_ones_are_not_judged(sizes):
    assert not found(*latent(20.0, sizes)).any()


def test_cells_without_counts_are_not_stray():
    z1, batch = latent(20.0)
    z1[-5:] = np.nan
    assert np.array_equal(found(z1, batch), (batch == 2) & np.isfinite(z1[:, 0]))
