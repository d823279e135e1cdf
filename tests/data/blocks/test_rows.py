"""Rows are those of scipy, whatever the widths of the pointers and wherever the counts lie."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.blocks import mapped, rows
from scanvi_core.data.blocks.columns import cached_cut, cut_blocks, row_blocks
from scanvi_core.data.blocks.mapped import mapping, over_files
from scanvi_core.data.blocks.rows import chosen_rows, filled_rows, take_rows
from scanvi_core.data.collection.counts import StoredCounts
from tests.data.blocks.test_mapped import mapped_mb, needs_linux

N, GENES = 300, 80


@pytest.fixture
def known():
    counts = sp.random(N, GENES, 0.2, format="csr", dtype=np.float32, random_state=0)
    counts.data = np.ceil(9 * counts.data)
    lengths = np.diff(counts.indptr)
    counts.data[np.repeat(np.arange(N) % 7 == 3, lengths)] = 0
    counts.eliminate_zeros()  # every seventh row is empty
    return counts


@pytest.fixture(params=["narrow", "wide"])
def counts(request, known, tmp_path, monkeypatch):
    if request.param == "wide":
        monkeypatch.setattr(mapped, "NARROW", 100)
    return cached_cut(tmp_path, known, np.arange(GENES))


def assert_same(found, expected):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.array_equal(found.toarray(), expected.toarray())


@pytest.mark.parametrize("large", [False, True])
def test_taken_rows_are_those_of_scipy(counts, known, monkeypatch, large):
    monkeypatch.setattr(mapped, "LARGE", 0 if large else 10**9)
    at = np.random.default_rng(0).integers(0, N, 50)
    assert_same(take_rows(counts, at), known[at])
    assert take_rows(counts, at).indices.dtype == np.int32
    assert_same(take_rows(counts, at[:0]), known[at[:0]])


def test_many_rows_of_large_files_are_taken_some_at_a_time(counts, known, monkeypatch):
    at, taken = np.random.default_rng(0).integers(0, N, 50), []
    monkeypatch.setattr(rows, "LARGE", 0)
    monkeypatch.setattr(rows, "AT_ONCE", 7)
    monkeypatch.setattr(rows, "read_ahead", lambda *asked: taken.append(len(asked[1])))
    found = take_rows(counts, at)
    assert_same(found, known[at])
    assert type(found) is type(counts) and found.indices.dtype == np.int32
    assert max(taken) == 7 and sum(taken) == 2 * len(at)


def test_taking_rows_of_a_wide_matrix_copies_no_others(monkeypatch):
    monkeypatch.setattr(mapped, "NARROW", 100)
    large = sp.random(20_000, 50, 0.2, format="csr", dtype=np.float32, random_state=0)
    parts = large.data, large.indices, large.indptr.astype(np.int64)
    wide, at = over_files(sp.csr_matrix, parts, large.shape), np.arange(0, 20_000, 200)
    tracemalloc.start()
    take_rows(wide, at)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * large.indices.nbytes


@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_filled_rows_are_those_with_a_sum(counts, known, monkeypatch, size):
    monkeypatch.setattr(row_blocks, "__defaults__", (size,))
    assert np.array_equal(filled_rows(counts), np.asarray(known.sum(axis=1)).ravel() > 0)


def test_a_row_of_stored_zeros_is_not_filled():
    counts = sp.csr_array((np.float32([0, 0, 3]), np.array([1, 2, 0]), np.array([0, 2, 2, 3])))
    assert filled_rows(counts).tolist() == [False, False, True]


def test_leaving_out_empty_rows_copies_nothing(counts, known):
    filled = filled_rows(counts)
    found = chosen_rows(counts, filled)
    assert found.data is counts.data and found.indices is counts.indices
    assert_same(found, known[filled])
    assert chosen_rows(counts, np.ones(N, dtype=bool)) is counts


@pytest.mark.parametrize("large", [False, True])
def test_chosen_rows_of_large_files_lie_in_files_too(counts, known, monkeypatch, large):
    monkeypatch.setattr(rows, "LARGE", 0 if large else 10**9)
    chosen = np.arange(N) % 3 > 0
    for _ in range(2):  # written, then found
        found = chosen_rows(counts, chosen)
        assert_same(found, known[chosen])
        assert (mapping(found.data) is not None) == large
    other = chosen_rows(counts, ~chosen)
    assert_same(other, known[~chosen])


def through_cut(counts):
    return sum(block.nnz for block in cut_blocks(counts, np.arange(GENES)))


def through_rows(counts):
    starts = range(0, counts.shape[0], 1_000)
    return sum(take_rows(counts, np.arange(at, at + 1_000)).nnz for at in starts)


@needs_linux
@pytest.mark.parametrize("read", [through_cut, through_rows, filled_rows])
def test_reading_all_of_large_files_leaves_none_of_them_in_memory(tmp_path, monkeypatch, read):
    monkeypatch.setattr(mapped, "LARGE", 2**20)
    monkeypatch.setattr(row_blocks, "__defaults__", (50_000,))
    n, per_row = 100_000, 20
    starts = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    genes = np.tile(np.arange(per_row, dtype=np.int32) * 4, n)
    whole = sp.csr_matrix((np.ones(n * per_row, np.float32), genes, starts), (n, GENES))
    counts = cached_cut(tmp_path, whole, np.arange(GENES))
    before = mapped_mb()
    read(counts)
    assert mapped_mb() - before < 0.2 * 2 * counts.data.nbytes / 1e6


def test_counts_that_stay_in_a_store_are_taken_from_it(known):
    class InMemory:
        shape = known.shape

        def read(self, runs):
            return sp.csr_array(sp.vstack([known[run] for run in runs], format="csr"))

    stored, at = StoredCounts(InMemory()), np.array([9, 3, 200])
    filled = filled_rows(stored)
    assert np.array_equal(filled, np.asarray(known.sum(axis=1)).ravel() > 0)
    assert_same(take_rows(stored, at), known[at])
    chosen = chosen_rows(stored, filled)
    assert not sp.issparse(chosen)
    assert_same(take_rows(chosen, at), known[filled][at])
