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
    random = np.random.default_rng(1)  # three corners that UMAP by itself would not choose
    corners = np.array([[10.0, 0.0], [0.0, 4.0], [5.0, 10.0]])
    start = (corners[groups[1]] + random.normal(0, 0.3, (60, 2))).astype(np.float32)
    start[3] = np.nan
    found = umap_of(groups[0], seed=0, n_epochs=30, init=start)
    centres = np.stack([found[groups[1] == k].mean(0) for k in range(3)])
    assert np.array_equal(centres.argsort(0), corners.argsort(0))
    assert not np.array_equal(
        np.stack([drawn[groups[1] == k].mean(0) for k in range(3)]).argsort(0), corners.argsort(0)
    )


def test_a_second_thread_waits_until_the_first_has_drawn(groups):
    done = []
    worker = threading.Thread(target=lambda: done.append(umap_of(groups[0], seed=0, n_epochs=5)))
    with embedding._lock:
        worker.start()
        worker.join(0.3)
        assert not done
    worker.join(60)
    assert len(done) == 1


def test_beyond_the_limit_a_sample_is_laid_out_and_others_go_to_their_neighbours(
    groups, monkeypatch
):
    z = groups[0]
    monkeypatch.setattr(embedding, "LAYOUT_CELLS", 40)
    found = umap_of(z, seed=0, n_epochs=50)
    sample = np.sort(np.random.default_rng(0).permutation(60)[:40])
    own = umap_of(z[sample], seed=0, n_epochs=50)
    assert np.array_equal(found[sample], own)
    other = np.setdiff1d(np.arange(60), sample)
    distances = ((z[other, None] - z[None, sample]) ** 2).sum(-1)
    nearest = np.argsort(distances, axis=1)[:, :3]
    assert np.allclose(found[other], own[nearest].mean(1), atol=1e-5)


def test_a_hurried_map_does_not_wait_for_the_compiler(groups, monkeypatch):
    monkeypatch.setattr(embedding, "_compiled", threading.Event())
    with embedding._lock:  # as if another thread compiled
        found = embedding.quick_map(groups[0])
    assert found.shape == (60, 2) and np.isfinite(found).all()
