"""Turn a SCANVI model saved by scvi-tools into files that our program reads without a pickle.

Run where scvi-tools is installed (tried with 1.4.2 and 1.5.1), and safetensors::

    pip install safetensors
    python benchmarks/reference/convert_scvi_tools.py SAVED_MODEL_FOLDER NEW_FOLDER

Reading the saved model runs code stored in it: convert only models from people you trust.
`scanvi_core.module.imported` reads the result. Models with parts that ours does not have
(covariates, a size factor, group classifiers, other likelihoods) are refused by name. What
scvi-tools says of a few simulated cells is stored, too, and compared at every import.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

try:
    from safetensors.torch import save_file
except ImportError:
    raise SystemExit("This needs safetensors, too: pip install safetensors") from None

FORMAT = 2
CHECKED_CELLS, CHECKED_MEAN = 8, 3.0  # simulated cells, and the mean of their counts
# Of the data only: which counts and columns were read, and what a minified model kept of them.
OF_THE_DATA = (
    "X", "batch", "labels", "ind_x",
    "minify_type", "latent_qzm", "latent_qzv", "observed_lib_size",
)  # fmt: skip
# What our model always does; a saved model with another value would predict differently.
FIXED = {
    "latent_distribution": "normal",
    "encode_covariates": False,
    "batch_representation": "one-hot",
    "use_size_factor_key": False,
    "use_labels_groups": False,
    "var_activation": None,
    "extra_encoder_kwargs": None,
    "extra_decoder_kwargs": None,
    "deeply_inject_covariates": True,
}
COPIED = (
    "n_hidden",
    "n_latent",
    "n_layers",
    "dropout_rate",
    "dispersion",
    "use_observed_lib_size",
)
NORMS = {("both", "none"): False, ("none", "both"): True}
WITHOUT_MEANING = ("y_prior", "labels_groups", "datamodule", "extra_payload_autotune")
DEFAULTS = {
    "n_hidden": 128,
    "n_latent": 10,
    "n_layers": 1,
    "dropout_rate": 0.1,
    "dispersion": "gene",
    "use_observed_lib_size": True,
    "gene_likelihood": "zinb",
    "log_variational": True,
    "linear_classifier": False,
    "classifier_parameters": None,
    "use_batch_norm": "both",
    "use_layer_norm": "none",
}


def given_settings(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments the model was made with, over the defaults of scvi-tools."""
    saved = attributes["init_params_"]
    given = dict(saved["non_kwargs"])
    for group in saved["kwargs"].values():
        given |= group
    settings = DEFAULTS | given
    for name, value in settings.items():
        known = name in DEFAULTS or name in WITHOUT_MEANING
        if not known and (name not in FIXED or value != FIXED[name]):
            raise SystemExit(f"The model was made with {name}={value!r}, which ours cannot do.")
    return settings


def our_settings(given: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the arguments of our SCANVI; the sizes of the data are read off the weights."""
    norms = (given["use_batch_norm"], given["use_layer_norm"])
    if norms not in NORMS or given["gene_likelihood"] not in ("nb", "zinb"):
        raise SystemExit(
            f"The model was made with the norms {norms} and the likelihood "
            f"{given['gene_likelihood']}, which ours cannot do."
        )
    n_input = state["decoder.px_scale_decoder.0.weight"].shape[0]
    first = state["decoder.px_decoder.fc_layers.Layer 0.0.weight"]
    classifier = dict(given["classifier_parameters"] or {})
    classifier.pop("logits", None)
    if given["linear_classifier"]:
        classifier = {"n_layers": 0, "n_hidden": 0} | classifier
    return {name: given[name] for name in COPIED} | {
        "n_input": n_input,
        "n_batch": first.shape[1] - given["n_latent"],  # 0 stands for a single one
        "n_labels": state["y_prior"].shape[-1],
        "log_variational": given["log_variational"],
        "reconstruction_loss": given["gene_likelihood"],
        "use_layer_norm": NORMS[norms],
        "classifier_parameters": classifier,
    }


def refuse_what_is_not_carried(registry: dict[str, Any]) -> None:
    """Refuse a model that was set up with more than counts, labels and batches.

    A size factor has no state of its own in the registry, only the column it is read from.
    """
    for field, about in registry["field_registries"].items():
        if field not in OF_THE_DATA and about.get("data_registry"):
            raise SystemExit(f"The model was set up with {field}, which ours cannot use.")
    asked = registry.get("setup_args", {})
    carried = ("layer", "labels_key", "batch_key", "unlabeled_category", "use_minified")
    for name, value in asked.items():
        if name not in carried and value not in (None, False, [], {}):
            raise SystemExit(f"The model was set up with {name}={value!r}, which ours cannot use.")


def names(attributes: dict[str, Any], genes: Any, n_labels: int) -> dict[str, list[str]]:
    """Return the names of genes, labels and batches; the category of unlabeled cells is last."""
    fields = attributes["registry_"]["field_registries"]
    labels, batches = (
        [str(name) for name in fields[key]["state_registry"]["categorical_mapping"]]
        for key in ("labels", "batch")
    )
    return {"genes": [str(g) for g in genes], "labels": labels[:n_labels], "batches": batches}


def said(saved: Path, attributes: dict[str, Any], genes: Any) -> dict[str, torch.Tensor]:
    """Return simulated cells, and what scvi-tools says of them with the saved model.

    Counts, code of the batch, probabilities, posterior means, and the shares of the genes that
    are decoded from these.
    """
    import anndata
    import scvi

    fields, random = attributes["registry_"]["field_registries"], np.random.default_rng(0)
    x = random.poisson(CHECKED_MEAN, (CHECKED_CELLS, len(genes))).astype(np.float32)
    data = anndata.AnnData(x)
    data.var_names = [str(name) for name in genes]
    layer = attributes["registry_"]["setup_args"].get("layer")
    if layer:
        data.layers[layer] = x
    for key in ("batch", "labels"):
        state = fields[key]["state_registry"]
        known, column = state["categorical_mapping"], state["original_key"]
        data.obs[column] = np.array(known)[np.arange(CHECKED_CELLS) % len(known)]
    model = scvi.model.SCANVI.load(saved, adata=data, accelerator="cpu")
    module, latent = model.module.eval(), torch.tensor(model.get_latent_representation())
    batch = torch.arange(CHECKED_CELLS)[:, None] % len(fields["batch"]["state_registry"][
        "categorical_mapping"])  # fmt: skip
    with torch.no_grad():
        nothing = torch.zeros(CHECKED_CELLS, 1)
        shares = module.decoder(module.dispersion, latent, nothing, batch, None)[0]
    return {
        "x": torch.tensor(x),
        "batch": batch.flatten(),
        "probabilities": torch.tensor(model.predict(soft=True).to_numpy(dtype=np.float32)),
        "latent": latent,
        "expression": shares,
    }


def convert(saved: Path, target: Path) -> None:
    """Write ``model.safetensors``, ``check.safetensors`` and ``model.json`` into a folder."""
    # The pickle is the only form scvi-tools saves.
    model = torch.load(saved / "model.pt", map_location="cpu", weights_only=False)
    attributes, state = model["attr_dict"], model["model_state_dict"]
    refuse_what_is_not_carried(attributes["registry_"])
    settings = our_settings(given_settings(attributes), state)
    record = {
        "format": FORMAT,
        "source": f"scvi-tools {attributes['registry_']['scvi_version']}",
        "settings": settings,
    } | names(attributes, model["var_names"], settings["n_labels"])
    if not settings["use_observed_lib_size"]:
        mean, var = (state[f"library_log_{name}"].flatten().tolist() for name in ("means", "vars"))
        record["library_prior"] = {"mean": mean, "var": var}
    unused = ("library_log_", "pyro_param_store")
    if settings["use_observed_lib_size"]:
        unused += ("l_encoder.",)
    weights = {n: v.contiguous() for n, v in state.items() if not n.startswith(unused)}
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights, target / "model.safetensors")
    stored = said(saved, attributes, model["var_names"])
    save_file({n: v.contiguous() for n, v in stored.items()}, target / "check.safetensors")
    (target / "model.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
