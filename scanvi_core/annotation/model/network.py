"""The network that fits what a model is trained on, and the cells it trains on."""

from collections.abc import Mapping

import numpy as np
import torch

from scanvi_core.annotation.model.inputs import Inputs
from scanvi_core.config import MIN_LABELS, ModelConfig, TrainConfig
from scanvi_core.data.blocks.rows import chosen_rows, filled_rows
from scanvi_core.errors import LabelsUnusable
from scanvi_core.module import SCANVI
from scanvi_core.runtime import choose_device
from scanvi_core.train.loader import TrainingData
from scanvi_core.train.sampler import choose_validation
from scanvi_core.type_tree import TypeTree

MIN_PRIOR = 1e-4  # a type with prior 0 makes the loss infinite


def build(inputs: Inputs, model_config: ModelConfig, train_config: TrainConfig) -> SCANVI:
    """Return a fresh network for `inputs` on the training device; the seed decides its weights."""
    module = network(len(inputs.genes), len(inputs.batch_names), inputs.tree, model_config)
    module.draw_parameters(torch.Generator().manual_seed(train_config.seed))
    if inputs.prior:
        prior = prior_of(inputs.label_names, inputs.prior)
        module.y_prior.data = torch.as_tensor(prior, dtype=torch.float32)[None]
    return module.to(choose_device(train_config.device))


def prior_of(label_names: tuple[str, ...], prior: Mapping[str, float]) -> np.ndarray:
    """Return the prior of each type [K], summing to 1; types left out share the rest evenly."""
    given = {name: max(0.0, float(prior[name])) for name in label_names if name in prior}
    rest = max(0.0, 1.0 - sum(given.values())) / max(1, len(label_names) - len(given))
    shares = np.array([given.get(name, rest) for name in label_names])
    shares = np.maximum(shares, MIN_PRIOR)
    return shares / shares.sum()


def network(n_genes: int, n_batch: int, tree: TypeTree, config: ModelConfig) -> SCANVI:
    """Return the network of a model, its weights undrawn, its prior even.

    The broadest types are classified first where each type is of one of them.
    """
    n_types, groups = len(tree.leaves), tree.groups
    n_groups = 0 if groups is None else max(groups) + 1
    return SCANVI(
        n_genes,
        n_batch=n_batch,
        n_labels=n_types,
        n_hidden=config.n_hidden,
        n_latent=config.n_latent,
        n_layers=config.n_layers,
        dropout_rate=config.dropout_rate,
        dispersion=config.dispersion,
        reconstruction_loss=config.gene_likelihood,
        labels_groups=groups if tree.parents else None,
        use_labels_groups=1 < n_groups < n_types,
        label_sets=torch.from_numpy(tree.members) if tree.parents else None,
        use_observed_lib_size=config.use_observed_lib_size,
        encoder_input="log_normalized",
        input_dropout_rate=config.input_dropout_rate,
        use_layer_norm=config.use_layer_norm,
    )


def training_data(inputs: Inputs, config: TrainConfig) -> tuple[np.ndarray, TrainingData]:
    """Return the cells that are trained on: their rows, and what the training needs of them."""
    usable = filled_rows(inputs.counts) & inputs.rows
    counts = chosen_rows(inputs.counts, usable)
    n_labels = len(inputs.label_names)
    known = np.where(usable, inputs.y, -1).astype(np.int64)
    y = known[usable]
    present = np.unique(y[(y >= 0) & (y < n_labels)])
    if len(present) < (MIN_LABELS if inputs.soft is None else 1):
        names = ", ".join(inputs.label_names[code] for code in present) or "none"
        raise LabelsUnusable(
            f"Types with labeled cells that have counts: {names}.",
            f"Name cells of at least {MIN_LABELS} types.",
        )
    random = np.random.default_rng(config.seed)
    validation = choose_validation(known, n_labels, config.validation_fraction, random)[usable]
    batch_index = inputs.batch_index[usable].astype(np.int64)
    n_batch = len(inputs.batch_names)
    soft = None if inputs.soft is None else inputs.soft[usable]
    return np.flatnonzero(usable), TrainingData(
        counts, batch_index, n_batch, y, n_labels, validation, soft
    )
