"""What ``annotate`` prints: how the cells were named, what is doubted, and what it took."""

from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.data.anndata_files.guess_columns import SAME_DIVISION, same_division
from scanvi_core.services.diagnostics import measured_batches
from scanvi_core.services.projects.data_report import sentences
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace


def summary_of(opened: Workspace, run_id: str, path: Path, notes: list[str]) -> dict[str, Any]:
    """Return the summary the command line prints, times and memory aside."""
    predictions = results.load(opened, run_id)
    labels, _ = results.final_labels(opened, threshold=0.0)
    names, cells = np.unique(labels[labels != ""].astype(str), return_counts=True)
    about, gap = predictions.summary, measured_batches.gap(opened, predictions.run)
    return {
        "n_cells": opened.dataset.n_obs,
        "n_genes_used": about["n_genes"],
        "doubts": doubts(opened),
        "labels": {str(name): int(n) for name, n in zip(names, cells, strict=True)},
        "n_labelled": about["n_labeled"],  # as scripts know it
        "counts_source": opened.dataset.manifest["counts_source"],
        "repairs": [*opened.dataset.manifest["repairs"], *notes],
        "warnings": [*warnings(opened), *about["notes"]],
        "device": about["device"],
        "threads": about["threads"],
        "epochs": about["epochs"],
        "train_seconds": about["train_seconds"],
        "train_cells_per_s": about["train_cells_per_s"],
        "holdout": results.without_nan(about["holdout"]),
        "not_held_out": [] if gap is None else list(gap.missing),
        "output": str(path),
    }


def files_summary(opened: Workspace) -> dict[str, Any]:
    """Return the cells of each of several files, and how they fit the references."""
    from scanvi_core.services.diagnostics.mapping import mapping

    files = joined_files(opened)
    if not files:
        return {}
    fit = mapping(opened)
    types = {} if fit is None else fit.types.round(3).set_index("type").to_dict("index")
    return {
        "files": {
            file.name: {"n_cells": file.rows.stop - file.rows.start, "reference": file.reference}
            for file in files
        },
        "mapping": results.without_nan({str(name): row for name, row in types.items()}),
    }


def doubts(opened: Workspace) -> dict[str, Any]:
    """Return how many cells have their prediction doubted, by reason, and what was not looked for.

    ``ok`` counts the cells whose prediction nothing speaks against.
    """
    from scanvi_core.services.diagnostics import uncertainty

    checked = uncertainty.reasons(opened)
    if checked is None:
        return {}
    numbers = np.bincount(checked.reason, minlength=len(uncertainty.REASON_NAMES))
    named = zip(uncertainty.REASON_NAMES, numbers, strict=True)
    return {name: int(n) for name, n in named} | {"notes": list(checked.novelty_notes)}


def warnings(opened: Workspace) -> list[str]:
    """Return what speaks against the file and the columns that were chosen."""
    warned = sentences(opened.dataset.manifest["warnings"])
    labels, batches = (str(opened.project.settings.get(k)) for k in ("labels_key", "batch_key"))
    obs = opened.dataset.obs
    if labels in obs and batches in obs and same_division(obs, labels, batches):
        warned.append(SAME_DIVISION.format(labels, batches))
    return list(dict.fromkeys(warned))
