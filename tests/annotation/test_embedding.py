import threading

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scanvi_core.annotation import embedding
from scanvi_core.annotation.embedding import umap_of


@pytest.fixture(scope="module")
def groups():
    random = np.random.default_rng(0)
    label = np.arange(60) % 3
    return (random.normal(size=(60, 5)) + 12 * np.eye(5)[label]).astype(np.float32), label


@pytest.fixture(scope="module")
def drawn(groups):
    return umap_of(groups[0], seed=0, n_epochs=50)


def test_the_same_seed_gives_the_same_map(groups, drawn):
    assert np.array_equal(umap_of(groups[0], seed=0, n_epochs=50), drawn)
    assert not np.array_equal(umap_of(groups[0], seed=1, n_epochs=50), drawn)


def test_neighbours_on_the_map_are_of_the_same_group(groups, drawn):
    label = groups[1]
    nearest = NearestNeighbors(n_neighbors=6).fit(drawn).kneighbors(drawn)[1][:, 1:]
    assert (label[nearest] == label[:, None]).mean() > 0.95
    assert drawn.dtype == np.float32


def test_a_cell_without_state_gets_no_place_and_moves_nobody(groups, drawn):
    z = np.insert(groups[0], 7, np.nan, axis=0)
    found = umap_of(z, seed=0, n_epochs=50)
    assert np.isnan(found[7]).all()
    assert np.array_equal(np.delete(found, 7, axis=0), drawn)


@pytest.mark.parametrize("n", [0, 1, 2, 14])
def test_very_few_cells_get_their_principal_components(groups, n):
    z = groups[0][:n]
    found = umap_of(z, seed=0)
    assert found.shape == (n, 2) and np.isfinite(found).all()
    if n == 14:
        centred = z - z.mean(0)
        assert np.allclose(np.sort(found.var(0)), np.sort(np.linalg.svd(centred)[1][:2] ** 2 / 14))


def test_fifteen_cells_are_enough_for_umap(groups):
    assert np.isfinite(umap_of(groups[0][:15], seed=0, n_epochs=20)).all()


def test_cells_stay_near_where_they_start(groups, drawn):
    turned = drawn[:, ::-1].copy()
    turned[3] = np.nan
    found = umap_of(groups[0], seed=0, n_epochs=30, init=turned)
    centres = np.stack([found[groups[1] == k].mean(0) for k in range(3)])
    before = np.stack([np.nanmean(turned[groups[1] == k], axis=0) for k in range(3)])
    assert np.array_equal(centres.argsort(0), before.argsort(0))


def test_a_second_thread_waits_until_the_first_has_drawn(groups):
    done = []
    worker = threading.Thread(target=lambda: done.append(umap_of(groups[0], seed=0, n_epochs=5)))
    with embedding._lock:
        worker.start()
        worker.join(0.3)
        assert not done
    worker.join(60)
    assert len(done) == 1
