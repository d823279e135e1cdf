"""Recovered counts are the true ones, or the matrix is refused. Never anything in between."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from scanvi_core.data.blocks.hdf5 import find_matrices
from scanvi_core.data.counts import convert, recovery
from scanvi_core.data.counts.choose import choose, judge
from scanvi_core.data.counts.convert import CountsConverter, converted_blocks, totals_of
from scanvi_core.data.counts.recovery import detect, recover_counts, solve
from scanvi_core.data.counts.recovery_proof import Recovery, Totals
from scanvi_core.errors import CountsNotFound
from tests import SHARED

REAL = SHARED / "data" / "pbmc68k_reduced_counts.h5ad"
LOGS = {"e": np.log1p, "2": lambda v: np.log2(1 + v), "10": lambda v: np.log10(1 + v)}


def cells(n=200, genes=300, seed=0):
    """Counts of cells of two kinds and of very different depth."""
    rng = np.random.default_rng(seed)
    means = rng.gamma(0.3, 2.0, (2, genes))
    means[:, :20] += 4
    means = means[rng.integers(0, 2, n)]
    depth = rng.lognormal(0, 0.6, (n, 1)).clip(0.5)
    return sp.csr_matrix(rng.poisson(means * depth)).astype(np.float32)


COUNTS = cells()


def scaled(counts, target=1e4, dtype=np.float32):
    dense = counts.toarray().astype(dtype)
    totals = dense.sum(axis=1, keepdims=True)
    target = np.median(totals) if target == "median" else target
    return dense / np.maximum(totals / target, 1e-9).astype(dtype)


def log(counts, target=1e4):
    return np.log1p(scaled(counts, target))


def recover(values, totals=None):
    """Detect, recover and prove, as the import does; refuses with CountsNotFound."""
    matrix = sp.csr_matrix(values)
    scale = detect(matrix)
    if scale is None:
        raise CountsNotFound("no scale", "")
    proof = Recovery("X", scale, matrix.shape[0], totals)
    proof.feed(matrix, 0)
    return matrix, proof.finish(np.array([f"c{at}" for at in range(matrix.shape[0])]))


def same(found, truth):
    return (sp.csr_matrix(found) != sp.csr_matrix(truth)).nnz == 0


@pytest.mark.parametrize("base", LOGS)
@pytest.mark.parametrize("target", [1e4, 1e6, "median", 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_base_target_and_width_gives_the_true_counts(base, target, dtype):
    found, facts = recover(LOGS[base](scaled(COUNTS, target, dtype)).astype(dtype))
    assert same(found, COUNTS)
    assert (facts["base"], facts["decimals"]) == (base, None)
    expected = np.median(COUNTS.toarray().sum(axis=1)) if target == "median" else target
    assert facts["target"] == pytest.approx(expected, rel=1e-5)
    assert facts["largest_error"] < (1e-6 if target != 1 else 1e-4)  # log2(1 + 1e-5) in float32
    assert f"base {base}, target" in facts["text"]


@pytest.mark.parametrize("decimals", [3, 4, 6])
@pytest.mark.parametrize("base", LOGS)
def test_rounded_values_give_the_true_counts(base, decimals):
    found, facts = recover(np.round(LOGS[base](scaled(COUNTS)), decimals))
    assert same(found, COUNTS)
    if decimals < 6:  # float32 shows no more
        assert facts["decimals"] == decimals
        assert f"rounded to {decimals} decimals" in facts["text"]


def test_genes_taken_out_afterwards_leave_the_counts_and_hide_the_target():
    some = np.random.default_rng(1).choice(300, 120, replace=False)
    found, facts = recover(log(COUNTS)[:, some])
    assert same(found, COUNTS[:, some])
    assert facts["target"] is None
    assert "genes were taken out afterwards" in facts["text"]


def test_counts_without_logarithm_and_without_scaling_come_back():
    found, facts = recover(scaled(COUNTS))
    assert same(found, COUNTS)
    assert facts["base"] == "none"
    found, facts = recover(np.log1p(COUNTS.toarray()))
    assert same(found, COUNTS)
    assert "not scaled" in facts["text"]


def test_a_smallest_value_of_several_counts_is_recognized():
    counts = sp.csr_matrix(np.where(COUNTS.toarray() > 0, COUNTS.toarray() + 4, 0))
    assert same(recover(log(counts))[0], counts)


def test_totals_settle_the_factor_that_all_counts_of_a_cell_share():
    counts = COUNTS.toarray()
    counts[:5] *= 2
    some = np.arange(0, 300, 2)
    values = log(sp.csr_matrix(counts))[:, some]
    totals = Totals("n_counts", counts.sum(axis=1))
    found, facts = recover(values, totals)
    assert same(found, counts[:, some])
    assert facts["totals_column"] == "n_counts"
    assert facts["target"] == pytest.approx(1e4, rel=1e-5)
    assert not same(recover(values)[0], counts[:, some])  # nothing else can tell


def test_totals_of_something_else_are_not_used():
    other = Totals("n_counts", np.random.default_rng(2).integers(5_000, 9_000, 200).astype(float))
    found, facts = recover(log(COUNTS), other)
    assert same(found, COUNTS)
    assert facts["totals_column"] is None


def test_cells_that_may_hide_a_factor_are_counted_and_too_many_refused():
    counts = COUNTS.toarray()
    for at in range(4):
        counts[at, np.flatnonzero(counts[at])[4:]] = 0
        counts[at, np.flatnonzero(counts[at])[:4]] = [2, 4, 2, 6]
    found, facts = recover(log(sp.csr_matrix(counts)))
    assert same(found[4:], counts[4:])
    assert facts["n_assumed"] == 4
    assert facts["assumed"] == ["c0", "c1", "c2", "c3"]
    assert "in 4 cells (for example c0) a factor" in facts["text"]
    with pytest.raises(CountsNotFound, match="in 4 of 24 cells a common factor"):
        recover(log(sp.csr_matrix(counts[:24])))


def test_a_cell_that_does_not_fit_is_left_out_and_named_and_too_many_are_refused():
    values = log(COUNTS)
    values[7, np.flatnonzero(values[7])[3]] *= 1.01
    found, facts = recover(values)
    assert found[7].sum() == 0
    expected = COUNTS.toarray()
    expected[7] = 0
    assert same(found, expected)
    assert facts["left_out"] == [
        {"why": "their values are no whole multiples of one unit", "n": 1, "cells": ["c7"]}
    ]
    assert "1 cell left out because" in facts["text"]
    rows = np.arange(30)
    values[rows, values[rows].argmax(axis=1)] *= 1.003
    with pytest.raises(CountsNotFound, match="30 of 200 cells cannot be recovered: "):
        recover(values)


def test_a_count_too_large_for_three_decimals_is_never_guessed():
    counts = COUNTS.toarray()
    counts[3, 0], counts[4, 0] = 20_000, 25_001
    found, facts = recover(np.round(log(sp.csr_matrix(counts)), 3))
    assert found[3].sum() == found[4].sum() == 0
    assert same(found[5:], counts[5:])
    assert facts["left_out"][0]["n"] == 2
    assert same(recover(log(sp.csr_matrix(counts)))[0], counts)  # float32 tells them apart


def test_small_counts_narrow_the_unit_until_large_ones_are_settled():
    counts = np.append(np.arange(1.0, 100), 600)
    values = np.round(np.log1p(counts / 2), 3)
    found = solve(values, np.array([0, 100]), recovery.Scale("e", 3))
    assert found.status.tolist() == [recovery.PROVEN]
    assert np.array_equal(found.counts, counts)


def test_few_equal_values_prove_nothing():
    found = solve(np.full(3, 1.5), np.array([0, 3]), recovery.Scale("e"))
    assert found.status.tolist() == [recovery.WEAK]


def smooth(values, k, seed=3):
    """Average every cell with k - 1 of its like, as neighbor graphs do."""
    rng = np.random.default_rng(seed)
    order = np.argsort(values.sum(axis=1) + rng.normal(size=len(values)))
    place = np.argsort(order)
    near = (place[:, None] + np.arange(k)) % len(values)
    return values[order[near]].mean(axis=1)


def bent():
    rng = np.random.default_rng(4)
    dense, values = COUNTS.toarray(), log(COUNTS).astype(float)
    lengths = rng.lognormal(8, 0.7, 300).astype(int) + 200
    ambient = dense.sum(axis=0) / dense.sum()
    soup = np.maximum(dense - 0.1 * dense.sum(axis=1, keepdims=True) * ambient, 0)
    ranks = dense.argsort(axis=1).argsort(axis=1)
    low_rank = np.linalg.svd(values, full_matrices=False)
    denoised = (low_rank[0][:, :10] * low_rank[1][:10]) @ low_rank[2][:10]
    batch = rng.integers(0, 2, (200, 1))
    expected = dense.sum(axis=1, keepdims=True) * ambient
    residuals = (dense - expected) / np.sqrt(expected + expected**2 / 100 + 1e-9)
    return {
        "averaged logs": smooth(values, 5),
        "averaged logs, rounded": smooth(values, 5).round(3),
        "averaged normalized": np.log1p(smooth(scaled(COUNTS), 15)),
        "averaged counts": np.log1p(smooth(dense, 15)),
        "averaged counts, normalized": log(sp.csr_matrix(smooth(dense, 15))),
        "low rank": np.maximum(denoised, 0),
        "regressed": values - batch * values.mean(axis=0) * 0.1,
        "regressed, positive": np.maximum(values - batch * values.mean(axis=0) * 0.1, 0),
        "quantile of counts": log(sp.csr_matrix(np.sort(dense, axis=1).mean(axis=0)[ranks])),
        "quantile of logs": np.sort(values, axis=1).mean(axis=0)[ranks],
        "per gene length": log(sp.csr_matrix(dense / lengths), 1e6),
        "per kilobase": log(sp.csr_matrix(dense / np.ceil(lengths / 1e3)), 1e6),
        "ambient taken off": log(sp.csr_matrix(soup)),
        "ambient taken off, rounded": log(sp.csr_matrix(soup)).round(3),
        "float16 stored as float32": log(COUNTS).astype(np.float16).astype(np.float32),
        "scaled": (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9),
        "scaled, not centered": values / (values.std(axis=0) + 1e-9),
        "residuals": np.clip(residuals, -14, 14),
        "residuals, positive": np.maximum(residuals, 0),
        "square root": np.sqrt(scaled(COUNTS)),
        "arcsinh": np.arcsinh(scaled(COUNTS)),
        "two decimals": values.round(2),
        "cut off at the top": np.minimum(values, np.quantile(values[values > 0], 0.99)),
        "factors per gene": log(sp.csr_matrix(dense * rng.lognormal(0, 0.2, 300))),
        "factors per gene, one batch": log(
            sp.csr_matrix(np.where(batch, dense * rng.lognormal(0, 0.2, 300), dense))
        ),
    }


BENT = bent()


@pytest.mark.parametrize("name", BENT)
def test_what_is_not_normalized_counts_is_refused(name):
    with pytest.raises(CountsNotFound):
        recover(BENT[name])


@pytest.mark.skipif(not REAL.exists(), reason="the data sets are not here")
def test_real_cells_come_back_and_their_averages_do_not():
    counts = anndata.read_h5ad(REAL).X[:250]
    found, _ = recover(log(counts).round(3))
    assert same(found, counts)
    with pytest.raises(CountsNotFound, match="more alike than counts can be"):
        recover(log(sp.csr_matrix(smooth(counts.toarray(), 15))))


def test_one_unit_in_all_cells_is_an_average_unless_it_is_one_count():
    with pytest.raises(CountsNotFound, match=r"share the unit 0\.1429"):
        recover(np.log1p(COUNTS.toarray() / 7))


def test_counts_that_add_up_to_more_than_the_totals_say_are_refused():
    totals = Totals("n_counts", np.random.default_rng(5).integers(10, 50, 200).astype(float))
    with pytest.raises(CountsNotFound, match="more than the column n_counts"):
        recover(log(COUNTS), totals)


def test_blocks_give_what_the_whole_gives():
    matrix = sp.csr_matrix(log(COUNTS).round(3))
    whole, facts = recover(matrix.copy())
    proof = Recovery("X", detect(matrix), 200)
    parts = [matrix[:90].copy(), matrix[90:91].copy(), matrix[91:].copy()]
    for part, first in zip(parts, (0, 90, 91), strict=True):
        proof.feed(part, first)
    assert same(sp.vstack(parts), whole)
    assert proof.finish(np.arange(200))["text"] == facts["text"]


def test_all_or_nothing_for_the_built_in_example():
    assert same(recover_counts(sp.csr_matrix(log(COUNTS).round(3))), COUNTS)
    values = log(COUNTS)
    values[7, np.flatnonzero(values[7])[3]] *= 1.01
    with pytest.raises(CountsNotFound, match="1 of 200 cells"):
        recover_counts(sp.csr_matrix(values))


def test_a_column_of_totals_has_whole_numbers_that_differ():
    obs = pd.DataFrame({"N_Counts": [3, 4], "total_counts": [1.5, 2.0], "nUMI": [1e4, 1e4]})
    found = totals_of(obs)
    assert found is not None
    assert found.name == "N_Counts"
    assert totals_of(obs[["total_counts", "nUMI"]]) is None


def loaded(path, adata, twist=len):
    adata.write_h5ad(path)
    with h5py.File(path, "r+") as file:
        twist(file)
        sources, _ = find_matrices(file, *adata.shape)
        genes = adata.var_names.to_numpy(dtype=object)
        reports = [judge(source, adata.obs_names, genes) for source in sources]
        chosen = choose(reports, recover=True)
        source = next(item for item in sources if item.name == chosen.name)
        converter = CountsConverter(chosen, adata.obs, genes)
        found = sp.vstack(list(converted_blocks(source, converter)), format="csr")
        return found, *converter.finish()


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, np.asarray])
def test_a_file_of_normalized_values_gives_counts_and_facts(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(convert, "BLOCK_VALUES", 2_000)  # many blocks
    obs = pd.DataFrame(
        {"n_counts": np.asarray(COUNTS.sum(axis=1)).ravel()}, index=np.arange(200).astype(str)
    )
    found, notes, recovery = loaded(
        tmp_path / "t.h5ad", anndata.AnnData(kind(log(COUNTS)), obs=obs)
    )
    assert same(found, COUNTS)
    assert found.dtype == np.float32
    assert recovery["totals_column"] == "n_counts"
    assert notes == [recovery["text"]]
    assert notes[0].startswith(
        "Counts recovered from log-normalized X: base e, target 10,000; exact for 200 cells"
    )


def test_entries_stored_twice_or_out_of_order_and_summary_rows_are_told(tmp_path):
    def twist(file):
        indices = file["X/indices"]
        indices[1], indices[0] = indices[0], indices[1]
        values = file["X/data"][:2]
        file["X/data"][:2] = values[::-1]
        start, stop = file["X/indptr"][1:3]
        indices[start + 1] = indices[start]
        assert stop > start + 1

    adata = anndata.AnnData(COUNTS)
    adata.var_names = [f"g{at}" for at in range(298)] + ["__no_feature", "__ambiguous"]
    found, notes, recovery = loaded(tmp_path / "t.h5ad", adata, twist)
    assert recovery is None
    assert found[:, 298:].nnz == 0
    assert same(found[0, :298], COUNTS[0, :298])
    assert found[1, :298].sum() == COUNTS[1, :298].sum()
    assert notes == [
        "X: 1 value stored out of order; sorted here.",
        "X: 1 value stored twice for the same cell and gene; added up here.",
        (
            "2 genes called __no_feature, __ambiguous: summaries of read counting, no genes. "
            "Their values are not used."
        ),
    ]
