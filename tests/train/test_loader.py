import numpy as np
import torch
from scipy import sparse

from scanvi_core.nn.sparse import dense as made_dense
from scanvi_core.train.loader import DeviceRows, HostRows, blocks


def counts():
    dense = np.random.default_rng(0).poisson(0.3, size=(40, 17)).astype(np.float32)
    dense[5] = 0
    return dense, sparse.csr_array(dense)


def test_both_ways_of_fetching_give_the_chosen_rows():
    dense, matrix = counts()
    rows = np.array([39, 5, 5, 0, 12])
    for kind in (HostRows, DeviceRows):
        fetched = made_dense(kind(matrix, torch.device("cpu")).fetch(rows))
        assert fetched.dtype == torch.float32
        assert np.array_equal(fetched.numpy(), dense[rows])


def test_rows_of_empty_cells_only_are_zeros():
    _, matrix = counts()
    for kind in (HostRows, DeviceRows):
        fetched = kind(matrix, torch.device("cpu")).fetch(np.array([5]))
        assert not made_dense(fetched).any()


def test_blocks_keep_every_row_in_order():
    parts = list(blocks(np.arange(10), 4))
    assert [len(p) for p in parts] == [4, 4, 2]
    assert np.array_equal(np.concatenate(parts), np.arange(10))
