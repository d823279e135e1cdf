"""The compact form of cell sets and values."""

import numpy as np
import pytest

from scanvi_core.errors import ProjectError
from scanvi_core.project.label_log.replay.row_sets import (
    pack_rows,
    pack_values,
    unpack_rows,
    unpack_values,
)

N = 100_000


@pytest.mark.parametrize(
    "rows",
    [[], [0], [N - 1], range(N), range(0, N, 3), [0, N - 1], range(500, 900)],
    ids=["none", "first", "last", "all", "every third", "both ends", "a range"],
)
def test_rows_come_back(rows):
    rows = np.array(rows, dtype=np.int64)
    assert np.array_equal(unpack_rows(pack_rows(rows, N), N), rows)


def test_few_and_many_cells_take_few_bytes():
    rng = np.random.default_rng(0)
    few = np.sort(rng.choice(N, 20, replace=False))
    many = np.sort(rng.choice(N, N // 2, replace=False))
    assert len(pack_rows(few, N)) < 100
    assert len(pack_rows(many, N)) < 1.1 * N / 8  # a bit per cell cannot be beaten here


@pytest.mark.parametrize("largest", [0, 5, 62, 63, 20_000, 1_000_000])
def test_values_come_back_whatever_their_width(largest):
    rng = np.random.default_rng(1)
    codes = np.append(rng.integers(-1, largest, 99, endpoint=True), largest).astype(np.int32)
    sources = rng.integers(0, 4, 100).astype(np.uint8)
    again = unpack_values(pack_values(codes, sources), 100)
    assert np.array_equal(again[0], codes)
    assert np.array_equal(again[1], sources)


def test_one_value_for_all_takes_a_few_bytes():
    codes, sources = np.full(N, 7, np.int32), np.full(N, 2, np.uint8)
    blob = pack_values(codes, sources)
    assert len(blob) < 16
    assert np.array_equal(unpack_values(blob, N)[0], codes)


def test_damaged_bytes_are_refused():
    rows = pack_rows(np.arange(0, N, 7), N)
    values = pack_values(np.arange(9, dtype=np.int32), np.zeros(9, np.uint8))
    for damaged in (b"", rows[:-8], b"s\x09" + rows[2:]):
        with pytest.raises(ProjectError):
            unpack_rows(damaged, N)
    for damaged, n in ((values, 8), (b"", 9), (values[:-4], 9)):
        with pytest.raises(ProjectError):
            unpack_values(damaged, n)
    with pytest.raises(ProjectError):
        unpack_rows(pack_rows(np.array([50]), N), 50)
