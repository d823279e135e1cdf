"""Verdicts come from the values; recovery is exact or does not happen."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data.blocks.hdf5 import MatrixSource
from scanvi_core.data.counts import choose as counts_choose
from scanvi_core.data.counts.choose import choose, judge
from scanvi_core.errors import CountsNotFound

COUNTS = np.random.default_rng(0).negative_binomial(1, 0.2, (80, 50)).astype(float)
GENE_LENGTHS = np.random.default_rng(1).lognormal(1, 1, 50)


class Stored:
    """What a dense HDF5 data set offers to the reader."""

    chunks = None

    def __init__(self, values):
        self.values = values

    def __getitem__(self, rows):
        return self.values[rows]


class Whole(np.ndarray):
    """An array that also answers to ``[()]``, as h5py's do."""

    def __new__(cls, values):
        return np.asarray(values).view(cls)


def verdict(values):
    source = MatrixSource("X", Stored(values), values.shape, "dense", values.dtype, values.size)
    return judge(source, [f"c{i}" for i in range(80)], [f"g{i}" for i in range(50)])


def per_cell(total):
    return COUNTS / COUNTS.sum(axis=1, keepdims=True) * total


def with_value(value):
    values = COUNTS.copy()
    values[4, 7] = value
    return values


@pytest.mark.parametrize(
    ("values", "expected", "words"),
    [
        (COUNTS, counts_choose.COUNTS, "whole numbers"),
        (COUNTS.astype(np.int64), counts_choose.COUNTS, "whole numbers"),
        (np.log1p(per_cell(1e4)), counts_choose.LOG, "base e, every cell scaled to 10,000)"),
        (np.log2(1 + per_cell(1e6)), counts_choose.LOG, "base 2, every cell scaled to 1,000,000)"),
        (np.log10(1 + per_cell(777)).round(3), counts_choose.LOG, "777, rounded to 3 decimals)"),
        (np.log1p(per_cell(1e4)).astype("f2"), counts_choose.LOG, "float16 is too coarse"),
        (np.log1p(COUNTS), counts_choose.LOG, "(base e); exact counts can be recovered"),
        (np.log1p(COUNTS**1.1), counts_choose.LOG, "exact counts cannot be recovered"),
        (per_cell(500.0), counts_choose.NORMALIZED, "adds up to 500); exact counts can be"),
        (per_cell(500.0) * GENE_LENGTHS, counts_choose.OTHER, "fractional values up to"),
        (COUNTS - COUNTS.mean(axis=0), counts_choose.SCALED, "z-scores"),
        ((COUNTS > 0).astype(float), counts_choose.BINARY, "binarized"),
        (COUNTS > 0, counts_choose.BINARY, "binarized"),
        (COUNTS * 0, counts_choose.EMPTY, "only zeros"),
        (with_value(0.5), counts_choose.NEARLY, "1 of "),
        (with_value(np.nan), counts_choose.DAMAGED, "nan in cell c4, gene g7"),
        (with_value(np.inf), counts_choose.DAMAGED, "inf in cell c4, gene g7"),
        (with_value(-1), counts_choose.DAMAGED, "-1 in cell c4, gene g7"),
        (with_value(1e30), counts_choose.OTHER, "too large"),
    ],
)
def test_the_verdict_follows_the_values(values, expected, words):
    report = verdict(values)
    assert report.verdict == expected
    assert words in report.reason


def test_a_report_states_range_and_median_total():
    report = verdict(COUNTS)
    assert (report.minimum, report.maximum) == (0, COUNTS.max())
    assert report.median_total == np.median(COUNTS.sum(axis=1))
    assert report.whole_share == 1


def named(*names):
    return [replace(verdict(COUNTS), name=name) for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("X", "raw.X", "layers/counts"), "layers/counts"),
        (("X", "raw.X", "layers/mine"), "raw.X"),
        (("layers/mine", "X"), "X"),
        (("X", "layers/Raw_Counts"), "layers/Raw_Counts"),
    ],
)
def test_usual_layers_come_first_then_raw_then_x(names, expected):
    assert choose(named(*names)).name == expected


def test_a_binary_matrix_is_taken_only_when_nothing_else_is_there():
    ones = replace(verdict(COUNTS > 0), name="layers/counts")
    assert choose([ones, *named("X")]).name == "X"
    assert choose([ones]).name == "layers/counts"


def test_without_counts_every_matrix_is_described():
    reports = [verdict(np.log1p(COUNTS**1.1)), replace(verdict(COUNTS - 3.5), name="raw.X")]
    with pytest.raises(CountsNotFound, match=r"raw\.X has negative.*X looks log-normalized"):
        choose(reports, recover=True)


def test_normalized_values_come_after_counts_and_before_binary():
    log = replace(verdict(np.log1p(per_cell(1e4))), name="layers/counts")
    binary = replace(verdict(COUNTS > 0), name="layers/raw")
    assert choose([log, binary, *named("X")], recover=True).name == "X"
    assert choose([log, binary], recover=True).name == "layers/counts"
    assert choose([log, binary]).name == "layers/raw"
    with pytest.raises(CountsNotFound):
        choose([log])


@pytest.mark.parametrize("stored", ["csr", "csc"])
def test_values_stored_out_of_order_are_counted(stored):
    counts = sp.csr_matrix(COUNTS) if stored == "csr" else sp.csc_matrix(COUNTS)
    node = {"data": counts.data, "indices": counts.indices.copy(), "indptr": counts.indptr}
    node["indices"][[3, 4]] = node["indices"][[4, 3]]
    node = {name: Whole(values) for name, values in node.items()}
    source = MatrixSource("X", node, counts.shape, stored, counts.dtype, counts.nnz)
    assert judge(source, range(80), range(50)).n_unsorted == 1
