"""A paragraph for the methods section of a paper: what was done, with versions and seeds."""

from math import isnan

from scanvi_core import keys
from scanvi_core.metrics.intervals import wilson_interval
from scanvi_core.project.run_settings import RunSettings
from scanvi_core.project.runs import Run
from scanvi_core.services.diagnostics import held_out, measured_batches
from scanvi_core.services.export.columns import ExportChoice, final_labels
from scanvi_core.services.formatting import count, hundredths, listed, thousandths
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

LIKELIHOOD = {"nb": "negative binomial", "zinb": "zero-inflated negative binomial"}


def paragraph(
    opened: Workspace, choice: ExportChoice | None = None, *, checked: str = "",
    planned: bool = False,
) -> str:  # fmt: skip
    """Return what was done to the data set of a project, in plain sentences.

    `checked` says what random checks tell of batches without held-out cells, and `planned` that
    no file was written yet.
    """
    dataset, run = opened.dataset, opened.current_run()
    start = (
        f"Cells were annotated with scanvi-app {__version__}. The data set held "
        f"{dataset.n_obs:,} cells and {dataset.n_vars:,} genes; counts were taken from "
        f"{dataset.manifest['counts_source']}."
    )
    sentences = [start]
    if run is not None:
        sentences += [
            _model(run.settings, *results.first_and_later(opened, run)),
            _quality(opened, run),
        ]
        sentences += [checked] if checked else []
    sentences.append(_labels(opened, choice or ExportChoice(), planned=planned))
    if run is not None:
        used = ", ".join(f"{name} {number}" for name, number in run.settings.versions.items())
        sentences.append(f"Versions: {used}.")
    return " ".join(sentences)


def _model(frozen: RunSettings, first: Run, later: list[Run]) -> str:
    summary = first.summary
    model, train = frozen.model, first.settings.train
    n = model.n_layers
    layers = "one hidden layer" if n == 1 else f"{n} hidden layers"
    batch = f", corrected for {frozen.batch_key}" if frozen.batch_key else ""
    if frozen.pack is not None:
        return (
            f"They were named by the pack {frozen.pack}: a SCANVI model (Xu et al. 2021, "
            "doi:10.15252/msb.20209620) that was trained on other cells, "
            f"{len(frozen.genes):,} of whose genes are in these data; it has learned nothing here."
        )
    again = " starting from a model that is gone" if first.settings.warm_from else ""
    return (
        f"A SCANVI model (Xu et al. 2021, doi:10.15252/msb.20209620) with {model.n_latent} "
        f"latent dimensions, {layers} of {model.n_hidden} units, "
        f"a {LIKELIHOOD[model.gene_likelihood]} likelihood and dispersion per "
        f"{model.dispersion} was trained on {len(frozen.genes):,} highly variable genes of "
        f"{summary['n_cells']:,} cells, {summary['n_labeled']:,} of them labeled with "
        f"{len(first.settings.label_names)} types{batch}, for {summary['steps']:,} steps{again} "
        f"(preset {train.preset}, learning rate {train.learning_rate:g}, "
        f"{train.batch_size} cells per step, seed {first.settings.seed}, {first.settings.device})."
        f"{_updates(later)} Its "
        "predictions are combined with those of two logistic regressions, on the same genes and "
        "on their principal components."
    )


def _updates(later: list[Run]) -> str:
    """Return the updates after a training in a sentence; empty without any."""
    if not later:
        return ""
    steps = [f"{run.summary['steps']:,}" for run in later]
    n, last = len(later), later[-1]
    times = f"{count(n, 'time')}, for {listed(steps)} steps" if n > 1 else f"for {steps[0]} steps"
    return (
        f" It was then updated with more labels {times}, in the end with "
        f"{last.summary['n_labeled']:,} labeled cells of "
        f"{count(len(last.settings.label_names), 'type')}."
    )


def _quality(opened: Workspace, run: Run) -> str:
    held = run.summary.get("holdout")
    if not held or not held_out.held_out(opened, run.id).rows.size:
        nothing = held_out.nothing_scored(opened, run)
        return f"{nothing}, so how often it is right was not measured."
    gap = measured_batches.gap(opened, run)
    low, high = wilson_interval(round(held["accuracy"] * held["n"]), held["n"])
    tested = (
        f"On {held['n']:,} labeled cells{'' if gap is None else gap.of} hidden from the model its "
        f"accuracy was {thousandths(held['accuracy'])} (95 % interval {thousandths(low)} to "
        f"{thousandths(high)}){_macro_f1(held['macro_f1'])}."
    )
    return f"{tested} {gap.none_of}" if gap is not None else tested


def _macro_f1(score: float | None) -> str:
    """Return the mean F1 with the digits it has on the pages; empty where there is none."""
    return "" if score is None or isnan(score) else f" and its macro-F1 {hundredths(score):.2f}"


def _labels(opened: Workspace, choice: ExportChoice, *, planned: bool) -> str:
    _, sources = final_labels(opened, choice)
    n = {word: int((sources == word).sum()) for word in set(sources.tolist())}
    were = "would be" if planned else "were"
    filled = n.get(keys.PREDICTED, 0) and choice.threshold
    least = f" of a confidence of at least {choice.threshold:.2f}" if filled else ""
    parts = [
        (n.get(keys.GIVEN, 0), "came with the data"),
        (n.get(keys.MANUAL, 0), "were assigned by hand"),
        (n.get(keys.ACCEPTED, 0), "were predictions accepted on review"),
        (n.get(keys.PREDICTED, 0), f"{were} predictions of the model{least}"),
        (n.get(keys.PARENT, 0), f"{were} predicted broader types"),
        (n.get(keys.UNLABELED, 0), f"{were} left without a label"),
    ]
    counted = [f"{count:,} {words}" for count, words in parts if count]
    start = "No file was written yet. " if planned else ""
    return f"{start}Of the final labels, {listed(counted)}."
