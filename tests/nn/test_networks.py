"""Encoder, decoders and classifier: shapes, floors, and only the work that is needed."""

import pytest
import torch

from scanvi_core.nn.layers import HiddenLayers
from scanvi_core.nn.networks import Classifier, Decoder, Encoder, GaussianDecoder

NARROW = HiddenLayers(n_hidden=8)


def test_encoder_variance_is_exp_plus_floor_and_the_decoder_has_none_in_parity():
    x = torch.randn(6, 5, dtype=torch.float64)
    encoder = Encoder(5, 3, NARROW).double().eval()
    mean, var = encoder(x)
    h = encoder.encoder(x, None)
    torch.testing.assert_close(mean, h @ encoder.mean_encoder.weight.T + encoder.mean_encoder.bias)
    log_var = h @ encoder.var_encoder.weight.T + encoder.var_encoder.bias
    torch.testing.assert_close(var, log_var.exp() + 1e-4, rtol=0, atol=1e-12)
    bare = GaussianDecoder(5, 3, NARROW, variance_floor=0.0).double().eval()
    bare.var_decoder.bias.data.fill_(-40.0)
    bare.var_decoder.weight.data.zero_()
    assert bare(x).var.max() < 1e-17
    bare.variance_floor = 1e-4
    assert bare(x).var.min() >= 1e-4


def test_decoded_rate_is_the_library_spread_by_the_scale():
    decoder = Decoder(3, 11, NARROW, 2).double()
    z = torch.randn(5, 3, dtype=torch.float64)
    library = torch.rand(5, 1, dtype=torch.float64) * 5
    out = decoder(z, library, torch.tensor([0, 1, 0, 1, 1]))
    torch.testing.assert_close(out.scale.sum(1), torch.ones(5, dtype=torch.float64))
    torch.testing.assert_close(out.rate.sum(1), library[:, 0].exp())
    torch.testing.assert_close(out.rate / out.scale, library.exp().expand(5, 11))


@pytest.mark.parametrize("r_per_cell", [True, False])
@pytest.mark.parametrize("zero_inflated", [True, False])
def test_decoder_runs_and_trains_only_the_heads_it_needs(r_per_cell, zero_inflated):
    decoder = Decoder(3, 11, NARROW, r_per_cell=r_per_cell, zero_inflated=zero_inflated)
    calls = []
    decoder.px_r_decoder.register_forward_hook(lambda *_: calls.append("r"))
    decoder.px_dropout_decoder.register_forward_hook(lambda *_: calls.append("zi"))
    out = decoder(torch.randn(4, 3), torch.zeros(4, 1))
    assert calls == ["r"] * r_per_cell + ["zi"] * zero_inflated
    assert (out.r is not None, out.zi_logits is not None) == (r_per_cell, zero_inflated)
    assert decoder.px_dropout_decoder.weight.requires_grad == zero_inflated
    assert decoder.px_r_decoder.weight.requires_grad == r_per_cell


def test_classifier_returns_logits_and_can_be_linear():
    z = torch.randn(50, 3)
    linear = Classifier(3, 4, HiddenLayers(n_layers=0))
    assert list(linear.state_dict()) == ["classifier.0.weight", "classifier.0.bias"]
    torch.testing.assert_close(linear(z)[:1] * 2, linear(2 * z[:1]) + linear(z[:1] * 0))
    out = Classifier(3, 4, HiddenLayers())(z)
    assert (out < 0).any()
    assert not torch.allclose(out.sum(1), torch.ones(50))
