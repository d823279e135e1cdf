"""Write the numbers of scvi-tools 1.4.2 that our model is compared with.

Run in an environment of its own, never in that of the project::

    python -m venv ../benchenv
    ../benchenv/bin/pip install torch==2.13.0 && ../benchenv/bin/pip install scvi-tools==1.4.2
    ../benchenv/bin/python benchmarks/reference/make_reference.py

Everything is made on a toy model of 20 genes, 3 labels and 2 batches in double precision, whose
batch norm has random statistics (fresh ones would make eval mode nearly the identity). The noise
of every reparametrized draw is given from outside, so that two programs can share it.
"""

import copy
import itertools
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from scvi import REGISTRY_KEYS
from scvi.distributions import NegativeBinomial, ZeroInflatedNegativeBinomial
from scvi.module import SCANVAE
from scvi.nn import FCLayers
from scvi.train._trainingplans import _compute_kl_weight  # the schedule has no public name

FOLDER = Path(__file__).parents[2] / "tests" / "reference"
G, K, S, B, H, L = 20, 3, 2, 16, 16, 4  # genes, labels, batches, cells, hidden, latent
N_LABELED = 7
PRIOR = (0.1, 0.5, 0.4)
LIBRARY_MEAN, LIBRARY_VAR = [[3.4, 3.9]], [[0.2, 0.5]]
# Axes of "losses", in this order.
LIKELIHOODS = ("nb", "zinb")
DISPERSIONS = ("gene", "gene-batch", "gene-cell")
LAYERS = (1, 2)
TRAINING = (False, True)
PRIORS = (None, PRIOR)
KL_WEIGHTS = (0.0, 0.3, 1.0)
RATIOS = (0.0, 50.0)
CURVE_CELLS, CURVE_STEPS = 64, 50
BLOCK_CATS = ((), (3,), (3, 1, 2))
BLOCK_LAYERS = (1, 3)

Arrays = dict[str, np.ndarray]


def toy(**options) -> SCANVAE:
    """Return the toy model; dropout is off, since two programs cannot share its masks."""
    if options.get("y_prior") is not None:
        options["y_prior"] = torch.tensor([options["y_prior"]])
    settings = {"n_hidden": H, "n_latent": L, "dropout_rate": 0.0} | options
    return SCANVAE(G, S, K, **settings)


def random_state(module: torch.nn.Module, rng: np.random.Generator) -> Arrays:
    """Return random values for every entry of the state, in single precision."""
    state = {}
    for name, old in module.state_dict().items():
        if "num_batches" in name or name == "y_prior":
            continue
        if name.endswith("running_var") or (".1.weight" in name and old.ndim == 1):
            value = rng.uniform(0.5, 1.5, old.shape)
        elif old.ndim == 2 and name != "px_r":
            value = rng.uniform(-1, 1, old.shape) / np.sqrt(old.shape[1])
        else:
            value = rng.normal(scale=0.5, size=old.shape)
        state[name] = value.astype(np.float32)
    return state


class SharedNoise:
    """Give the draws of torch.distributions from a list; zeros when it is used up."""

    def __init__(self, *noise: np.ndarray) -> None:
        self.noise = list(noise)

    def __enter__(self) -> None:
        self.before = torch.distributions.normal._standard_normal
        torch.distributions.normal._standard_normal = self.draw

    def __exit__(self, *_: object) -> None:
        torch.distributions.normal._standard_normal = self.before

    def draw(self, shape, dtype, device):
        """Return the next noise of the list."""
        if not self.noise:
            return torch.zeros(shape, dtype=dtype, device=device)
        return torch.as_tensor(self.noise.pop(0), dtype=dtype).reshape(shape)


def tensors(x: np.ndarray, batch: np.ndarray, y: np.ndarray, dtype=torch.float64):
    """Return a minibatch as the module takes it."""
    return {
        REGISTRY_KEYS.X_KEY: torch.tensor(x, dtype=dtype),
        REGISTRY_KEYS.BATCH_KEY: torch.tensor(batch)[:, None].long(),
        REGISTRY_KEYS.LABELS_KEY: torch.tensor(y)[:, None].long(),
    }


def double(module: SCANVAE) -> SCANVAE:
    """Return the model in double precision, but for what it multiplies with a float32 one-hot."""
    module.double()
    if module.dispersion == "gene-batch":
        module.px_r.data = module.px_r.data.float()
    for name in ("library_log_means", "library_log_vars"):
        if hasattr(module, name):
            setattr(module, name, getattr(module, name).float())
    return module


def load(module: SCANVAE, weights: Arrays, px_r: Arrays) -> SCANVAE:
    """Give `module` the stored weights, and the px_r of its dispersion."""
    state = {name: torch.tensor(value) for name, value in weights.items()}
    if module.dispersion in px_r:
        state["px_r"] = torch.tensor(px_r[module.dispersion])
    wrong = module.load_state_dict(state, strict=False)
    if wrong.unexpected_keys:
        raise ValueError(f"The toy model has no {wrong.unexpected_keys}.")
    return double(module)


def losses(cells: Arrays, weights: dict[int, Arrays], px_r: Arrays) -> np.ndarray:
    """Return the minibatch loss over all settings; axes as the constants above."""
    everything = tensors(cells["x"], cells["batch"], cells["y"])
    labeled = {name: t[:N_LABELED] for name, t in everything.items()}
    values = []
    models = itertools.product(LIKELIHOODS, DISPERSIONS, LAYERS, TRAINING, PRIORS)
    for likelihood, dispersion, n_layers, training, prior in models:
        base = toy(
            gene_likelihood=likelihood, dispersion=dispersion, n_layers=n_layers, y_prior=prior
        )
        load(base, weights[n_layers], px_r)
        for kl_weight, ratio in itertools.product(KL_WEIGHTS, RATIOS):
            module = copy.deepcopy(base).train(training)
            with SharedNoise(cells["eps_z1"], cells["eps_z2"]):
                *_, out = module(
                    everything,
                    loss_kwargs={
                        "kl_weight": kl_weight,
                        "labeled_tensors": labeled,
                        "classification_ratio": ratio,
                    },
                )
            values.append(out.loss.item())
    axes = (LIKELIHOODS, DISPERSIONS, LAYERS, TRAINING, PRIORS, KL_WEIGHTS, RATIOS)
    return np.reshape(values, [len(axis) for axis in axes])


def latent_library_losses(cells: Arrays, weights: dict[int, Arrays], px_r: Arrays) -> np.ndarray:
    """Return the loss with a latent library size, [likelihood] at KL weight 0.3."""
    values = []
    for likelihood in LIKELIHOODS:
        module = toy(
            gene_likelihood=likelihood,
            use_observed_lib_size=False,
            library_log_means=np.array(LIBRARY_MEAN),
            library_log_vars=np.array(LIBRARY_VAR),
        )
        load(module, weights[1], px_r).eval()
        with SharedNoise(cells["eps_z1"], cells["eps_l"], cells["eps_z2"]):
            *_, out = module(
                tensors(cells["x"], cells["batch"], cells["y"]), loss_kwargs={"kl_weight": 0.3}
            )
        values.append(out.loss.item())
    return np.array(values)


def networks(cells: Arrays, weights: Arrays, n_layers: int) -> Arrays:
    """Return what every network says in eval mode."""
    module = load(toy(dispersion="gene-cell", n_layers=n_layers), weights, {}).eval()
    x, z = torch.tensor(cells["x"]).double().log1p(), torch.tensor(cells["eps_z1"])
    batch, y = (torch.tensor(cells[name])[:, None] for name in ("batch", "y"))
    library = torch.tensor(cells["eps_l"]) + 3.0
    q_z, q_l = module.z_encoder(x)[0], module.l_encoder(x)[0]
    q_z2, p_z1 = module.encoder_z2_z1(z, y)[0], module.decoder_z1_z2(z, y)
    scale, r, rate, dropout = module.decoder("gene-cell", z, library, batch)
    out = {
        "z_mean": q_z.loc,
        "z_var": q_z.scale**2,
        "l_mean": q_l.loc,
        "l_var": q_l.scale**2,
        "z2_mean": q_z2.loc,
        "z2_var": q_z2.scale**2,
        "z1_mean": p_z1[0],
        "z1_var": p_z1[1],
        "scale": scale,
        "r": r,
        "rate": rate,
        "zi_logits": dropout,
        "logits": module.classifier(z),
        "classified": module.classify(torch.tensor(cells["x"]).double(), batch),
    }
    return {name: value.detach().numpy() for name, value in out.items()}


def block(rng: np.random.Generator, n_layers: int, cats: tuple[int, ...]) -> Arrays:
    """Return the outputs of an FC block over five training steps and one in eval mode."""
    module = FCLayers(5, 4, cats, n_layers=n_layers, n_hidden=6, dropout_rate=0.0)
    state = random_state(module, rng)
    module.load_state_dict({n: torch.tensor(v) for n, v in state.items()}, strict=False)
    module.double()
    h = rng.normal(size=(6, 7, 5))
    index = np.stack([rng.integers(0, n, (6, 7)) for n in (*cats, 1)], -1)
    out = []
    for step in range(6):
        covariates = [torch.tensor(index[step, :, j])[:, None] for j in range(len(cats))]
        out.append(module.train(step < 5)(torch.tensor(h[step]), *covariates).detach().numpy())
    arrays = {f"state/{name}": value for name, value in state.items()} | {
        f"final/{name}": value.numpy()
        for name, value in module.state_dict().items()
        if "running" in name
    }
    return arrays | {"h": h, "index": index, "out": np.stack(out)}


def likelihoods() -> Arrays:
    """Return log-probabilities and their gradients over a grid of counts and parameters."""
    axes = ([0, 1, 2, 5, 17, 50], [1e-2, 0.3, 4, 100], [1e-2, 0.5, 8, 1e3], [-4, 0.5, 3])
    x, *parameters = np.meshgrid(*(np.array(a, dtype=float) for a in axes), indexing="ij")
    counts = torch.tensor(x)
    mu, theta, w = (torch.tensor(p, requires_grad=True) for p in parameters)
    nb = NegativeBinomial(mu=mu, theta=theta).log_prob(counts)
    zinb = ZeroInflatedNegativeBinomial(mu=mu, theta=theta, zi_logits=w).log_prob(counts)
    out = {"x": x, **dict(zip(("mu", "theta", "w"), parameters, strict=True))}
    for name, value, inputs in (("nb", nb, (mu, theta)), ("zinb", zinb, (mu, theta, w))):
        out[name] = value.detach().numpy()
        for of, gradient in zip("mtw", torch.autograd.grad(value.sum(), inputs), strict=False):
            out[f"{name}_d{of}"] = gradient.numpy()
    return out


def schedule() -> np.ndarray:
    """Return rows of (step, length of the warm-up in steps, KL weight)."""
    return np.array(
        [
            (step, length, _compute_kl_weight(0, step, None, length))
            for length in (1, 10, 400)
            for step in (0, 1, 3, 9, 10, 11, 399, 400, 1000)
        ],
        dtype=float,
    )


def curve(rng: np.random.Generator, weights: Arrays, px_r: Arrays) -> Arrays:
    """Return losses and final weights of 50 optimizer steps in single precision."""
    n = CURVE_CELLS
    x = rng.poisson(rng.gamma(1.0, 2.0, (n, G))).astype(np.uint8)
    batch, y = rng.integers(0, S, n), rng.integers(0, K, n)
    rows = np.stack([rng.permutation(n)[:B] for _ in range(CURVE_STEPS)])
    labeled = np.stack([rng.permutation(n)[:N_LABELED] for _ in range(CURVE_STEPS)])
    eps_z1, eps_z2 = (
        rng.normal(size=(CURVE_STEPS, cells, L)).astype(np.float32) for cells in (B, K * B)
    )
    module = load(toy(), weights, px_r).float().train()
    optimizer = torch.optim.Adam(
        [p for p in module.parameters() if p.requires_grad], lr=1e-3, eps=0.01, weight_decay=1e-6
    )
    values = []
    for step in range(CURVE_STEPS):
        cells, known = (
            tensors(x[r], batch[r], y[r], torch.float32) for r in (rows[step], labeled[step])
        )
        kwargs = {
            "kl_weight": _compute_kl_weight(0, step, None, 25),
            "labeled_tensors": known,
            "classification_ratio": 50.0,
        }
        with SharedNoise(eps_z1[step], eps_z2[step]):
            *_, out = module(cells, loss_kwargs=kwargs)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        values.append(out.loss.item())
    inputs = {"x": x, "batch": batch.astype(np.uint8), "y": y.astype(np.uint8)}
    orders = {"rows": rows.astype(np.uint8), "labelled": labeled.astype(np.uint8)}
    final = {
        f"final/{name}": value.numpy()
        for name, value in module.state_dict().items()
        if value.dtype == torch.float32
    }
    return inputs | orders | final | {"eps_z1": eps_z1, "eps_z2": eps_z2, "loss": np.array(values)}


def arrays(seed: int) -> Arrays:
    """Return all inputs, weights and results by name."""
    rng = np.random.default_rng(seed)
    cells = {
        "x": rng.poisson(2.0, (B, G)).astype(float),
        "batch": rng.integers(0, S, B),
        "y": rng.integers(0, K, B),
        "eps_z1": rng.normal(size=(B, L)),
        "eps_l": rng.normal(size=(B, 1)),
        "eps_z2": rng.normal(size=(K * B, L)),
    }
    shapes = {"gene": (G,), "gene-batch": (G, S)}
    px_r = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights = {n: random_state(toy(dispersion="gene-cell", n_layers=n), rng) for n in LAYERS}
    parts = {"cells": cells, "px_r": px_r, "likelihoods": likelihoods()}
    parts |= {f"weights/{n}": w for n, w in weights.items()}
    parts |= {f"networks/{n}": networks(cells, w, n) for n, w in weights.items()}
    for n, cats in itertools.product(BLOCK_LAYERS, BLOCK_CATS):
        parts[f"block/{n}/{len(cats)}"] = block(rng, n, cats)
    parts["curve"] = curve(rng, weights[1], px_r)
    out = {f"{part}/{name}": value for part, d in parts.items() for name, value in d.items()}
    out["losses"] = losses(cells, weights, px_r)
    out["latent_library_losses"] = latent_library_losses(cells, weights, px_r)
    out["schedule"] = schedule()
    return {name: np.ascontiguousarray(value) for name, value in out.items()}


def main() -> None:
    """Write the stored numbers."""
    torch.set_num_threads(1)
    path = FOLDER / "scvi_tools_142.safetensors"
    save_file(arrays(seed=0), path)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
