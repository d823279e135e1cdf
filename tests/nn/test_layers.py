"""The fully connected block and dropout against numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scanvi_core.errors import SettingInvalid
from scanvi_core.nn.layers import Dropout, FCLayers, HiddenLayers, draw_weights
from scanvi_core.nn.noise import drawing_from

N_IN, N_OUT, CELLS = 5, 4, 7
SURE = HiddenLayers(dropout_rate=0.0)


def numpy_block(block, h, covariates, running):
    """FC block by the definition: concatenate, map, batch norm, ReLU; `running` is updated."""
    for i, layer in enumerate(block.fc_layers):
        linear = layer[0]
        h = np.concatenate([h, *covariates], axis=1)
        h = h @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
        if block.training:
            mean, var = h.mean(0), h.var(0)
            n = len(h)
            running[i][0] = 0.99 * running[i][0] + 0.01 * mean
            running[i][1] = 0.99 * running[i][1] + 0.01 * var * n / (n - 1)
        else:
            mean, var = running[i]
        gamma, beta = layer[1].weight.detach().numpy(), layer[1].bias.detach().numpy()
        h = np.maximum((h - mean) / np.sqrt(var + 1e-3) * gamma + beta, 0)
    return h


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("n_cats", [(), (3,), (3, 1, 2)])
def test_block_equals_numpy_in_training_and_after(n_layers, n_cats):
    rng = np.random.default_rng(0)
    block = FCLayers(N_IN, N_OUT, HiddenLayers(n_layers, 6, 0.0), n_cats).double()
    for layer in block.fc_layers:
        torch.nn.init.uniform_(layer[1].weight, 0.5, 2)
        torch.nn.init.normal_(layer[1].bias)
    running = [[np.zeros(w), np.ones(w)] for w in [6] * (n_layers - 1) + [N_OUT]]
    for training in (True, True, False):
        block.train(training)
        h = rng.normal(size=(CELLS, N_IN))
        index = [rng.integers(0, n, CELLS) for n in n_cats]
        expected = numpy_block(
            block, h, [np.eye(n)[c] for n, c in zip(n_cats, index, strict=True) if n > 1], running
        )
        # First covariate as an index column, the others one-hot.
        given = [
            torch.tensor(c)[:, None] if j == 0 else torch.tensor(np.eye(n)[c])
            for j, (n, c) in enumerate(zip(n_cats, index, strict=True))
        ]
        np.testing.assert_allclose(
            block(torch.tensor(h), *given).detach(), expected, rtol=0, atol=1e-12
        )
    np.testing.assert_allclose(block.fc_layers[0][1].running_var, running[0][1], atol=1e-12)


def test_broadcast_labels_equal_the_stacked_pass():
    block = FCLayers(N_IN, N_OUT, SURE, (3,)).double()
    h = torch.randn(CELLS, N_IN, dtype=torch.float64)
    eye = torch.eye(3, dtype=torch.float64)
    stacked = block(h.repeat(3, 1), eye.repeat_interleave(CELLS, 0)).view(3, CELLS, N_OUT)
    torch.testing.assert_close(block(h[None], eye[:, None]), stacked, rtol=0, atol=1e-12)


def test_missing_covariate_is_named():
    with pytest.raises(SettingInvalid, match="3 categories"):
        FCLayers(N_IN, N_OUT, HiddenLayers(), (3,))(torch.zeros(2, N_IN), None)


def test_layer_norm_makes_a_cell_independent_of_its_minibatch():
    h = torch.randn(CELLS, N_IN)
    layer = FCLayers(N_IN, N_OUT, replace(SURE, use_layer_norm=True))
    torch.testing.assert_close(layer(h)[:2], layer(h[:2]))
    batch = FCLayers(N_IN, N_OUT, SURE)
    assert not torch.allclose(batch(h)[:2], batch(h[:2]))


def test_dropout_keeps_the_mean_and_the_rate():
    dropout = Dropout(0.3)
    with drawing_from(torch.Generator().manual_seed(1)):
        out = dropout(torch.ones(200_001))
    assert out.mean().item() == pytest.approx(1, abs=4 * (0.3 / 0.7 / 200_000) ** 0.5)
    assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=4 * (0.21 / 200_000) ** 0.5)
    assert out.max().item() == pytest.approx(1 / 0.7, rel=1e-4)
    # The four parts of one draw are independent.
    lanes = (out[:200_000] == 0).double().view(-1, 4)
    assert torch.corrcoef(lanes.T).fill_diagonal_(0).abs().max() < 4 / 50_000**0.5


def test_dropout_repeats_with_its_generator_and_is_off_in_eval():
    dropout, h = Dropout(0.5), torch.randn(31, 3)
    draws = []
    for _ in range(2):
        with drawing_from(torch.Generator().manual_seed(7)):
            draws.append(dropout(h))
    assert torch.equal(*draws)
    assert not torch.equal(draws[0], dropout(h))
    assert dropout.eval()(h) is h


def test_drawn_weights_follow_the_rule_and_the_generator():
    layers = [FCLayers(400, 50, HiddenLayers()) for _ in range(2)]
    for layer in layers:
        draw_weights(layer, torch.Generator().manual_seed(3))
    first, second = (layer.fc_layers[0][0].weight for layer in layers)
    assert torch.equal(first, second)
    assert 0.0499 < first.abs().max() <= 0.05
    assert first.std().item() == pytest.approx(0.05 / 3**0.5, rel=0.02)
