"""Cut columns are those that scipy cuts, whatever the blocks; no half-written cut stays."""

import os
import time

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.blocks import columns
from scanvi_core.data.blocks.columns import cached_cut, cut_blocks, row_blocks
from scanvi_core.errors import ProjectError


@pytest.fixture
def counts():
    matrix = sp.random(300, 80, 0.2, format="csr", dtype=np.float32, random_state=0)
    matrix.data = np.ceil(9 * matrix.data)
    lengths = np.diff(matrix.indptr)
    matrix.data[np.repeat(np.arange(300) % 7 == 3, lengths)] = 0  # rows of stored zeros
    matrix.eliminate_zeros()
    return matrix


def on_disk(array):
    while not isinstance(array, np.memmap) and array.base is not None:
        array = array.base
    return isinstance(array, np.memmap)


def assert_same(found, counts, positions):
    expected = counts[:, positions]
    expected.sort_indices()
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(found, part), getattr(expected, part)), part
    assert found.dtype == np.float32 and found.indices.dtype == np.int32


@pytest.mark.parametrize("size", [1, 50, 10**6])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_cut_on_disk_is_the_column_subset_of_scipy(
    counts, tmp_path, monkeypatch, size, shuffled
):
    monkeypatch.setattr(row_blocks, "__defaults__", (size,))
    positions = np.random.default_rng(0).permutation(80)[:31]
    positions = positions if shuffled else np.sort(positions)
    for _ in range(2):  # written, then found
        found = cached_cut(tmp_path, counts, positions)
        assert_same(found, counts, positions)
        assert all(on_disk(part) for part in (found.data, found.indices, found.indptr))
    assert [path.name[:4] for path in tmp_path.iterdir()] == ["cut_"]


def test_blocks_hold_whole_rows_and_no_more_entries_than_asked_for(counts):
    pairs = list(row_blocks(counts.indptr, 100))
    assert [start for start, _ in pairs] == [0, *(stop for _, stop in pairs[:-1])]
    assert pairs[-1][1] == 300
    assert max(counts.indptr[stop] - counts.indptr[start] for start, stop in pairs) <= 100
    assert list(row_blocks(np.array([0, 9, 9, 20]), 5)) == [(0, 1), (1, 2), (2, 3)]


def test_zeros_doubles_and_disorder_are_tidied(counts):
    messy = sp.csr_matrix(
        (np.float32([1, 0, 2, 3]), np.array([3, 1, 0, 3]), np.array([0, 4])), shape=(1, 5)
    )
    (block,) = cut_blocks(messy, np.array([3, -1, 1, 0]))
    assert block.toarray().tolist() == [[4, 0, 0, 2]]
    assert block.indices.tolist() == [0, 3]


def test_genes_without_counts_can_be_cut(tmp_path):
    found = cached_cut(tmp_path, sp.csr_matrix((5, 9), dtype=np.float32), np.array([1, 3]))
    assert found.shape == (5, 2) and not found.nnz


def test_only_the_last_cuts_are_kept(counts, tmp_path):
    for n in range(1, columns.MAX_CUTS + 2):
        cached_cut(tmp_path, counts, np.arange(n))
    assert len(list(tmp_path.iterdir())) == columns.MAX_CUTS
    assert_same(cached_cut(tmp_path, counts, np.arange(1)), counts, np.arange(1))


def test_a_broken_write_leaves_nothing_behind(counts, tmp_path, monkeypatch):
    def full(_file):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(ProjectError, match="No space"):
        broken.setattr(columns.os, "fsync", full)
        cached_cut(tmp_path, counts, np.arange(9))
    assert not list(tmp_path.iterdir())
    assert_same(cached_cut(tmp_path, counts, np.arange(9)), counts, np.arange(9))


def test_what_a_killed_write_left_is_removed_a_day_later(counts, tmp_path):
    for name, age in ((".cut_old", columns.DAY_S + 60), (".cut_new", 60)):
        (tmp_path / name).mkdir()
        then = time.time() - age
        os.utime(tmp_path / name, (then, then))
    cached_cut(tmp_path, counts, np.arange(9))
    assert {path.name for path in tmp_path.glob(".cut_*")} == {".cut_new"}
