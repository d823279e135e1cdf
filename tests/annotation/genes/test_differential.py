import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.stats import ks_2samp

from scanvi_core.annotation.genes import differential
from scanvi_core.annotation.genes.differential import DifferentialSettings, compare, marked
from scanvi_core.annotation.genes.expression import sampled_scales
from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.datasets import simulate
from scanvi_core.errors import InputError, SettingInvalid

FOLD = 6.0


@pytest.fixture(scope="module")
def simulated():
    return simulate(900, 80, 2, 3, marker_fold=FOLD, random=np.random.default_rng(0))


@pytest.fixture(scope="module")
def counts(simulated):
    return sparse.csr_array(simulated.X)


@pytest.fixture(scope="module")
def batches(simulated):
    return np.array(["a", "b"])[simulated.batch_indices[:, 0]]


@pytest.fixture(scope="module")
def groups(simulated):
    return tuple(np.flatnonzero(simulated.labels[:, 0] == code) for code in (0, 2))


@pytest.fixture(scope="module")
def model(simulated, counts):
    torch.set_num_threads(1)
    cells = Inputs(
        counts, simulated.gene_names, simulated.labels[:, 0], simulated.cell_types,
        simulated.batch_indices[:, 0], ("a", "b"),
    )  # fmt: skip
    config = ModelConfig(n_hidden=64, n_latent=8, input_dropout_rate=0.0, dropout_rate=0.1)
    train = TrainConfig(max_epochs=100, classification_ratio=10.0, device="cpu")
    return Annotator.fit(cells, config, train)


@pytest.fixture(scope="module")
def table(model, counts, batches, groups):
    return model.differential_expression(counts, groups, batches=batches)


@pytest.fixture(scope="module")
def truth(simulated, groups):
    """Log2 ratio of the mean shares, within each batch, then averaged."""
    shares = simulated.X / simulated.X.sum(1, keepdims=True)
    batch = simulated.batch_indices[:, 0]
    ratios = []
    for code in (0, 1):
        a, b = (shares[rows[batch[rows] == code]].mean(0) for rows in groups)
        ratios.append(np.log2(a + 1e-5) - np.log2(b + 1e-5))
    return np.mean(ratios, axis=0)


def test_markers_are_found_and_others_are_not(table, truth):
    strong = np.abs(truth) > 1.5
    assert strong.sum() >= 8
    assert table["different"][strong].mean() > 0.8
    assert not table["different"][np.abs(truth) < 0.3].any()


def test_fold_changes_are_those_of_the_counts(table, truth):
    assert np.corrcoef(table["lfc_mean"], truth)[0, 1] > 0.95
    inside = (table["lfc_low"] <= table["lfc_median"]) & (table["lfc_median"] <= table["lfc_high"])
    assert inside.all() and (table["lfc_sd"] > 0).all()


def test_means_and_shares_of_detection_are_those_of_the_counts(table, simulated, groups):
    for name, rows in zip("ab", groups, strict=True):
        own = simulated.X[rows]
        assert np.allclose(table[f"mean_{name}"], own.mean(0), rtol=1e-5)
        assert np.allclose(table[f"detected_{name}"], (own > 0).mean(0))


def test_a_group_differs_from_itself_in_nothing(model, counts, batches, groups):
    table = model.differential_expression(counts, (groups[0], groups[0]), batches=batches)
    assert not table["different"].any()
    assert table["p_de"].max() < 0.5 and (table["log_bayes"] < 0).all()
    assert table["lfc_mean"].abs().max() < 0.05


def test_swapped_groups_swap_signs_and_keep_probabilities(model, counts, batches, groups, table):
    other = model.differential_expression(counts, groups[::-1], batches=batches)
    assert np.allclose(other["p_de"], table["p_de"], atol=0.05)
    error = table["lfc_sd"] / 5_000**0.5  # of each mean of 5,000 pairs
    assert ((other["lfc_mean"] + table["lfc_mean"]).abs() < 5 * 2**0.5 * error).all()


def test_a_change_of_exactly_delta_counts_in_both_directions():
    scale = np.array([[0.5, 0.25, 0.125, 0.125]])
    swapped = np.array([[0.25, 0.5, 0.125, 0.125]])
    found = differential._fold_changes(scale, swapped, 0.0, 1.0)
    assert found["p_de"][:2].tolist() == [1.0, 1.0] and found["p_de"][2:].tolist() == [0.0, 0.0]
    assert found["lfc_mean"].tolist() == [1.0, -1.0, 0.0, 0.0]


def test_a_batch_effect_is_no_difference(model, counts, batches, simulated):
    one_type = simulated.labels[:, 0] == 0
    groups = tuple(one_type & (batches == name) for name in "ab")
    corrected = model.differential_expression(counts, groups, batches=batches)
    settings = DifferentialSettings(same_batch=False)
    observed = model.differential_expression(counts, groups, batches=batches, settings=settings)
    assert corrected["lfc_mean"].std() < 0.5 * observed["lfc_mean"].std()


def test_cells_drawn_first_are_distributed_as_all_cells_decoded(model, counts, groups):
    batch = np.zeros(900, dtype=np.int64)
    settings = DifferentialSettings(n_samples=3_000, pseudocount=1e-5)
    table = compare(model.module, counts, groups, batch, settings)
    draws = []
    with torch.no_grad():
        for i, rows in enumerate(groups):
            noise = torch.Generator().manual_seed(i)
            q = model.module.encode(torch.from_numpy(counts[rows].toarray()))
            eps = torch.randn(20, len(rows), 8, generator=noise)
            z = (q.mean + q.var.sqrt() * eps).reshape(-1, 8)
            zeros = torch.zeros(len(z), dtype=torch.long)
            scale = model.module.decode(z, torch.zeros(len(z), 1), zeros).scale.numpy()
            draws.append(np.random.default_rng(i).permutation(scale)[:3_000])
    lfc = np.log2(draws[0] + 1e-5) - np.log2(draws[1] + 1e-5)
    assert np.allclose(table["lfc_mean"], lfc.mean(0), atol=5 * lfc.std(0).max() / 3_000**0.5)
    assert np.allclose(table["lfc_sd"], lfc.std(0), rtol=0.12)
    rows = np.random.default_rng(5).choice(groups[0], 3_000)
    ours = sampled_scales(model.module, counts, rows, np.zeros(3_000, dtype=np.int64), seed=1)
    for gene in range(0, 80, 10):
        assert ks_2samp(ours[:, gene], draws[0][:, gene]).pvalue > 1e-4


def test_the_same_seed_gives_the_same_table(model, counts, batches, groups, table):
    again = model.differential_expression(counts, groups, batches=batches)
    assert again.equals(table)
    other = DifferentialSettings(seed=1)
    assert not model.differential_expression(
        counts, groups, batches=batches, settings=other
    ).equals(table)


def test_the_expected_share_of_false_discoveries_is_kept():
    p = np.random.default_rng(0).random(500) ** 0.3
    for fdr in (0.01, 0.05, 0.2):
        chosen = marked(p, fdr)
        assert (1 - p[chosen]).mean() <= fdr
        one_more = np.append(p[chosen], p[~chosen].max())
        assert (1 - one_more).mean() > fdr
    assert not marked(np.full(4, 0.5), 0.05).any()
    assert marked(np.ones(4), 0.0).all()


def test_silent_genes_do_not_differ(model, simulated, batches, groups):
    silent = simulated.X.copy()
    silent[:, 5] = 0
    table = model.differential_expression(sparse.csr_array(silent), groups, batches=batches)
    assert not table["different"].iloc[5] and table["mean_a"].iloc[5] == 0


def test_the_pseudocount_is_what_silent_genes_decode_to_and_at_least_one_count():
    scales = np.array([[0.5, 0.2, 0.3, 0.0], [0.7, 0.0, 0.1, 0.2]])
    loud = np.array([5.0, 1.0, 2.0, 2.0])
    silent = np.array([9.0, 0.0, 91.0, 0.0])
    assert differential._pseudocount(scales, loud) == 0.1
    assert differential._pseudocount(scales, silent) == pytest.approx(0.1)
    assert differential._pseudocount(scales / 100, silent) == 0.01


def test_rows_are_named_by_gene_and_found_by_name(model, counts, batches, groups, table):
    order = np.random.default_rng(2).permutation(80)
    names = [model.genes[i] for i in order]
    again = model.differential_expression(counts[:, order], groups, names, batches=batches)
    assert tuple(table.index) == model.genes and again.equals(table)


def test_masks_are_as_good_as_positions(model, counts, batches, groups, table):
    masks = tuple(np.isin(np.arange(900), rows) for rows in groups)
    assert model.differential_expression(counts, masks, batches=batches).equals(table)


def test_a_group_without_counts_is_refused(model, counts, batches, groups):
    with pytest.raises(InputError, match="Group B has 0 cells"):
        model.differential_expression(counts, (groups[0], groups[1][:0]), batches=batches)


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"delta": 0.0}, {"fdr": 1.5}])
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(SettingInvalid, match=next(iter(wrong))):
        DifferentialSettings(**wrong)
