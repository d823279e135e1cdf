import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.nn.sparse import SparseRows
from scanvi_core.train import loader
from scanvi_core.train.loader import DeviceRows, HostRows, blocks

CPU = torch.device("cpu")


def counts():
    dense = np.random.default_rng(0).poisson(0.3, size=(40, 17)).astype(np.float32)
    dense[5] = 0
    dense[7] = 3  # the longest row there can be
    return dense, sparse.csr_array(dense)


def fetched(kind, matrix, rows):
    x = kind(matrix, CPU).fetch(rows)
    return x.dense() if isinstance(x, SparseRows) else x


@pytest.mark.parametrize("kind", [HostRows, DeviceRows])
@pytest.mark.parametrize("rows", [[39, 5, 5, 0, 7, 12], [5], [7], list(range(40))])
@pytest.mark.parametrize("as_rows", [np.array, torch.tensor])
def test_both_ways_of_fetching_give_the_chosen_rows(kind, rows, as_rows):
    dense, matrix = counts()
    x = fetched(kind, matrix, as_rows(rows))
    assert x.dtype == torch.float32
    assert np.array_equal(x.numpy(), dense[rows])


@pytest.mark.parametrize("kind", [HostRows, DeviceRows])
def test_a_matrix_without_any_count_is_fetched_as_zeros(kind):
    x = fetched(kind, sparse.csr_array((4, 6), dtype=np.float32), np.array([3, 0]))
    assert x.shape == (2, 6) and not x.any()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (255, torch.uint8),
        (256, torch.int16),
        (32_767, torch.int16),
        (32_768, torch.float32),
        (2**24, torch.float32),
        (0.5, torch.float32),
        (-1, torch.float32),
        (np.nan, torch.float32),
        (np.inf, torch.float32),
    ],
)
def test_counts_on_the_device_take_the_smallest_type_that_is_exact(monkeypatch, value, kind):
    monkeypatch.setattr(loader, "UPLOAD_BLOCK", 7)  # the odd value is in a later block
    dense, _ = counts()
    dense[30, 4] = value
    rows = DeviceRows(sparse.csr_array(dense), CPU)
    assert rows.values.dtype == kind
    assert np.array_equal(rows.fetch(np.arange(40)).numpy(), dense, equal_nan=True)


@pytest.mark.parametrize(("n_genes", "kind"), [(32_767, torch.int16), (32_768, torch.int32)])
def test_genes_on_the_device_take_the_smallest_type_that_is_exact(n_genes, kind):
    dense = np.zeros((3, n_genes), np.float32)
    dense[[0, 1, 1], [n_genes - 1, 0, n_genes - 1]] = 2, 3, 4
    rows = DeviceRows(sparse.csr_array(dense), CPU)
    assert rows.columns.dtype == kind
    assert np.array_equal(rows.fetch(np.array([1, 2, 0])).numpy(), dense[[1, 2, 0]])


def test_counts_in_a_read_only_file_reach_the_device(tmp_path):
    dense, matrix = counts()
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(matrix, name))
    parts = (np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in ("data", "indices", "indptr"))
    mapped = sparse.csr_array(tuple(parts), shape=matrix.shape)
    assert np.array_equal(DeviceRows(mapped, CPU).fetch(np.arange(40)).numpy(), dense)


def test_blocks_keep_every_row_in_order():
    parts = list(blocks(np.arange(10), 4))
    assert [len(p) for p in parts] == [4, 4, 2]
    assert np.array_equal(np.concatenate(parts), np.arange(10))
