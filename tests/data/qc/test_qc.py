"""Numbers per cell, the limits that are suggested on them, and what limits flag."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from scanvi_core.data.qc import limits as qc_limits
from scanvi_core.data.qc import metrics
from scanvi_core.data.qc.doublets import MAX_CELLS, MIN_CELLS, find_doublets, why_not
from scanvi_core.data.qc.limits import Spread
from tests import SHARED

MIXTURE = SHARED / "data" / "scmixology.h5ad"
HUMAN_ND1, MOUSE_ND4L = "ENSG00000198888", "ENSMUSG00000065947"


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def cells(random):
    """Two batches, the second twice as deep, as values and batch codes."""
    batch = np.repeat([0, 1], [300, 200])
    return np.rint(random.lognormal(np.log(1000.0), 0.2, 500) * (1 + batch)), batch


def spread_of(values, batch, *, upper=False):
    return Spread.of(values, batch, int(batch.max()) + 1, upper=upper, log=not upper)


# Mitochondrial genes and the numbers -----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["MT-ND1", "mt-Nd1", "MT.CO1", "GRCh38_MT-ND1", "mm10___mt-Nd1", HUMAN_ND1, MOUSE_ND4L,
     f"{HUMAN_ND1}.2"],
)  # fmt: skip
def test_a_mitochondrial_gene_is_known_by_symbol_or_ensembl_id(name):
    assert metrics.is_mitochondrial(np.array([name])).all()


@pytest.mark.parametrize("name", ["MT1A", "MTOR", "MTRNR2L1", "ENSG00000141510", "mt-", "AMT-1"])
def test_a_gene_of_the_nucleus_is_not_taken_for_one(name):
    assert not metrics.is_mitochondrial(np.array([name])).any()


def test_of_both_species_the_13_translated_genes_are_known():
    ids = metrics.ENSEMBL_MT
    assert sum(name.startswith("ENSG0") for name in ids) == 13
    assert sum(name.startswith("ENSMUSG0") for name in ids) == 13
    assert {len(name) for name in ids} == {len(HUMAN_ND1), len(MOUSE_ND4L)}


def measured(blocks, *names):
    meter = metrics.Meter(sum(block.shape[0] for block in blocks), *names)
    for block in blocks:
        meter.add(block)
    return meter.finish()


def test_the_numbers_are_those_of_a_dense_matrix_whatever_the_blocks(random):
    dense = random.poisson(0.7, (60, 30)).astype(np.float32)
    dense[[0, 31]] = 0
    names = np.array([f"G{i}" for i in range(28)] + ["MT-CO1", HUMAN_ND1])
    counts = sp.csr_matrix(dense)
    row, column = (index[5] for index in counts.nonzero())
    dense[row, column] = counts.data[5] = 0  # a zero that is stored
    found = measured([counts[:1], counts[1:40], counts[40:]], names)
    totals = dense.sum(axis=1)
    share = 100 * dense[:, 28:].sum(axis=1) / np.where(totals > 0, totals, 1)
    np.testing.assert_allclose(found.totals, totals)
    np.testing.assert_array_equal(found.n_genes, (dense > 0).sum(axis=1))
    np.testing.assert_allclose(found.pct_mt, share, rtol=1e-6)
    assert found.n_mt_genes == 2


def test_a_gene_without_a_symbol_is_known_by_its_id():
    counts = sp.csr_matrix(np.ones((2, 2), np.float32))
    found = measured([counts], np.array(["CD3D", "nan"]), np.array(["x", HUMAN_ND1]))
    assert found.pct_mt.tolist() == [50.0, 50.0]


# What a limit flags ----------------------------------------------------------------------------


@pytest.mark.parametrize("upper", [False, True])
def test_limits_flag_as_many_cells_as_a_comparison_of_each(cells, upper):
    values, batch = cells
    limits = np.array([values[5], values[400]])  # values that occur: the limit itself is kept
    each = values > limits[batch] if upper else values < limits[batch]
    found = spread_of(values, batch, upper=upper).flagged(limits)
    assert found.tolist() == np.bincount(batch[each], minlength=2).tolist()


@pytest.mark.parametrize("upper", [False, True])
def test_the_bins_hold_every_cell_once_and_the_flagged_apart(cells, upper):
    values, batch = cells
    spread, limits = spread_of(values, batch, upper=upper), np.array([900.0, 2100.0])
    kept, flagged = spread.histogram(limits, [0, 1])
    low = np.digitize(values, spread.edges[1:-1])
    each = values > limits[batch] if upper else values < limits[batch]
    np.testing.assert_array_equal(kept, np.bincount(low[~each], minlength=qc_limits.BINS))
    np.testing.assert_array_equal(flagged, np.bincount(low[each], minlength=qc_limits.BINS))
    alone, _ = spread.histogram(limits, [1])
    np.testing.assert_array_equal(
        alone, np.bincount(low[~each & (batch == 1)], minlength=qc_limits.BINS)
    )


def test_cells_without_a_value_are_neither_counted_nor_flagged(cells):
    values, batch = cells
    values[:10] = np.nan
    spread = spread_of(values, batch, upper=True)
    assert spread.flagged(np.zeros(2)).tolist() == [290, 200]


# Suggested limits ------------------------------------------------------------------------------


def test_a_cell_far_below_its_batch_is_poor_and_no_other(cells):
    values, batch = cells
    values[0], values[300] = 100, 350  # of some 1,000 and 2,000
    limits = qc_limits.low_limits(spread_of(values, batch))
    assert np.flatnonzero(values < limits[batch]).tolist() == [0, 300]


def test_low_limits_lie_three_to_five_times_below_the_batch(random):
    batch = np.repeat([0, 1], 2000)
    for width, fold in ((0.05, 3.0), (0.45, np.exp(3 * 0.45)), (2.0, 5.0)):
        values = random.lognormal(np.log(5000.0), width, 4000) * (1 + 9 * batch)
        limits = qc_limits.low_limits(spread_of(values, batch))
        middles = [np.median(values[batch == code]) for code in (0, 1)]
        np.testing.assert_allclose(limits, np.array(middles) / fold, rtol=0.06)


def test_high_limits_lie_five_deviations_above_the_batch_but_not_below_the_least(random):
    batch = np.repeat([0, 1], 2000)
    values = np.abs(random.normal(0, 1, 4000) + 12 * batch + 6)
    limits = qc_limits.high_limits(spread_of(values, batch, upper=True), least=15.0, step=0.5)
    assert limits[0] == 15.0
    assert limits[1] == pytest.approx(18 + 5, abs=0.6)
    assert (limits * 2 == np.rint(limits * 2)).all()


def test_a_small_batch_is_measured_by_all_cells(random):
    values = np.concatenate([random.lognormal(7, 0.1, 300), [20.0, 21.0, 22.0]])
    limits = qc_limits.low_limits(spread_of(values, np.repeat([0, 1], [300, 3])))
    assert limits[1] == limits[0] > 22


@pytest.mark.parametrize(
    ("middle", "step"), [(0, 1), (90, 1), (1234, 10), (2100, 20), (99_000, 500)]
)
def test_sliders_have_round_steps(middle, step):
    assert qc_limits.step_of(middle) == step


# Doublets --------------------------------------------------------------------------------------


@pytest.fixture
def types(random):
    """300 cells of three types and 12 doublets of two types each, last; which are doublets."""
    means = random.lognormal(0, 1.5, (3, 200))
    kind = np.repeat([0, 1, 2], 100)
    cells = random.poisson(means[kind])
    double = cells[:12] + cells[100:112]
    counts = sp.csr_matrix(np.vstack([cells, double]).astype(np.float32))
    return counts, np.repeat([False, True], [300, 12])


def test_doublets_of_two_types_score_higher_than_cells(types):
    counts, double = types
    found = find_doublets(counts, seed=0)
    assert not found.problem
    assert roc_auc_score(double, found.score) > 0.9


def test_the_same_seed_gives_the_same_scores(types):
    np.random.seed(1)  # noqa: NPY002  the state of others must not matter
    first = find_doublets(types[0], seed=3).score
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    np.testing.assert_array_equal(first, find_doublets(types[0], seed=3).score)
    after = np.random.get_state()[1]  # noqa: NPY002
    assert (after == state).all(), "somebody drew from the global generator"


def test_cells_that_are_all_alike_are_a_problem_not_a_crash():
    found = find_doublets(sp.csr_matrix(np.ones((60, 80), np.float32)), seed=0)
    assert found.problem
    assert np.isnan(found.score).all()


def test_too_few_too_many_and_too_large_batches_are_not_begun():
    assert str(MIN_CELLS) in why_not(MIN_CELLS - 1, 10, 1e6)
    assert f"{MAX_CELLS:,}" in why_not(MAX_CELLS + 1, 10, 1e6)
    assert "GB" in why_not(1000, 10**9, 1000.0)
    assert not why_not(1000, 10**6, 1000.0)


@pytest.mark.skipif(not MIXTURE.is_file(), reason="../shared/data is not here")
def test_doublets_by_genotype_score_higher_than_single_cells():
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = anndata.read_h5ad(MIXTURE)
    double = (cells.obs["demuxlet_cls"] == "DBL").to_numpy()
    batch, score = cells.obs["batch"].to_numpy(), np.zeros(cells.n_obs)
    for name in np.unique(batch):
        score[batch == name] = find_doublets(cells.X[batch == name], seed=0).score
    assert roc_auc_score(double, score) > 0.62
