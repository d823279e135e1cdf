"""Our model against scvi-tools 1.4.2: same weights, inputs and noise, same numbers.

The numbers are stored in `scvi_tools_142.safetensors`; benchmarks/reference/make_reference.py
made them and tells how. Where scvi-tools is installed, everything is compared once more with
numbers made at that moment from other random weights. `parity=True` puts the epsilons of the
published formulas back; what the product does instead is in `test_deviations_are_the_named_ones`.
"""

import itertools

import numpy as np
import pytest
import torch

from scanvi_core.distributions.negative_binomial import nb_log_prob, zinb_log_prob
from scanvi_core.module import SCANVI
from scanvi_core.nn.layers import FCLayers, HiddenLayers
from scanvi_core.train.schedule import kl_weight

G, K, S, H, L = 20, 3, 2, 16, 4
SHAPE = {"n_hidden": H, "n_latent": L, "dropout_rate": 0.0}
PRIOR = [0.1, 0.5, 0.4]
KL_WEIGHTS, RATIOS = (0.0, 0.3, 1.0), (0.0, 50.0)
LIKELIHOODS, DISPERSIONS = ("nb", "zinb"), ("gene", "gene-batch", "gene-cell")


def toy(**options):
    return SCANVI(G, S, K, **({"use_observed_lib_size": True, "parity": True} | SHAPE | options))


@pytest.mark.parametrize("likelihood", [0, 1], ids=LIKELIHOODS)
@pytest.mark.parametrize("dispersion", [0, 1, 2], ids=DISPERSIONS)
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("training", [0, 1], ids=["eval", "train"])
def test_loss(reference, share_noise, close, likelihood, dispersion, n_layers, training):
    x, batch, y = (reference[f"cells/{name}"] for name in ("x", "batch", "y"))
    # scvi-tools computes the dispersion by batch in single precision, whatever the model is in.
    tolerance = 1e-6 if DISPERSIONS[dispersion] == "gene-batch" else 1e-12
    for i, prior in enumerate((None, PRIOR)):
        options = {
            "dispersion": DISPERSIONS[dispersion],
            "reconstruction_loss": LIKELIHOODS[likelihood],
            "n_layers": n_layers,
            "y_prior": prior,
        }
        for (j, w), (k, ratio) in itertools.product(enumerate(KL_WEIGHTS), enumerate(RATIOS)):
            module = reference.load(toy(**options), n_layers).train(bool(training))
            share_noise(reference["cells/eps_z1"], reference["cells/eps_z2"])
            labeled = (x[:7], y[:7])
            terms = module.loss(x, batch, labeled=labeled, kl_weight=w, classification_ratio=ratio)
            at = (likelihood, dispersion, n_layers - 1, training, i, j, k)
            close(terms.loss, reference["losses"][at], tolerance)


@pytest.mark.parametrize("likelihood", [0, 1], ids=LIKELIHOODS)
def test_loss_with_latent_library(reference, share_noise, close, likelihood):
    module = toy(reconstruction_loss=LIKELIHOODS[likelihood], use_observed_lib_size=False)
    reference.load(module, 1).eval()
    x, batch = reference["cells/x"], reference["cells/batch"]
    mean, var = (torch.tensor(v).double()[batch, None] for v in ([3.4, 3.9], [0.2, 0.5]))
    share_noise(*(reference[f"cells/eps_{name}"] for name in ("z1", "l", "z2")))
    terms = module.loss(x, batch, kl_weight=0.3, local_l_mean=mean, local_l_var=var)
    # Their prior of the library is in single precision.
    close(terms.loss, reference["latent_library_losses"][likelihood], 1e-7)


@pytest.mark.parametrize("n_layers", [1, 2])
def test_networks(reference, close, n_layers):
    module = toy(dispersion="gene-cell", n_layers=n_layers, use_observed_lib_size=False)
    reference.load(module, n_layers).eval()
    x, batch, y, z, eps_l = (
        reference[f"cells/{name}"] for name in ("x", "batch", "y", "eps_z1", "eps_l")
    )
    q_z, q_l = module.encode(x), module.l_encoder(x.log1p())
    q_z2, p_z1 = module.encoder_z2_z1(z, y), module.decoder_z1_z2(z, y)
    decoded = module.decode(z, eps_l + 3.0, batch)
    got = {
        "z_mean": q_z.mean,
        "z_var": q_z.var,
        "l_mean": q_l.mean,
        "l_var": q_l.var,
        "z2_mean": q_z2.mean,
        "z2_var": q_z2.var,
        "z1_mean": p_z1.mean,
        "z1_var": p_z1.var,
        "scale": decoded.scale,
        "r": decoded.r,
        "rate": decoded.rate,
        "zi_logits": decoded.zi_logits,
        "logits": module.classifier(z),
        "classified": module.classifier(q_z.mean),
    }
    for name, expected in reference.part(f"networks/{n_layers}").items():
        close(got.pop(name), expected, 1e-12)
    assert not got
    expected = reference[f"networks/{n_layers}/classified"].softmax(-1)
    close(module.classify(x), expected, 1e-12)


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("cats", [(), (3,), (3, 1, 2)], ids=len)
def test_block(reference, close, n_layers, cats):
    part = f"block/{n_layers}/{len(cats)}"
    block = FCLayers(5, 4, HiddenLayers(n_layers, 6, 0.0), cats)
    block.load_state_dict(reference.part(f"{part}/state"), strict=False)
    block.double()
    h, index, out = (reference[f"{part}/{name}"] for name in ("h", "index", "out"))
    for step in range(6):
        covariates = [index[step, :, j] for j in range(len(cats))]
        if step % 2 and cats:  # an index column, or one-hot
            covariates[0] = torch.nn.functional.one_hot(covariates[0], 3)
        close(block.train(step < 5)(h[step], *covariates), out[step], 1e-12)
    state = block.state_dict()
    for name, expected in reference.part(f"{part}/final").items():
        close(state[name], expected, 1e-12)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihood_and_its_gradients(reference, close, name):
    grid = reference.part("likelihoods")
    parameters = [grid[p].clone().requires_grad_() for p in ("mu", "theta", "w")]
    parameters = parameters[: 2 if name == "nb" else 3]
    log_prob = nb_log_prob if name == "nb" else zinb_log_prob
    value = log_prob(grid["x"], *parameters, parity=True)
    close(value, grid[name], 1e-12)
    gradients = torch.autograd.grad(value.sum(), parameters)
    for of, gradient in zip("mtw", gradients, strict=False):
        close(gradient, grid[f"{name}_d{of}"], 1e-8)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_deviations_are_the_named_ones(reference, name):
    grid = reference.part("likelihoods")
    parameters = [grid[p] for p in ("mu", "theta", "w")][: 2 if name == "nb" else 3]
    log_prob = nb_log_prob if name == "nb" else zinb_log_prob
    difference = (log_prob(grid["x"], *parameters) - grid[name]).abs()
    # 1e-8 inside a logarithm shifts it by at most 1e-8 / mu or 1e-8 / theta, for each count.
    x, mu, theta = grid["x"], grid["mu"], grid["theta"]
    allowed = 1e-8 * (x / mu + 2 * (x + theta) / (theta + mu) + 1) + 1e-9
    assert (difference <= allowed).all()
    assert difference.max() > 1e-7


def test_kl_schedule(reference):
    for step, length, expected in reference["schedule"].tolist():
        # Ours is a share of the planned steps.
        assert kl_weight(int(step), 2000, length / 2000) == pytest.approx(expected, abs=1e-12)


def test_parameters_have_the_same_names_and_shapes(reference):
    for n_layers in (1, 2):
        theirs = reference.part(f"weights/{n_layers}")
        ours = toy(dispersion="gene-cell", n_layers=n_layers, use_observed_lib_size=False)
        state = {
            name: value.shape
            for name, value in ours.state_dict().items()
            if "num_batches" not in name and name != "y_prior"
        }
        assert state == {name: value.shape for name, value in theirs.items()}


def test_training_curve(reference, share_noise, close):
    curve = reference.part("curve")
    module = reference.load(toy(reconstruction_loss="zinb"), 1).float().train()
    optimizer = torch.optim.Adam(
        [p for p in module.parameters() if p.requires_grad], lr=1e-3, eps=0.01, weight_decay=1e-6
    )
    losses = []
    for step, rows in enumerate(curve["rows"]):
        share_noise(curve["eps_z1"][step], curve["eps_z2"][step])
        known = curve["labelled"][step]
        terms = module.loss(
            curve["x"][rows].float(),
            curve["batch"][rows],
            labeled=(curve["x"][known].float(), curve["y"][known]),
            kl_weight=min(1.0, step / 25),
        )
        optimizer.zero_grad()
        terms.loss.backward()
        optimizer.step()
        losses.append(terms.loss.item())
    np.testing.assert_allclose(losses, curve["loss"], rtol=1e-5)
    state = module.state_dict()
    final = reference.part("curve/final")
    trained = [name for name in final if name in state]
    assert len(trained) > 40
    for name in trained:
        np.testing.assert_allclose(state[name], final[name], atol=1e-4, err_msg=name)
