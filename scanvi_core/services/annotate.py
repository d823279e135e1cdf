"""The headless twin of the app: one call from an .h5ad to an annotated .h5ad."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import keys, runtime
from scanvi_core.data.anndata_files.guess_columns import SAME_DIVISION, same_division
from scanvi_core.errors import ColumnMissing, InputError, SettingInvalid
from scanvi_core.project.folder import create_project
from scanvi_core.services import jobs
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.labels import edit
from scanvi_core.services.projects import parts, several_files
from scanvi_core.services.projects.joined_files import joined_files
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs import results, train_request
from scanvi_core.services.runs.inputs import check_labels
from scanvi_core.services.runs.train_request import TrainRequest
from scanvi_core.services.workspace import Workspace

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class AnnotateRequest:
    """What ``python -m scanvi_core annotate`` was asked for.

    Attributes
    ----------
    sources
        The files to annotate.
    target
        The new file; a folder where there are several.
    references
        Files that only teach: their labels are learned from, they are not written.
    """

    sources: tuple[Path, ...]
    target: Path
    labels_key: str
    unlabeled: tuple[str, ...] = ()
    batch_key: str | None = None
    layer: str | None = None
    training: TrainRequest = field(default_factory=TrainRequest)
    answers: dict[str, str] = field(default_factory=dict)
    references: tuple[Path, ...] = ()

    @property
    def is_joined(self) -> bool:
        """Whether there is more than one file."""
        return len(self.sources) + len(self.references) > 1


def annotate(request: AnnotateRequest, progress: Report) -> dict[str, Any]:
    """Run the whole loop without a browser and return the summary.

    Raises
    ------
    InputError
        If the file, a column or the labels cannot be used.
    """
    from scanvi_core.services.diagnostics import uncertainty_job
    from scanvi_core.services.training.in_process import train

    started = time.monotonic()
    _check_target(request)
    with _scratch() as folder, runtime.home_at(Path(folder)):
        progress(0.0, "Reading the file")
        opened = _opened(request, progress)
        notes = prepare(opened, request)
        check_labels(opened)
        job = ForegroundJob(opened.project.id, progress)
        run_id = train(opened, request.training, job)
        uncertainty_job.check_run(opened, run_id, job)
        progress(0.95, "Writing the file")
        _write(opened, request)
        return (
            summary(opened, run_id, request.target, notes)
            | _of_files(opened)
            | {
                "total_seconds": round(time.monotonic() - started, 2),
                "peak_rss_mb": round(runtime.peak_rss_mb()),
            }
        )


def _opened(request: AnnotateRequest, progress: Report) -> Workspace:
    """Read the file; or all files, and join them."""
    project = create_project(request.sources[0].stem)
    matrix = matrix_name(request.layer)
    files = [path.resolve() for path in request.sources]
    if not request.is_joined:
        opened = import_into(project, files[0], matrix, request.answers)
        check_asked(opened.dataset.manifest.get("asked", []), request.answers)
        return opened
    references = [path.resolve() for path in request.references]
    parts.list_files(project, files, references)
    parts.read_parts(project, matrix, request.answers, progress)
    manifests = [source.dataset.manifest for source in parts.sources(project)]
    asked = {key for manifest in manifests for key in manifest.get("asked", [])}
    check_asked(sorted(asked), request.answers)
    return several_files.join_into(project, request.batch_key)


def _write(opened: Workspace, request: AnnotateRequest) -> None:
    target = request.target
    if len(request.sources) > 1:
        target.mkdir(exist_ok=True)
        target = target / "cells.annotated.h5ad"  # gives the table of labels its name
    write.write(opened, ExportChoice(per_file=request.is_joined), target)


def check_asked(asked: Sequence[str], answers: Mapping[str, str]) -> None:
    """Refuse answers to questions that no file asks.

    Raises
    ------
    SettingInvalid
        If there is one.
    """
    for key in sorted(set(answers) - set(asked)):
        raise SettingInvalid(
            f"Nothing is asked about {key}.",
            f"Asked is: {', '.join(asked)}." if asked else "This file asks nothing.",
        )


def prepare(opened: Workspace, request: AnnotateRequest) -> list[str]:
    """Choose labels and batches as the pages would; return the notices."""
    if request.batch_key is not None and request.batch_key not in opened.dataset.obs:
        known = ", ".join(map(str, opened.dataset.obs.columns))
        raise ColumnMissing(f"There is no column {request.batch_key} in obs.", f"It has: {known}.")
    if request.batch_key == request.labels_key:
        raise SettingInvalid(
            f"The column {request.batch_key} cannot hold both the types and the batches.",
            "Leave --batch-key out, or name the column that tells batches apart.",
        )
    if not request.is_joined:  # else each file is a batch
        opened.project.update_settings(batch_key=request.batch_key)
    edit.use_column(opened, request.labels_key, set(request.unlabeled))
    values = edit.column_values(opened, request.labels_key)
    odd = values[values["unlabeled"] & ~values["value"].isin(opened.project.settings["unlabeled"])]
    return [odd_value(value) for value in odd["value"] if value.strip()]


def warnings(opened: Workspace) -> list[str]:
    """Return what speaks against the file and the columns that were chosen."""
    said = list(opened.dataset.manifest["warnings"])
    labels, batches = (str(opened.project.settings.get(k)) for k in ("labels_key", "batch_key"))
    obs = opened.dataset.obs
    if labels in obs and batches in obs and same_division(obs, labels, batches):
        said.append(SAME_DIVISION.format(labels, batches))
    return list(dict.fromkeys(said))


def odd_value(value: str) -> str:
    """Return the notice about a label that usually means "no label" and was not named as such."""
    was = "was taken as a cell type"
    if value == keys.UNKNOWN:  # the verdict of a reviewer, see `inputs_of`
        was = "was kept as your label, but it is no type to learn"
    return f"{value} {was}. If it means unlabeled, add --unlabeled-category."


def matrix_name(layer: str | None) -> str | None:
    """Return the matrix to read for ``--layer``: a layer's name, ``X`` or ``raw.X``."""
    if layer is None or layer in ("X", "raw.X") or layer.startswith("layers/"):
        return layer
    return f"layers/{layer}"


def summary(opened: Workspace, run_id: str, path: Path, notes: list[str]) -> dict[str, Any]:
    """Return the summary the command line prints, times and memory aside."""
    predictions = results.load(opened, run_id)
    labels, _ = results.final_labels(opened, threshold=0.0)
    names, cells = np.unique(labels[labels != ""].astype(str), return_counts=True)
    about = predictions.summary
    return {
        "n_cells": opened.dataset.n_obs,
        "n_genes_used": about["n_genes"],
        "doubts": doubts(opened),
        "labels": {str(name): int(n) for name, n in zip(names, cells, strict=True)},
        "n_labelled": about["n_labeled"],  # as scripts know it
        "counts_source": opened.dataset.manifest["counts_source"],
        "repairs": [*opened.dataset.manifest["repairs"], *notes],
        "warnings": warnings(opened),
        "device": about["device"],
        "threads": about["threads"],
        "epochs": about["epochs"],
        "train_seconds": about["train_seconds"],
        "train_cells_per_s": about["train_cells_per_s"],
        "holdout": results.without_nan(about["holdout"]),
        "output": str(path),
    }


def _of_files(opened: Workspace) -> dict[str, Any]:
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


def _scratch() -> "tempfile.TemporaryDirectory[str]":
    # memory-mapped files cannot be removed on Windows while they are mapped
    return tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True)


def _check_target(request: AnnotateRequest) -> None:
    target, is_folder = request.target.resolve(), len(request.sources) > 1
    if not target.parent.is_dir():
        raise InputError(f"The folder {target.parent} does not exist.", "Create it first.")
    if is_folder and target.exists() and not target.is_dir():
        raise InputError(
            f"The output {target} is a file; each of the {len(request.sources)} files gets one.",
            "Name a folder with -o.",
        )
    if not is_folder and target.is_dir():
        raise InputError(f"The output {target} is a folder.", "Add the name of a file with -o.")
    if target in [path.resolve() for path in (*request.sources, *request.references)]:
        raise InputError("The output is the input file.", "Choose another name with -o.")


class ForegroundJob(jobs.Job):
    """A job done by the caller itself, which sees its errors and tells a progress bar."""

    watched = False

    def __init__(self, project_id: str, progress: Report) -> None:
        super().__init__(jobs.JobRequest(project_id, train_request.TRAIN, "", lambda _: None))
        self._progress = progress

    def report(self, fraction: float, message: str = "") -> None:
        """Pass the progress on."""
        super().report(fraction, message)
        self._progress(fraction, message)
