"""A paragraph for the methods section of a paper: what was done, with versions and seeds."""

from typing import Any

from scanvi_core import keys
from scanvi_core.project.run_settings import RunSettings
from scanvi_core.project.runs import Run
from scanvi_core.services.export.columns import ExportChoice, final_labels
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

LIKELIHOOD = {"nb": "negative binomial", "zinb": "zero-inflated negative binomial"}


def paragraph(opened: Workspace, choice: ExportChoice | None = None) -> str:
    """Return what was done to the data set of a project, in plain sentences."""
    dataset, run = opened.dataset, opened.current_run()
    start = (
        f"Cells were annotated with scanvi-app {__version__}. The data set held "
        f"{dataset.n_obs:,} cells and {dataset.n_vars:,} genes; counts were taken from "
        f"{dataset.manifest['counts_source']}."
    )
    sentences = [start]
    if run is not None:
        sentences += [_model(run.settings, run.summary), _quality(run)]
    sentences.append(_labels(opened, choice or ExportChoice()))
    if run is not None:
        used = ", ".join(f"{name} {number}" for name, number in run.settings.versions.items())
        sentences.append(f"Versions: {used}.")
    return " ".join(sentences)


def _model(frozen: RunSettings, summary: dict[str, Any]) -> str:
    model, train = frozen.model, frozen.train
    n = model.n_layers
    layers = "one hidden layer" if n == 1 else f"{n} hidden layers"
    batch = f", corrected for {frozen.batch_key}" if frozen.batch_key else ""
    if frozen.pack is not None:
        return (
            f"They were named by the pack {frozen.pack}: a SCANVI model (Xu et al. 2021, "
            "doi:10.15252/msb.20209620) that was trained on other cells, "
            f"{len(frozen.genes):,} of whose genes are in these data; it has learned nothing here."
        )
    again = " starting from the model before it" if frozen.warm_from else ""
    return (
        f"A SCANVI model (Xu et al. 2021, doi:10.15252/msb.20209620) with {model.n_latent} "
        f"latent dimensions, {layers} of {model.n_hidden} units, "
        f"a {LIKELIHOOD[model.gene_likelihood]} likelihood and dispersion per "
        f"{model.dispersion} was trained on {len(frozen.genes):,} highly variable genes of "
        f"{summary['n_cells']:,} cells, {summary['n_labeled']:,} of them labeled with "
        f"{len(frozen.label_names)} types{batch}, for {summary['steps']:,} steps{again} "
        f"(preset {train.preset}, learning rate {train.learning_rate:g}, "
        f"{train.batch_size} cells per step, seed {frozen.seed}, {frozen.device}). Its "
        "predictions are combined with those of two logistic regressions, on the same genes and "
        "on their principal components."
    )


def _quality(run: Run) -> str:
    held = run.summary.get("holdout")
    if not held:
        return "No labels were set aside to test it."
    return (
        f"On {held['n']:,} labeled cells hidden from the model its accuracy was "
        f"{held['accuracy']:.3f} and its macro-F1 {held['macro_f1']:.3f}."
    )


def _labels(opened: Workspace, choice: ExportChoice) -> str:
    _, sources = final_labels(opened, choice)
    n = {word: int((sources == word).sum()) for word in set(sources.tolist())}
    parts = [
        (n.get(keys.GIVEN, 0), "came with the data"),
        (n.get(keys.MANUAL, 0), "were assigned by hand"),
        (n.get(keys.ACCEPTED, 0), "were predictions accepted on review"),
        (n.get(keys.PREDICTED, 0), "were predictions of the model"),
        (n.get(keys.PARENT, 0), "were predicted groups of types"),
        (n.get(keys.UNLABELED, 0), "were left without a label"),
    ]
    counted = [f"{count:,} {words}" for count, words in parts if count]
    filled = n.get(keys.PREDICTED, 0) and choice.threshold
    least = f" (of a confidence of at least {choice.threshold:.2f})" if filled else ""
    return f"Of the final labels, {_listed(counted)}{least}."


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
