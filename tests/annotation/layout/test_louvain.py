"""Clusters and components: they find real types, sparse stays sparse, equal stays equal."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from scanvi_core.annotation.layout import louvain
from scanvi_core.annotation.layout.louvain import (
    by_size,
    connected,
    louvain_clusters,
    neighbor_graph,
    pca_of,
)
from scanvi_core.data.normalization import log_normalized
from tests import SHARED

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared real data are absent")


def blobs(n=600, k=4, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(k, n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
    return rng.normal(scale=8, size=(k, 6))[truth] + rng.normal(size=(n, 6)), truth


def test_separate_groups_are_never_joined():
    z, truth = blobs()
    codes = louvain_clusters(z, resolution=0.2)
    assert adjusted_rand_score(truth, codes) > 0.95


def test_codes_are_sorted_by_size():
    sizes = np.bincount(louvain_clusters(blobs()[0]))
    assert (np.diff(sizes) <= 0).all()
    assert sizes.min() > 0


def test_by_size_renames_only():
    codes = np.array([7, 3, 3, 9, 9, 9, 1])
    assert by_size(codes).tolist() == [2, 1, 1, 0, 0, 0, 3]


def test_more_resolution_gives_more_clusters():
    z = blobs()[0]
    assert len(set(louvain_clusters(z, 0.1))) < len(set(louvain_clusters(z, 3.0)))


def test_equal_inputs_give_equal_clusters():
    rng = np.random.default_rng(0)  # overlapping groups, where a free draw would show
    z = 0.8 * rng.normal(size=(25, 8))[rng.integers(0, 25, 3_000)] + rng.normal(size=(3_000, 8))
    np.testing.assert_array_equal(louvain_clusters(z, seed=3), louvain_clusters(z.copy(), seed=3))


def test_clusters_hang_together():
    # Two pairs of linked cells that one code holds together, and a third pair.
    graph = sp.csr_matrix(np.kron(np.eye(3), [[0, 1], [1, 0]]))
    assert by_size(connected(graph, np.array([0, 0, 0, 0, 1, 1]))).tolist() == [0, 0, 1, 1, 2, 2]


def test_beyond_the_limit_other_cells_join_the_cluster_of_their_neighbors(monkeypatch):
    z, truth = blobs(1_200)
    monkeypatch.setattr(louvain, "GRAPH_CELLS", 300)
    codes = louvain_clusters(z, resolution=0.2)
    assert adjusted_rand_score(truth, codes) > 0.95
    assert (np.diff(np.bincount(codes)) <= 0).all()
    np.testing.assert_array_equal(codes, louvain_clusters(z.copy(), resolution=0.2))


def test_a_cell_joins_the_commonest_code_among_its_nearest():
    rng = np.random.default_rng(0)
    among, z, codes = rng.normal(size=(80, 3)), rng.normal(size=(40, 3)), rng.integers(0, 3, 80)
    nearest = np.argsort(((z[:, None] - among[None]) ** 2).sum(-1), axis=1)[:, :7]
    votes = np.stack([(codes[nearest] == code).sum(1) for code in range(3)])
    assert louvain.joined(z, among, codes, 7).tolist() == votes.argmax(0).tolist()


@pytest.mark.parametrize("n", [0, 1, 3, 4, 10])
def test_few_cells(n):
    codes = louvain_clusters(np.arange(2.0 * n).reshape(n, 2))
    assert len(codes) == n
    assert set(codes) == set(range(len(set(codes))))


def test_equal_cells():
    assert len(louvain_clusters(np.zeros((50, 3)))) == 50


def test_the_graph_has_no_loops_and_both_directions():
    graph = neighbor_graph(blobs(200)[0], 10)
    assert graph.diagonal().sum() == 0
    assert (graph != graph.T).nnz == 0
    assert graph.getnnz(axis=1).min() >= 10


@needs_shared
@pytest.mark.parametrize(("name", "least"), [("zheng_facs_pbmc", 0.6), ("scmixology", 0.5)])
def test_real_types_are_found(name, least):
    import anndata

    data = anndata.read_h5ad(SHARED / "data" / f"{name}.h5ad")
    values = log_normalized(data.X)
    variance = np.asarray(values.power(2).mean(axis=0) - np.square(values.mean(axis=0))).ravel()
    z = pca_of(values[:, np.sort(np.argsort(-variance)[:1000])])
    assert adjusted_rand_score(data.obs["cell_type"], louvain_clusters(z)) > least


def test_components_match_those_of_the_dense_matrix():
    matrix = sp.random(120, 50, 0.2, format="csr", rng=0)
    dense = PCA(5, svd_solver="full").fit_transform(matrix.toarray())
    np.testing.assert_allclose(np.abs(pca_of(matrix, 5)), np.abs(dense), atol=1e-4)


@pytest.mark.parametrize(("shape", "expected"), [((10, 4), 3), ((3, 40), 2), ((1, 5), 1)])
def test_components_of_small_matrices(shape, expected):
    z = pca_of(sp.random(*shape, 0.5, format="csr", rng=0), 30)
    assert z.shape == (shape[0], expected)
    assert z.dtype == np.float32
