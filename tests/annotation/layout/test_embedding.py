import threading

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scanvi_core.annotation.layout import embedding
from scanvi_core.annotation.layout.embedding import umap_of
from scanvi_core.annotation.layout.louvain import pca_of
from scanvi_core.data.normalization import log_normalized
from tests import SHARED

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")


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


def test_neighbors_on_the_map_are_of_the_same_group(groups, drawn):
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
        centered = z - z.mean(0)
        assert np.allclose(
            np.sort(found.var(0)), np.sort(np.linalg.svd(centered)[1][:2] ** 2 / 14)
        )


def test_fifteen_cells_are_enough_for_umap(groups):
    assert np.isfinite(umap_of(groups[0][:15], seed=0, n_epochs=20)).all()


def test_cells_stay_near_where_they_start(groups, drawn):
    random = np.random.default_rng(1)  # three corners that UMAP by itself would not choose
    corners = np.array([[10.0, 0.0], [0.0, 4.0], [5.0, 10.0]])
    start = (corners[groups[1]] + random.normal(0, 0.3, (60, 2))).astype(np.float32)
    start[3] = np.nan
    found = umap_of(groups[0], seed=0, n_epochs=30, init=start)

    def nearest(layout):
        """Return the corner that is nearest to the middle of each group."""
        middles = np.stack([layout[groups[1] == k].mean(0) for k in range(3)])
        return np.linalg.norm(middles[:, None] - corners, axis=2).argmin(1).tolist()

    assert nearest(found) == [0, 1, 2]
    assert nearest(drawn) != [0, 1, 2]


def test_a_second_thread_waits_until_the_first_has_drawn(groups):
    done = []
    worker = threading.Thread(target=lambda: done.append(umap_of(groups[0], seed=0, n_epochs=5)))
    with embedding._lock:
        worker.start()
        worker.join(0.3)
        assert not done
    worker.join(60)
    assert len(done) == 1


def test_beyond_the_limit_a_sample_is_laid_out_and_others_go_to_their_neighbors(
    groups, monkeypatch
):
    z = groups[0]
    monkeypatch.setattr(embedding, "LAYOUT_CELLS", 40)
    monkeypatch.setattr(embedding, "BLOCK_CELLS", 7)  # 20 others in three blocks
    found = umap_of(z, seed=0, n_epochs=50)
    sample = embedding.sample(np.zeros(60, int), 40, 0, np.zeros(60, bool))
    own = umap_of(z[sample], seed=0, n_epochs=50)
    assert np.array_equal(found[sample], own)
    other = np.setdiff1d(np.arange(60), sample)
    distances = ((z[other, None] - z[None, sample]) ** 2).sum(-1)
    nearest = np.argsort(distances, axis=1)[:, :3]
    assert np.allclose(found[other], own[nearest].mean(1), atol=1e-5)


def test_a_sample_keeps_rare_types_and_doubtful_cells():
    strata = np.repeat([0, 1, 2, 3], [90_000, 9_900, 60, 3])
    keep = np.zeros(strata.size, bool)
    keep[5:1_000] = True
    drawn = embedding.sample(strata, 5_000, 0, keep)
    assert drawn.size == 5_000 == np.unique(drawn).size
    assert np.isin(np.flatnonzero(keep), drawn).all()
    sizes = np.bincount(strata[drawn])
    assert sizes[2:].tolist() == [60, 3]
    rest = sizes[:2] - [keep.sum(), 0]  # the large ones by their share
    assert rest[1] / rest.sum() == pytest.approx(9_900 / 98_905, rel=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_has_as_many_cells_as_asked_for(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(10, 900))
    strata = random.integers(0, random.integers(1, 400), 900)
    drawn = embedding.sample(strata, n, seed, random.random(900) < random.random())
    assert drawn.size == n == np.unique(drawn).size


def test_samples_before_and_after_a_few_changes_are_nearly_the_same():
    random = np.random.default_rng(0)
    strata, none = random.integers(0, 8, 30_000), np.zeros(30_000, bool)
    changed = np.where(random.random(30_000) < 0.02, random.integers(0, 8, 30_000), strata)
    before, after = (embedding.sample(codes, 5_000, 0, none) for codes in (strata, changed))
    assert np.intersect1d(before, after).size > 4_800


def test_a_map_is_laid_onto_the_one_before():
    random = np.random.default_rng(0)
    before = random.normal(size=(50, 2)).astype(np.float32)
    turn = np.array([[np.cos(2), np.sin(2)], [-np.sin(2), np.cos(2)]])
    moved = (before @ turn * 3 + [40, -7]).astype(np.float32)
    before[4] = np.nan
    found = embedding._onto(moved, before)
    known = np.isfinite(before[:, 0])
    assert np.allclose(found[known], before[known], atol=1e-4)
    assert np.isfinite(found).all()
    nowhere = np.full_like(before, np.nan)
    assert np.array_equal(embedding._onto(moved, nowhere), moved)


@needs_shared
def test_after_a_change_of_the_model_real_cells_stay_near_their_place():
    import anndata

    data = anndata.read_h5ad(SHARED / "data" / "kang_ifnb_2800.h5ad")
    pick = np.random.default_rng(0).permutation(data.n_obs)[:900]
    z = pca_of(log_normalized(data.X[pick]), 20)
    first = umap_of(z, seed=0, n_epochs=100)
    random = np.random.default_rng(1)  # a model trained anew: other axes, and a little noise
    turned = np.linalg.qr(random.normal(size=(20, 20)))[0]
    again = (z @ turned + random.normal(0, 0.2, z.shape)).astype(np.float32)
    fresh, kept = (umap_of(again, seed=5, n_epochs=100, init=init) for init in (None, first))
    moves = [np.median(np.linalg.norm(xy - first, axis=1)) for xy in (fresh, kept)]
    assert moves[1] < moves[0] / 2


def test_a_hurried_map_does_not_wait_for_the_compiler(groups, monkeypatch):
    monkeypatch.setattr(embedding, "_compiled", threading.Event())
    with embedding._lock:  # as if another thread compiled
        found = embedding.quick_map(groups[0])
    assert found.shape == (60, 2) and np.isfinite(found).all()


def test_what_takes_the_compiler_long_is_kept_on_the_disk(groups):
    from umap import umap_

    umap_of(groups[0], seed=0, n_epochs=10)
    for function in (umap_.smooth_knn_dist, umap_.compute_membership_strengths):
        assert function.stats.cache_path
