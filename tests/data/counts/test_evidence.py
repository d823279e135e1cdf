"""What the rest of a file says against a matrix, and what says nothing against it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.anndata_files.guess_columns import same_division
from scanvi_core.data.counts import evidence

N, GENES = 200, 300
RNG = np.random.default_rng(0)
DEPTH = RNG.lognormal(0, 0.5, (N, 1))
COUNTS = RNG.poisson(RNG.gamma(0.5, 2, (1, GENES)) * DEPTH).astype(float)
TOTALS = COUNTS.sum(axis=1)


def facts(values, groups=None):
    matrix = sp.coo_matrix(values)
    found = evidence.CellFacts.of(values.shape, groups)
    found.add(matrix.row, matrix.col, matrix.data)
    found.totals = values.sum(axis=1)
    return found


def against(values, **columns):
    obs = pd.DataFrame(columns, index=[f"c{i}" for i in range(N)])
    return evidence.contradiction(values.sum(axis=1), obs, facts(values), values.shape[1])


def normalized():
    return np.log1p(COUNTS / TOTALS[:, None] * 1e4)


@pytest.mark.parametrize("column", ["total_counts", "nCount_RNA", "n_counts", "nCount_Xenium"])
def test_counts_and_a_choice_of_their_genes_agree_with_the_totals(column):
    assert against(COUNTS, **{column: TOTALS}) == ""
    assert against(COUNTS[:, ::3], **{column: TOTALS}) == ""
    assert against(COUNTS) == ""


@pytest.mark.parametrize("cut", [np.floor, np.round, np.ceil])
@pytest.mark.parametrize("column", ["total_counts", "nCount_RNA"])
def test_logarithms_cut_to_whole_numbers_are_found(cut, column):
    values = cut(normalized())
    assert "not in step" in against(values, **{column: TOTALS})
    assert "logarithms cut" in against(values, **{column: TOTALS})
    assert evidence.looks_like_cut_logs(facts(values))
    assert not evidence.looks_like_cut_logs(facts(COUNTS))


def test_counts_corrected_by_sctransform_are_named():
    even = RNG.poisson(COUNTS / TOTALS[:, None] * np.median(TOTALS)).astype(float)
    both = {"nCount_RNA": TOTALS, "nCount_SCT": even.sum(axis=1)}
    assert "corrected by SCTransform" in against(even, **both)
    assert "as SCTransform does" in against(even, nCount_RNA=TOTALS)


def test_more_than_the_totals_and_less_over_all_genes_are_told():
    assert "are larger than" in against(COUNTS * 2, total_counts=TOTALS)
    wide = np.hstack([COUNTS, np.zeros((N, 10_000))])
    assert "ambient correction" in against(np.floor(wide * 0.8), total_counts=TOTALS)


def table(**columns):
    return pd.DataFrame({"sex": ["f", "m"] * (N // 2), **columns})


def test_the_batch_that_is_on_another_scale_is_named():
    first = np.arange(N) < N // 3
    obs = table(donor=np.where(first, "old", "new"))
    words = evidence.other_scale(first, ~first, obs)
    assert "in the cells of donor old and normalized values in those of new" in words
    assert evidence.other_scale(first, ~first, table()) == ""
    assert evidence.other_scale(first, np.zeros(N, bool), obs) == ""


def test_genes_that_one_batch_lacks_are_told_and_rare_ones_are_not():
    obs = table(batch=np.where(np.arange(N) < 80, "a", "query"))
    groups = evidence.Groups.of(obs, "batch")
    lacking = COUNTS.copy()
    lacking[80:, :90] = 0
    said = evidence.not_measured(facts(lacking, groups), "batch")
    n = int(said.split()[0])  # those too rare to be missed do not count
    assert 60 < n <= 90 and "in query (batch)" in said
    assert evidence.not_measured(facts(COUNTS, groups), "batch") == ""
    assert evidence.not_measured(facts(lacking), "batch") == ""


def test_columns_that_divide_the_cells_alike_are_found():
    obs = table(batch=["1", "2"] * (N // 2), other=["a"] * 3 + ["b"] * (N - 3))
    assert same_division(obs, "sex", "batch")
    assert not same_division(obs, "sex", "other")
