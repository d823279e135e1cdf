"""The settings of a training run, made from the settings dataclasses."""

import streamlit as st

from pages.ui.frame.settings_form import drawer, setting
from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.training import train_plan
from scanvi_core.services.workspace import Workspace

MODEL_DRAWER = (
    "n_latent",
    "n_hidden",
    "n_layers",
    "dropout_rate",
    "input_dropout_rate",
    "use_layer_norm",
    "use_observed_lib_size",
)
TRAIN_DRAWER = (
    "n_top_genes",
    "batch_size",
    "labeled_batch_size",
    "learning_rate",
    "weight_decay",
    "classification_ratio",
    "balance_labels",
    "kl_warmup",
    "validation_fraction",
    "seed",
    "device",
)
PRESET_WORDS = {
    "quick": "Quick look",
    "standard": "Standard",
    "thorough": "Thorough, twice as long",
}
DISPERSION_WORDS = {
    "gene": "gene: one value per gene (suits most data)",
    "gene-batch": "gene-batch: differs between batches",
    "gene-label": "gene-label: differs between types (slower)",
    "gene-cell": "gene-cell: differs in every cell",
}
LIKELIHOOD_WORDS = {
    "nb": "nb: negative binomial, for UMI counts",
    "zinb": "zinb: with extra zeros, for plate-based reads",
}


def draw(opened: Workspace) -> TrainRequest:
    """Draw the settings and return the request they make."""
    model, train = ModelConfig(), TrainConfig()
    chosen = st.segmented_control(
        "How thorough",
        list(PRESET_WORDS),
        default=train.preset,
        key="train.preset",
        required=True,
        format_func=PRESET_WORDS.__getitem__,
        persist_state="session",
    )
    with st.expander("Advanced"):
        left, right = st.columns(2)
        with left:
            dispersion = setting(model, "dispersion", words=DISPERSION_WORDS, key="model")
        with right:
            likelihood = setting(model, "gene_likelihood", words=LIKELIHOOD_WORDS, key="model")
        epochs = _epochs()
        st.caption("The model")
        model_values = drawer(model, MODEL_DRAWER, key="model")
        st.caption("The training")
        train_values = drawer(train, TRAIN_DRAWER, key="train")
    model = ModelConfig(dispersion=dispersion, gene_likelihood=likelihood, **model_values)
    train = TrainConfig(preset=chosen or train.preset, max_epochs=epochs, **train_values)
    warm = False
    if train_plan.can_go_on(opened, model):
        warm = st.toggle(
            "Go on from the current model",
            key="train.warm",
            help="A few more steps with the new labels. Off: from the start, which takes longer.",
        )
    return TrainRequest(model, train, warm)


def _epochs() -> int | None:
    """Ask for the number of epochs; None: the preset decides."""
    own = st.toggle(
        "Set the number of epochs", key="train.own-epochs", help="Else the preset decides."
    )
    if not own:
        return None
    return st.number_input(
        "Epochs",
        1,
        10_000,
        50,
        key="train.max_epochs",
        help="Passes over the cells (max_epochs)",
    )
