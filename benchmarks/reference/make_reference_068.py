"""Write the numbers of scVI 0.6.8, the release whose signature SCANVI keeps.

Its model files run unchanged under today's torch; its packages' own imports do not, so empty
packages stand in for them. Needs torch and safetensors only, in an environment without
scvi-tools (which has the same package name), and the wheel unpacked::

    pip download scvi==0.6.8 --no-deps -d ../scvi068
    python -m zipfile -e ../scvi068/scvi-0.6.8-py2.py3-none-any.whl ../scvi068
    python benchmarks/reference/make_reference_068.py ../scvi068

Weights, cells and noise are those of `make_reference.py`, which runs first.
"""

import itertools
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

FOLDER = Path(__file__).parents[2] / "tests" / "reference"
G, K, S, H, L, N_LABELED = 20, 3, 2, 16, 4, 7
PRIOR, GROUPS = [[0.1, 0.5, 0.4]], [0, 0, 1]
LIBRARY_MEAN, LIBRARY_VAR = 3.5, 0.4
# Axes of "triples": these, labeled or not, the first two of the triple, cells.
LIKELIHOODS, DISPERSIONS, LAYERS = ("nb", "zinb"), ("gene", "gene-batch", "gene-cell"), (1, 2)

stored = load_file(FOLDER / "scvi_tools_142.safetensors")


def import_model(folder: Path) -> type:
    """Return the class SCANVI of the unpacked wheel."""
    for name in ("scvi", "scvi.models"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = package
    from scvi.models.scanvi import SCANVI

    return SCANVI


def share_noise(*names: str) -> None:
    """Make the next draws of torch.distributions use the stored noise, then zeros."""
    noise = [torch.tensor(stored[f"cells/{name}"]) for name in names]

    def draw(shape, dtype, device):
        if not noise:
            return torch.zeros(shape, dtype=dtype, device=device)
        return noise.pop(0)[: shape[0]].to(dtype)

    torch.distributions.normal._standard_normal = draw


def toy(model: type, n_layers: int, **options):
    """Return the toy model with the stored weights, in double precision."""
    sizes = {"n_hidden": H, "n_latent": L, "n_layers": n_layers, "dropout_rate": 0.0}
    module = model(G, S, K, y_prior=torch.tensor(PRIOR), **sizes, **options)
    start = f"weights/{n_layers}/"
    state = {n.removeprefix(start): v for n, v in stored.items() if n.startswith(start)}
    if module.dispersion != "gene-cell":
        state["px_r"] = stored[f"px_r/{module.dispersion}"]
    module.load_state_dict({n: torch.tensor(v) for n, v in state.items()}, strict=False)
    module.double()
    if module.dispersion == "gene-batch":  # multiplied with a one-hot in single precision
        module.px_r.data = module.px_r.data.float()
    return module.eval()


def triples(model: type) -> np.ndarray:
    """Return both parts of the bound for each cell, labeled and not."""
    x, batch, y = (torch.tensor(stored[f"cells/{name}"]) for name in ("x", "batch", "y"))
    library = [torch.full((len(x), 1), v, dtype=torch.double) for v in (LIBRARY_MEAN, LIBRARY_VAR)]
    values = []
    settings = itertools.product(LIKELIHOODS, DISPERSIONS, LAYERS, (False, True))
    for likelihood, dispersion, n_layers, labeled in settings:
        module = toy(model, n_layers, reconstruction_loss=likelihood, dispersion=dispersion)
        share_noise("eps_z1", "eps_l", "eps_z2")
        out = module(x, *library, batch[:, None], y[:, None] if labeled else None)
        values.append(torch.stack(out[:2]).detach().numpy())
    return np.reshape(values, (2, 3, 2, 2, 2, len(x)))


def groups(model: type) -> dict[str, np.ndarray]:
    """Return probabilities with a group classifier, and its weights."""
    module = toy(model, 1, labels_groups=GROUPS, use_labels_groups=True)
    rng = np.random.default_rng(0)
    out = {}
    for name, p in module.classifier_groups.named_parameters():
        out[f"classifier_groups.{name}"] = rng.normal(size=p.shape)
        p.data = torch.tensor(out[f"classifier_groups.{name}"])
    share_noise()
    out["probabilities"] = module.classify(torch.tensor(stored["cells/x"])).detach().numpy()
    return out


def main() -> None:
    """Write the stored numbers."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="indexing with dtype torch.uint8")
    model = import_model(Path(sys.argv[1]))
    x, y = (torch.tensor(stored[f"cells/{name}"][:N_LABELED]) for name in ("x", "y"))
    share_noise()
    probabilities = toy(model, 1).classify(x)
    arrays = {f"groups/{name}": value for name, value in groups(model).items()} | {
        "triples": triples(model),
        "probabilities": probabilities.detach().numpy(),
        # As its trainer does: the softmax is taken of probabilities.
        "classification": torch.nn.functional.cross_entropy(probabilities, y).detach().numpy(),
        "n_state": np.array(len(model(20, 2, 3).state_dict())),
    }
    path = FOLDER / "scvi_068.safetensors"
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
