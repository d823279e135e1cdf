"""Verdicts come from the values; recovery is exact or does not happen."""

from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pytest
import scipy.sparse as sp

from scanvi_core.data import matrices
from scanvi_core.data.columns import guess_batches, guess_labels
from scanvi_core.data.matrices import choose, judge
from scanvi_core.data.reading import MatrixSource
from scanvi_core.data.recovery import recover_counts
from scanvi_core.data.repairs import spelling_twins, unique_names
from scanvi_core.errors import CountsNotFound

SHARED = Path(__file__).parents[2].parent / "shared"
COUNTS = np.random.default_rng(0).negative_binomial(1, 0.2, (80, 50)).astype(float)


class Stored:
    """What a dense HDF5 data set offers to the reader."""

    chunks = None

    def __init__(self, values):
        self.values = values

    def __getitem__(self, rows):
        return self.values[rows]


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
        (COUNTS, matrices.COUNTS, "whole numbers"),
        (COUNTS.astype(np.int64), matrices.COUNTS, "whole numbers"),
        (np.log1p(per_cell(1e4)), matrices.LOG, "scaled to 10,000"),
        (np.log1p(COUNTS), matrices.LOG, "looks log-normalised"),
        (per_cell(500.0), matrices.NORMALISED, "adds up to 500"),
        (COUNTS - COUNTS.mean(axis=0), matrices.SCALED, "z-scores"),
        ((COUNTS > 0).astype(float), matrices.BINARY, "binarised"),
        (COUNTS > 0, matrices.BINARY, "binarised"),
        (COUNTS * 0, matrices.EMPTY, "only zeros"),
        (with_value(0.5), matrices.NEARLY, "1 of "),
        (with_value(np.nan), matrices.DAMAGED, "nan in cell c4, gene g7"),
        (with_value(np.inf), matrices.DAMAGED, "inf in cell c4, gene g7"),
        (with_value(-1), matrices.DAMAGED, "-1 in cell c4, gene g7"),
        (with_value(1e30), matrices.OTHER, "too large"),
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
    reports = [verdict(np.log1p(COUNTS)), replace(verdict(COUNTS - 3.5), name="raw.X")]
    with pytest.raises(CountsNotFound, match=r"raw\.X has negative.*X looks log-normalised"):
        choose(reports)


def test_counts_come_back_exactly_with_and_without_totals():
    counts = sp.csr_matrix(COUNTS.astype(np.float32))
    totals = COUNTS.sum(axis=1)
    rounded = sp.csr_matrix(np.round(np.log1p(per_cell(1e4)), 3))
    assert (recover_counts(rounded, totals) != counts).nnz == 0
    has_one = (COUNTS == 1).any(axis=1)
    assert (recover_counts(rounded[has_one]) != counts[has_one]).nnz == 0


def test_recovery_refuses_what_is_not_exact():
    values = sp.csr_matrix(np.log1p(per_cell(1e4)))
    with pytest.raises(CountsNotFound, match="of 80 cells"):
        recover_counts(values, COUNTS.sum(axis=1) * 1.3)
    big = sp.csr_matrix(np.log1p(np.array([[1.0, 900.0]])))
    with pytest.raises(CountsNotFound, match="1 of 1 cell"):  # 900 and 901 look alike
        recover_counts(big)


@pytest.mark.skipif(not SHARED.exists(), reason="the data sets are not here")
@pytest.mark.parametrize(
    ("name", "labels", "batch"),
    [
        ("kang_ifnb_2800", "cell_type", "batch"),
        ("scmixology", "cell_type", "batch"),
        ("onek1k_40donors", "cell_type", "batch"),
        ("zheng_facs_pbmc", "cell_type", None),
    ],
)
def test_the_right_columns_are_guessed_on_real_data(name, labels, batch):
    obs = anndata.read_h5ad(SHARED / "data" / f"{name}.h5ad", backed="r").obs
    assert guess_labels(obs)[0][0]["key"] == labels
    found = [item["key"] for item in guess_batches(obs)[0]]
    assert found == ([batch] if batch else [])


def test_unique_names_never_collide():
    names, notes = unique_names(np.array(["a", "a", "a-1", "a"], dtype=object), "cell")
    assert list(names) == ["a", "a-2", "a-1", "a-3"]
    assert "2 cell names" in notes[0]


def test_spelling_twins_are_seen_through_spaces_and_accents():
    twins = spelling_twins(["T cell", "T  cell ", "Müller", "Mu\u0308ller", "B"])
    assert sorted(map(len, twins)) == [2, 2]
