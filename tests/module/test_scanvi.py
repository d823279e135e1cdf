"""What SCANVI takes, refuses and returns."""

import numpy as np
import pytest
import torch

from scanvi_core.errors import SettingInvalid
from scanvi_core.module import SCANVI, VAE
from scanvi_core.module.groups import log_hierarchy
from scanvi_core.nn.noise import drawing_from, generator_in_use

G, B = 20, 12


def counts(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.poisson(torch.full((B, G), 2.0), generator=generator)


def make(n_labels=3, **options):
    module = SCANVI(G, 2, n_labels, n_hidden=16, **({"use_observed_lib_size": True} | options))
    module.draw_parameters(torch.Generator().manual_seed(0))
    return module.double().eval()


X, BATCH = counts().double(), torch.arange(B) % 2


@pytest.mark.parametrize(
    "options",
    [
        {"n_labels": 0},
        {"dispersion": "cell"},
        {"reconstruction_loss": "poisson"},
        {"encoder_input": "raw"},
        {"y_prior": [0.5, 0.5]},
        {"y_prior": [0.5, 0.5, 0.0]},
        {"y_prior": [0.5, float("nan"), 0.5]},
        {"labels_groups": [0, 0]},
        {"labels_groups": [0, 2, 2]},
        {"use_labels_groups": True},
        {"classifier_parameters": {"width": 3}},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(SettingInvalid) as error:
        SCANVI(**({"n_input": G, "n_labels": 3} | options))
    assert error.value.hint


def test_missing_inputs_are_named():
    with pytest.raises(SettingInvalid, match="local_l_mean"):
        make(use_observed_lib_size=False)(X, batch_index=BATCH)
    with pytest.raises(SettingInvalid, match="2 categories"):
        make()(X)
    with pytest.raises(SettingInvalid, match="gene-label"):
        VAE(G, n_labels=2, dispersion="gene-label", use_observed_lib_size=True)(counts())
    with pytest.raises(SettingInvalid, match="no labels"):
        VAE(G, dispersion="gene-label")


def test_state_names_and_shapes_are_the_published_ones():
    state = SCANVI(G, 2, 3).state_dict()
    assert len(state) == 68
    for name, shape in {
        "z_encoder.encoder.fc_layers.Layer 0.0.weight": (128, G),
        "z_encoder.encoder.fc_layers.Layer 0.1.running_var": (128,),
        "l_encoder.var_encoder.weight": (1, 128),
        "decoder.px_decoder.fc_layers.Layer 0.0.weight": (128, 12),
        "decoder.px_scale_decoder.0.weight": (G, 128),
        "decoder.px_r_decoder.bias": (G,),
        "decoder.px_dropout_decoder.weight": (G, 128),
        "classifier.classifier.0.fc_layers.Layer 0.0.weight": (128, 10),
        "classifier.classifier.1.weight": (3, 128),
        "encoder_z2_z1.encoder.fc_layers.Layer 0.0.weight": (128, 13),
        "decoder_z1_z2.mean_decoder.weight": (10, 128),
        "px_r": (G,),
        "y_prior": (1, 3),
    }.items():
        assert tuple(state[name].shape) == shape, name
    grouped = SCANVI(G, 2, 3, labels_groups=[0, 0, 1], use_labels_groups=True).state_dict()
    assert grouped["groups_index.0"].tolist() == [1, 1, 0]
    assert grouped["classifier_groups.classifier.1.weight"].shape == (2, 128)


def test_classifier_parameters_override_and_stay_untouched():
    given = {"n_hidden": 7, "logits": False}
    module = make(classifier_parameters=given)
    assert module.classifier.classifier[1].weight.shape == (3, 7)
    assert given == {"n_hidden": 7, "logits": False}
    assert make().classifier.classifier[1].weight.shape == (3, 16)


def test_probabilities_are_one_softmax_of_the_logits_at_the_posterior_mean():
    module = make()
    logits = module.classifier(module.encode(X).mean).detach().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(module.classify(X).detach(), expected, atol=1e-12)


def test_group_probabilities_split_the_group_classifier():
    generator = torch.Generator().manual_seed(0)
    leaf, group = (torch.randn(5, n, generator=generator).double() for n in (4, 2))
    groups = torch.tensor([0, 1, 0, 1])
    p = log_hierarchy(leaf, group, groups).exp()
    torch.testing.assert_close(p[:, [0, 2]].sum(1), group.softmax(1)[:, 0])
    torch.testing.assert_close(p[:, 0] / p[:, 2], (leaf[:, 0] - leaf[:, 2]).exp())
    torch.testing.assert_close(p.sum(1), torch.ones(5).double())
    # One group is no groups; a group for each label is the group classifier alone.
    one = log_hierarchy(leaf, group[:, :1], torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(one.exp(), leaf.softmax(1))
    each = log_hierarchy(leaf, leaf + 1, torch.arange(4))
    torch.testing.assert_close(each.exp(), leaf.softmax(1))


def test_groups_serve_the_bound_and_the_prediction_alike(monkeypatch):
    module = make(labels_groups=[0, 0, 1], use_labels_groups=True)
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    q = module.bound(X, batch_index=BATCH).q.T
    torch.testing.assert_close(q, module.classify(X))
    plain = module.classifier(module.encode(X).mean).softmax(1)
    assert not torch.allclose(q, plain)


@pytest.mark.parametrize("hierarchical", [False, True])
def test_label_of_a_group_costs_the_mass_of_the_group(hierarchical):
    module = make(labels_groups=[0, 0, 1], use_labels_groups=hierarchical)
    y = torch.tensor([0, 1, 2, 3, 4, 3, -1])
    terms = module.loss(X, BATCH, labeled=(X[:7], y), classification_ratio=1.0)
    p = module.classify(X[:7]).detach().numpy()
    sums = [p[0, 0], p[1, 1], p[2, 2], p[3, :2].sum(), p[4, 2], p[5, :2].sum(), 1.0]
    assert terms.classification.item() == pytest.approx(-np.log(sums).mean(), rel=1e-9)


def test_label_out_of_range_is_an_error():
    with pytest.raises(IndexError):
        make().loss(X, BATCH, labeled=(X, torch.full((B,), 3)))


def test_one_label_needs_no_decision():
    module = make(1, dispersion="gene-label")
    y = torch.zeros(B, 1, dtype=torch.long)
    assert module.encoder_z2_z1.encoder.fc_layers[0][0].weight.shape == (16, 10)
    assert torch.equal(module.classify(X), torch.ones(B, 1).double())
    bound = module.bound(X, batch_index=BATCH)
    assert bound.C.abs().max() == 0
    terms = module.loss(X, BATCH, labeled=(X, y))
    assert terms.classification == 0
    with drawing_from(torch.Generator().manual_seed(0)):
        free = module(X, batch_index=BATCH)
    with drawing_from(torch.Generator().manual_seed(0)):
        known = module(X, batch_index=BATCH, y=y)
    torch.testing.assert_close(free[0], known[0])


@pytest.mark.parametrize("n_labels", [2, 50])
def test_shapes_for_few_and_many_labels(n_labels):
    module = make(n_labels).train()
    rec, kl, zero = module(X, batch_index=BATCH[:, None])
    assert (rec.shape, kl.shape, zero) == ((B,), (B,), 0.0)
    assert module.classify(X).shape == (B, n_labels)
    assert [z.shape for z in module.get_latents(X)] == [(B, 10), (B, 10)]


def test_second_latent_is_the_average_over_labels_or_that_of_the_label():
    module = make()
    y = torch.arange(B) % 3
    each = torch.stack([module.get_latents(X, torch.full((B,), k))[1] for k in range(3)], 1)
    q = module.classify(X)
    torch.testing.assert_close(module.get_latents(X)[1], (q[:, :, None] * each).sum(1))
    torch.testing.assert_close(module.get_latents(X, y)[1], each[torch.arange(B), y])
    one_hot = torch.eye(3).double()[y]
    z1 = module.get_latents(X)[0]
    torch.testing.assert_close(each[torch.arange(B), y], module.encoder_z2_z1(z1, one_hot).mean)


def test_eval_outputs_do_not_depend_on_the_minibatch_but_on_its_order():
    module, order = make(), torch.randperm(B, generator=torch.Generator().manual_seed(2))
    whole = module.classify(X)
    torch.testing.assert_close(module.classify(X[order]), whole[order], rtol=0, atol=1e-14)
    parts = torch.cat([module.classify(x) for x in X.split(5)])
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-14)


def test_gene_order_does_not_matter_when_the_weights_follow(monkeypatch):
    module, order = make(), torch.randperm(G, generator=torch.Generator().manual_seed(2))
    monkeypatch.setattr(SCANVI, "draw", lambda _, q: q.mean)
    before = module.loss(X, BATCH).loss
    linear = module.z_encoder.encoder.fc_layers[0][0]
    linear.weight.data = linear.weight.data[:, order]
    for layer in (module.decoder.px_scale_decoder[0], module.decoder.px_dropout_decoder):
        layer.weight.data, layer.bias.data = layer.weight.data[order], layer.bias.data[order]
    module.px_r.data = module.px_r.data[order]
    torch.testing.assert_close(module.loss(X[:, order], BATCH).loss, before)


def test_batch_reaches_the_decoder_only():
    module = make()
    outputs = []
    for index in (BATCH, 1 - BATCH, torch.eye(2)[BATCH]):
        with drawing_from(torch.Generator().manual_seed(0)):
            outputs.append(module.bound(X, batch_index=index))
    assert torch.equal(outputs[0].P, outputs[1].P)
    assert not torch.allclose(outputs[0].R, outputs[1].R)
    assert torch.equal(outputs[0].R, outputs[2].R)


@pytest.mark.parametrize("encoder_input", ["log1p", "log_normalized"])
@pytest.mark.parametrize("likelihood", ["nb", "zinb"])
def test_empty_cell_has_a_finite_loss_and_gradient(encoder_input, likelihood):
    module = make(encoder_input=encoder_input, reconstruction_loss=likelihood).float().train()
    x = counts()
    x[0] = 0
    y = torch.zeros(B, dtype=torch.long)
    terms = module.loss(x, BATCH, labeled=(x, y))
    terms.loss.backward()
    assert torch.isfinite(terms.loss)
    for name, p in module.named_parameters():
        assert p.grad is None or torch.isfinite(p.grad).all(), name


def test_normalized_encoder_input_ignores_the_depth():
    module = make(encoder_input="log_normalized")
    torch.testing.assert_close(module.classify(X), module.classify(3 * X))
    assert not torch.allclose(make().classify(X), make().classify(3 * X))
    seen = []
    module.z_encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    module.classify(X)
    expected = (X / X.sum(1, keepdim=True) * 1e4).log1p()
    torch.testing.assert_close(seen[0].dense(), expected)


def test_dispersion_is_bounded_outside_parity():
    module = make()
    module.px_r.data[:2] = torch.tensor([200.0, -200.0])
    decoded = module.decode(torch.zeros(1, 10).double(), torch.zeros(1, 1).double(), BATCH[:1])
    theta = module.theta(decoded, None)
    assert theta[0].item() == pytest.approx(np.exp(11))
    assert theta[1].item() == pytest.approx(np.exp(-11))
    exact = make(parity=True)
    torch.testing.assert_close(exact.theta(decoded, None), exact.px_r.exp())


def test_generator_decides_every_draw_dropout_included():
    module = make(input_dropout_rate=0.3, dropout_rate=0.2).train()
    losses = [
        module.loss(X, BATCH, generator=torch.Generator().manual_seed(s)).loss for s in (1, 1, 2)
    ]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert generator_in_use() is None


def test_batch_of_equal_totals_keeps_the_library_divergence_finite():
    mean, none = torch.full((B, 1), 3.0).double(), torch.zeros(B, 1).double()
    kl = make(use_observed_lib_size=False)(X, mean, none, BATCH)[1]
    assert torch.isfinite(kl).all()


def test_input_dropout_hides_genes_from_the_encoder_while_training():
    module, seen = make(input_dropout_rate=0.9), []
    module.z_encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    for training in (True, False):
        module.train(training).classify(X + 1)
    assert 0.8 < (seen[0].values == 0).double().mean() < 0.97
    assert (seen[1].values > 0).all()


def test_layer_norm_model_has_no_running_statistics():
    assert not [name for name in make(use_layer_norm=True).state_dict() if "running" in name]


def test_vae_returns_reconstruction_and_divergence():
    module = VAE(G, 2, n_hidden=16, reconstruction_loss="nb").eval()
    x, prior = counts(), torch.ones(B, 1)
    generator = torch.Generator().manual_seed(0)
    with drawing_from(generator):
        rec, kl, zero = module(x, 3 * prior, prior, BATCH)
    q = module.encode(x)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, q.var.sqrt()), torch.distributions.Normal(0, 1)
    ).sum(1)
    torch.testing.assert_close(kl, expected)
    assert (rec.shape, zero) == ((B,), 0.0)
    assert torch.equal(module.get_latents(x)[0], q.mean)
