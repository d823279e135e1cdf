from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from scanvi_core.annotation.model.annotator import Annotator
from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.annotation.query import QuerySettings, extended, map_query
from scanvi_core.config import DISPERSIONS, ModelConfig, TrainConfig
from scanvi_core.datasets import simulate
from scanvi_core.errors import InputError

NAMES = np.array(["a", "b", "c", "d"])
MODEL = ModelConfig(n_hidden=32, n_latent=5, input_dropout_rate=0.0)
BRIEF = QuerySettings(n_steps=20)


@pytest.fixture(scope="module")
def simulated():
    torch.set_num_threads(1)
    return simulate(900, 60, 4, 3, random=np.random.default_rng(0))


@pytest.fixture(scope="module")
def counts(simulated):
    return sparse.csr_array(simulated.X)


@pytest.fixture(scope="module")
def batches(simulated):
    return NAMES[simulated.batch_indices[:, 0]]


def trained(simulated, counts, known, config=MODEL, epochs=50):
    own = simulated.batch_indices[:, 0] < known
    cells = Inputs(
        counts[own], simulated.gene_names, simulated.labels[own, 0], simulated.cell_types,
        simulated.batch_indices[own, 0], tuple(NAMES[:known]),
    )  # fmt: skip
    return Annotator.fit(cells, config, TrainConfig(max_epochs=epochs, device="cpu"))


@pytest.fixture(scope="module")
def reference(simulated, counts):
    return trained(simulated, counts, 2)


@pytest.fixture(scope="module")
def mapped(reference, simulated, counts, batches):
    query = np.isin(batches, ["c", "d"])
    return map_query(reference, counts[query], simulated.gene_names, batches[query])


def state(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same_bits(a, b):
    return a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


def grown(model):
    return {"decoder.px_decoder.fc_layers.Layer 0.0.weight"} | (
        {"px_r"} if model.model_config.dispersion == "gene-batch" else set()
    )


def test_every_tensor_but_the_new_columns_is_left_bit_for_bit(reference, mapped):
    before, after = state(reference), state(mapped)
    assert before.keys() == after.keys()
    for name, value in before.items():
        old = after[name]
        if name in grown(reference):
            assert old.shape[1] == value.shape[1] + 2
            old = old[:, : value.shape[1]].contiguous()
        assert same_bits(old, value), name


def test_all_cells_keep_states_and_predictions_bit_for_bit(reference, mapped, counts):
    before, after = reference.predict(counts), mapped.predict(counts)
    for part in ("probabilities", "scanvi", "z1", "z2"):
        assert getattr(before, part).tobytes() == getattr(after, part).tobytes(), part


def test_the_reference_itself_is_not_changed(reference, simulated, counts, batches):
    before = state(reference)
    map_query(reference, counts, simulated.gene_names, batches, BRIEF)
    assert reference.batch_names == ("a", "b")
    assert all(same_bits(value, state(reference)[name]) for name, value in before.items())


def test_known_batches_are_decoded_as_before(reference, mapped, counts, batches):
    own = np.isin(batches, ["a", "b"])
    before, after = (
        model.get_normalized_expression(counts[own], batches=batches[own])
        for model in (reference, mapped)
    )
    assert np.allclose(before, after, rtol=1e-5)


def test_new_batches_are_explained_better_than_as_any_known_one(mapped, counts, batches):
    for new in ("c", "d"):
        own = batches == new
        dense = counts[own].toarray()
        observed = (dense / dense.sum(1, keepdims=True)).mean(0)

        def error(name, own=own, observed=observed):
            found = mapped.get_normalized_expression(counts[own], transform_batch=[name])
            return np.abs(np.log(found.mean(0) / observed)).mean()

        assert error(new) < 0.8 * min(error("a"), error("b"))


def test_cells_of_new_batches_decode_to_the_expression_of_known_ones(mapped, counts, batches):
    found = mapped.get_normalized_expression(counts, transform_batch=["a"])
    means = [found[batches == name].mean(0) for name in NAMES]
    raw = counts.toarray() / counts.sum(axis=1)[:, None]
    observed = [raw[batches == name].mean(0) for name in NAMES]
    for new in (2, 3):
        left = np.abs(np.log(means[new] / means[0])).mean()
        assert left < 0.5 * np.abs(np.log(observed[new] / observed[0])).mean()


@pytest.mark.parametrize("dispersion", DISPERSIONS)
@pytest.mark.parametrize("known", [1, 2])
def test_new_columns_start_from_the_mean_of_the_old(simulated, counts, dispersion, known):
    config = replace(MODEL, dispersion=dispersion, n_layers=2)
    reference = trained(simulated, counts, known, config, epochs=1)
    before, after = state(reference), extended(reference, 2).state_dict()
    changed = {name for name, value in before.items() if value.shape != after[name].shape}
    layers = {f"decoder.px_decoder.fc_layers.Layer {i}.0.weight" for i in (0, 1)}
    assert changed == layers | ({"px_r"} if dispersion == "gene-batch" else set())
    for name in changed:
        old = before[name]
        expected = (
            old[:, -known:].mean(1) if known > 1 or name == "px_r" else torch.zeros(len(old))
        )
        for column in (-2, -1):
            assert torch.allclose(after[name][:, column], expected, atol=1e-7)
    found, x = extended(reference, 2), torch.from_numpy(simulated.X[:9])
    with torch.no_grad():
        z, zero = reference.module.encode(x).mean, torch.zeros(9, dtype=torch.long)
        for model in (reference.module, found):
            decoded = model.decode(z, torch.zeros(9, 1), zero)
            if model is reference.module:
                expected = decoded.scale
        assert torch.allclose(decoded.scale, expected, rtol=1e-5)


@pytest.mark.parametrize("dispersion", DISPERSIONS)
@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
def test_every_kind_of_model_learns_its_new_columns(
    simulated, counts, batches, dispersion, likelihood
):
    config = replace(
        MODEL, dispersion=dispersion, gene_likelihood=likelihood, use_observed_lib_size=False
    )
    reference = trained(simulated, counts, 2, config, epochs=1)
    start, found = extended(reference, 2).state_dict(), None
    found = state(map_query(reference, counts, simulated.gene_names, batches, BRIEF))
    moved = {name for name, value in start.items() if not same_bits(value, found[name])}
    assert moved == grown(reference)
    for name in moved:
        change = (found[name] - start[name]).abs().sum(0)
        assert (change[-2:] > 0).all() and not change[:-2].any()


def test_genes_missing_in_the_query_teach_nothing(reference, simulated, counts, batches):
    query, kept = batches == "c", np.arange(45)
    part = counts[query][:, kept]
    names = [simulated.gene_names[i] for i in kept]
    mapped = map_query(reference, part, names, batches[query])
    assert "15 of 60 genes were missing" in mapped.history.notes[0]
    found = mapped.get_normalized_expression(part, names, transform_batch=["c"])
    as_known = mapped.get_normalized_expression(part, names, transform_batch=["a", "b"])
    shares = found[:, kept] / found[:, kept].sum(1, keepdims=True)
    dense = part.toarray()
    observed = (dense / dense.sum(1, keepdims=True)).mean(0)
    known = as_known[:, kept] / as_known[:, kept].sum(1, keepdims=True)
    errors = [np.abs(np.log(p.mean(0) / observed)).mean() for p in (shares, known)]
    assert errors[0] < 0.8 * errors[1]


def test_genes_are_matched_by_name(reference, mapped, simulated, counts, batches):
    order = np.random.default_rng(1).permutation(60)
    names = [simulated.gene_names[i] for i in order]
    query = np.isin(batches, ["c", "d"])
    again = map_query(reference, counts[query][:, order], names, batches[query])
    assert all(same_bits(value, state(again)[name]) for name, value in state(mapped).items())


def test_cells_of_known_batches_teach_nothing(reference, mapped, simulated, counts, batches):
    order = np.argsort(np.isin(batches, ["a", "b"]), kind="stable")  # the new ones first
    again = map_query(reference, counts[order], simulated.gene_names, batches[order])
    assert all(same_bits(value, state(again)[name]) for name, value in state(mapped).items())


def test_a_query_of_known_batches_only_changes_nothing(reference, simulated, counts, batches):
    own = batches == "a"
    again = map_query(reference, counts[own], simulated.gene_names, batches[own])
    assert again.batch_names == reference.batch_names
    assert all(same_bits(value, state(again)[name]) for name, value in state(reference).items())


@pytest.mark.parametrize("n_cells", [0, 1])
def test_a_batch_of_one_cell_or_of_empty_cells_can_be_mapped(
    reference, simulated, counts, n_cells
):
    few = sparse.csr_array(counts[:3].toarray() * (np.arange(3) < n_cells)[:, None])
    mapped = map_query(reference, few, simulated.gene_names, ["new"] * 3, BRIEF)
    assert mapped.batch_names == ("a", "b", "new")
    assert all(torch.isfinite(value).all() for value in state(mapped).values())


def test_a_mapped_model_is_saved_and_mapped_again(mapped, simulated, counts, batches, tmp_path):
    mapped.save(tmp_path)
    loaded = Annotator.load(tmp_path, "cpu")
    assert loaded.batch_names == mapped.batch_names
    before, after = (
        model.get_normalized_expression(counts, batches=batches) for model in (mapped, loaded)
    )
    assert np.array_equal(before, after)
    more = map_query(loaded, counts[:50], simulated.gene_names, ["e"] * 50, BRIEF)
    assert more.batch_names == (*mapped.batch_names, "e")


def test_other_genes_and_too_few_batch_names_are_refused(reference, counts, simulated, batches):
    with pytest.raises(InputError, match="0 of the model's 60 genes"):
        map_query(reference, counts, [f"x{i}" for i in range(60)], batches)
    with pytest.raises(InputError, match="batch names"):
        map_query(reference, counts, simulated.gene_names, batches[:4])
