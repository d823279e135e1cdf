"""Large files give their memory back; matrices over them are never copied."""

import mmap
import os
import resource
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.blocks import mapped
from scanvi_core.data.blocks.mapped import folder_of, let_go, mapping, over_files, read_ahead

SIZE = 5_000_000  # numbers: 20 MB
needs_linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists() or not hasattr(mmap, "MADV_DONTNEED"),
    reason="the memory of mapped files is read from /proc",
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "numbers.npy"
    np.save(path, np.arange(SIZE, dtype=np.float32))
    return path


def mapped_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssFile")) / 1024


@needs_linux
@pytest.mark.parametrize(("limit", "given_back"), [(4 * SIZE, True), (4 * SIZE + 1, False)])
def test_pages_of_files_of_the_limit_and_above_are_given_back(
    file, monkeypatch, limit, given_back
):
    monkeypatch.setattr(mapped, "LARGE", limit)
    whole = np.load(file, mmap_mode="r")
    expected = whole.sum(dtype=np.float64)
    before = mapped_mb()
    let_go(np.asarray(whole)[:])
    assert (before - mapped_mb() > 15) == given_back
    assert whole.sum(dtype=np.float64) == expected


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_what_was_written_to_a_map_stays(file, monkeypatch, mode):
    monkeypatch.setattr(mapped, "LARGE", 0)
    numbers = np.load(file, mmap_mode=mode)
    numbers[:] = 7
    let_go(numbers, np.ones(3))
    assert (numbers == 7).all()


def test_the_folder_of_a_part_of_a_file_is_known(file):
    assert folder_of(np.asarray(np.load(file, mmap_mode="r"))[3:9]) == file.parent
    assert folder_of(np.arange(9)[3:]) is None


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix])
def test_a_matrix_with_wide_pointers_shares_its_indices(monkeypatch, kind):
    monkeypatch.setattr(mapped, "NARROW", 10)
    known = kind(sp.random(20, 20, 0.3, format="csr", dtype=np.float32, random_state=0))
    parts = known.data, known.indices, known.indptr.astype(np.int64)
    found = over_files(kind, parts, known.shape)
    assert found.indptr.dtype == np.int64 and found.indices is known.indices
    assert np.array_equal(found.toarray(), known.toarray())


def test_pointers_are_narrow_where_that_will_do():
    starts = np.array([0, 1], dtype=np.int64)
    parts = np.ones(1, np.float32), np.zeros(1, np.int32), starts
    assert over_files(sp.csr_matrix, parts, (1, 1)).indptr.dtype == np.int32


def waits(path, ahead):
    """Return how often the disk is waited for when parts of a file in no cache are read."""
    array = np.load(path, mmap_mode="r")
    mapping(array).base.madvise(mmap.MADV_RANDOM)  # nothing is read around what is asked for
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
        os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    starts = np.arange(0, SIZE, 50_000)[::-1]
    if ahead:
        read_ahead(array, starts, starts + 9)
        time.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    array[starts].sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt - before


@needs_linux
def test_scattered_parts_of_a_file_are_read_before_they_are_needed(file, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 0)
    unasked = waits(file, ahead=False)
    if unasked < 20:
        pytest.skip("this disk keeps its files in memory")
    assert waits(file, ahead=True) < unasked / 4


def test_parts_at_the_ends_and_empty_ones_may_be_asked_for(file, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 0)
    array = np.load(file, mmap_mode="r")
    starts = np.array([SIZE, 0, SIZE - 1, 40], dtype=np.int32)
    read_ahead(array, starts, np.array([SIZE, 9, SIZE, 40], dtype=np.int32))
    read_ahead(array, starts[:0], starts[:0])
    read_ahead(np.arange(9), starts, starts + 1)
