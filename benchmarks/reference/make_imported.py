"""Write the example of a converted model, and what scvi-tools 1.4.2 says with it.

Small models are trained for a moment, saved by scvi-tools and converted; cells and results
go to ``expected.safetensors`` beside them. Environment as for `make_reference.py`::

    python benchmarks/reference/make_imported.py
"""

import json
import sys
import tempfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scvi
import torch
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).parent))
from convert_scvi_tools import convert

FOLDER = Path(__file__).parents[2] / "tests" / "reference" / "imported"
N, G = 60, 12
MODELS = {
    "batch": {"dispersion": "gene-batch", "gene_likelihood": "zinb", "n_layers": 2},
    "latent": {"use_observed_lib_size": False, "gene_likelihood": "nb", "linear_classifier": True},
    "norm": {"use_batch_norm": "none", "use_layer_norm": "both", "log_variational": False},
}


def cells() -> anndata.AnnData:
    """Return cells of three types, whose labels are not in alphabetical order of their codes."""
    rng = np.random.default_rng(0)
    types = rng.integers(0, 3, N)
    means = rng.gamma(1.0, 3.0, (3, G))
    data = anndata.AnnData(rng.poisson(means[types]).astype(np.float32))
    data.var_names = [f"gene{i}" for i in range(G)]
    named = np.where(rng.random(N) < 0.3, "Unknown", np.array(["A", "Z", "X"])[types])
    data.obs["label"] = pd.Categorical(named)
    data.obs["batch"] = pd.Categorical(np.array(["one", "two"])[np.arange(N) % 2])
    return data


def expected(model: scvi.model.SCANVI, data: anndata.AnnData) -> dict[str, np.ndarray]:
    """Return probabilities, posterior means and the expression decoded from them."""
    module, batch = model.module.eval(), torch.arange(N)[:, None] % 2
    latent = torch.tensor(model.get_latent_representation())
    with torch.no_grad():
        size = torch.zeros(N, 1)
        scale = module.decoder(module.dispersion, latent, size, batch, None)[0]
    return {
        "probabilities": model.predict(soft=True).to_numpy(dtype=np.float32),
        "latent": latent.numpy(),
        "expression": scale.numpy(),
        "x": data.X.astype(np.uint8),
        "batch": (np.arange(N) % 2).astype(np.uint8),
    }


def main() -> None:
    """Write all examples."""
    torch.set_num_threads(1)
    for name, options in MODELS.items():
        scvi.settings.seed = 0
        data = cells()
        scvi.model.SCANVI.setup_anndata(data, "label", "Unknown", batch_key="batch")
        model = scvi.model.SCANVI(data, n_hidden=8, n_latent=3, **options)
        quiet = {"enable_progress_bar": False, "logger": False, "enable_checkpointing": False}
        model.train(60, accelerator="cpu", batch_size=20, plan_kwargs={"lr": 0.01}, **quiet)
        with tempfile.TemporaryDirectory() as saved:
            model.save(saved, overwrite=True)
            convert(Path(saved), FOLDER / name)
        save_file(expected(model, data), FOLDER / name / "expected.safetensors")
    save_size_factor()


def save_size_factor() -> None:
    """Write what scvi-tools registers of a model that was set up with a size factor."""
    data = cells()
    data.obs["depth"] = data.X.sum(axis=1) / 50
    scvi.model.SCANVI.setup_anndata(
        data, "label", "Unknown", batch_key="batch", size_factor_key="depth"
    )
    registry = scvi.model.SCANVI(data, n_hidden=8, n_latent=3).registry_
    text = json.dumps(registry, indent=1, default=lambda array: array.tolist())
    (FOLDER / "size_factor.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
