"""Writing the annotated .h5ad and the table of labels."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scanvi_core import __version__, keys, runtime
from scanvi_core.errors import ExportError, InputError
from scanvi_core.export.h5ad import write_annotated
from scanvi_core.export.request import Column, CountsLayer, ExportRequest, SourceFile
from scanvi_core.export.table import labels_csv
from scanvi_core.project.state import SOURCE_NAMES
from scanvi_core.services import doubt_export, jobs, results
from scanvi_core.services.workspace import IO_LANE, Workspace, workspace

EXPORT = "export"
OUR_COLUMNS = frozenset(
    {keys.SOURCE, keys.PREDICTION, keys.CONFIDENCE, keys.SECOND, keys.MARGIN, keys.ENTROPY,
     keys.HOLDOUT, keys.NOVELTY, keys.REASON, keys.PREDICTION_SET, keys.ISSUE, keys.QC_FLAG,
     keys.DOUBLET}
)  # fmt: skip
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ExportChoice:
    """What to write.

    Attributes
    ----------
    key
        obs column of the final labels.
    threshold
        Confidence from which a prediction fills an unlabelled cell.
    with_counts
        Also write the counts the model read into ``layers["counts"]``.
    replace
        Replace the columns of an earlier export instead of adding new ones.
    groups
        Where the type of an unlabelled cell is not sure, say its group if that is; types and
        groups less sure than `config.LOW_CONFIDENCE` are left out then.
    sets
        Also write, for each cell, the types among which the true one is nine times in ten.
    """

    key: str = keys.CURATED
    threshold: float = 0.0
    with_counts: bool = False
    replace: bool = False
    groups: bool = False
    sets: bool = False


def start(project_id: str, choice: ExportChoice) -> str:
    """Write the export in the background; return the job id.

    Raises
    ------
    InputError
        If the name of the column cannot be used.
    """
    check_key(workspace(project_id), choice)

    def work(job: jobs.Job) -> str:
        job.report(0.2, "Writing and checking the file")
        opened = workspace(project_id)
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", opened.project.name).strip("._-") or "cells"
        return write(
            project_id, choice, opened.project.exports / f"{name[:60]}.annotated.h5ad"
        ).name

    return jobs.submit(jobs.JobRequest(project_id, EXPORT, IO_LANE, work))


def write(project_id: str, choice: ExportChoice, target: Path) -> Path:
    """Write the annotated copy of the user's file and the labels CSV beside it.

    Raises
    ------
    ExportError
        If there is nothing to export, the source changed, or the disk is full.
    """
    opened = workspace(project_id)
    check_key(opened, choice)
    if results.current(project_id) is None and not (opened.labels().codes >= 0).any():
        raise ExportError("There is nothing to export yet.", "Name some cells or train a model.")
    labels, sources = final_labels(project_id, choice)
    obs, obsm = columns(project_id, choice, labels, sources)
    request = ExportRequest(
        source=source_of(opened),
        target=target,
        obs=obs,
        obsm=obsm,
        uns={keys.UNS_RECORD: json.dumps(record(opened)), keys.UNS_LOG: opened.store.export_log()},
        counts=counts_of(opened) if choice.with_counts else None,
        replace=choice.replace,
    )
    path = write_annotated(request)
    table = {name: words(column).tolist() for name, column in obs.items()}
    text = labels_csv(opened.dataset.obs_names.tolist(), table)
    with runtime.replacing(csv_beside(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def final_labels(project_id: str, choice: ExportChoice) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels to write and where they came from, as `results.final_labels` does."""
    threshold = doubt_export.least(choice.threshold, groups=choice.groups)
    labels, sources = results.final_labels(project_id, threshold=threshold)
    if choice.groups:
        said = doubt_export.group_names(project_id, threshold)
        labels, sources = (
            np.where(said != "", said, labels),
            np.where(said != "", keys.PARENT, sources),
        )
    return labels, sources


def check_key(opened: Workspace, choice: ExportChoice) -> None:
    """Raise `InputError` when the labels would take the place of something else."""
    if choice.key in OUR_COLUMNS:
        raise InputError(
            f"The column {choice.key} is written as well, with other content.",
            "Choose another name for the final labels.",
        )
    if choice.replace and choice.key != keys.CURATED and choice.key in opened.dataset.obs:
        raise InputError(
            f"The file has a column {choice.key} of its own, which is never replaced.",
            "Choose another name for the final labels, or do not replace columns.",
        )


def source_of(opened: Workspace) -> SourceFile:
    """Return the user's file as it was when it was loaded."""
    source = opened.dataset.manifest["source"]
    return SourceFile(Path(source["path"]), source["size"], source["mtime_ns"], source["sha256"])


def counts_of(opened: Workspace) -> CountsLayer:
    """Return the counts the model read, for ``layers["counts"]``."""
    folder, shape = opened.dataset.folder, (opened.dataset.n_obs, opened.dataset.n_vars)
    data, indices, indptr = (
        folder / f"counts_{part}.npy" for part in ("data", "indices", "indptr")
    )
    return CountsLayer(data, indices, indptr, shape)


def csv_beside(path: Path) -> Path:
    """Return where the table of labels of an export lies."""
    return path.with_suffix(".labels.csv")


def coded(names: np.ndarray, categories: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return words as codes and categories; '' and what is no category has code -1."""
    return pd.Index(categories).get_indexer(names).astype(np.int32), categories


def words(column: Column) -> np.ndarray:
    """Return a column of the export as words or numbers, for a table."""
    if not isinstance(column, tuple):
        return column
    codes, categories = column
    return np.array([*categories, ""], dtype=object)[codes]


def columns(
    project_id: str, choice: ExportChoice, labels: np.ndarray, sources: np.ndarray
) -> tuple[dict[str, Column], dict[str, np.ndarray]]:
    """Return the obs columns and obsm arrays to write."""
    present = sorted({str(name) for name in labels} - {""})
    obs: dict[str, Column] = {
        choice.key: coded(labels, present),
        keys.SOURCE: coded(sources, sorted(set(sources))),
    }
    found = results.current(project_id)
    if found is None:
        return obs, {}
    obs |= {
        keys.PREDICTION: (found.prediction.astype(np.int32), list(found.names)),
        keys.CONFIDENCE: found.confidence,
        keys.SECOND: (found.second.astype(np.int32), list(found.names)),
        keys.MARGIN: found.margin,
        keys.ENTROPY: found.entropy,
        keys.HOLDOUT: found.holdout,
    }
    obs |= doubt_export.columns(project_id)
    if choice.sets:
        obs |= doubt_export.set_column(project_id)
    obsm = {
        keys.LATENT_Z1: found.array(project_id, results.Z1),
        keys.LATENT_Z2: found.array(project_id, results.Z2),
        keys.UMAP_Z1: found.array(project_id, results.MAPS[results.Z1]),
        keys.UMAP_Z2: found.array(project_id, results.MAPS[results.Z2]),
        keys.PROBABILITIES: found.probabilities,
    }
    return obs, obsm


def record(opened: Workspace) -> dict[str, Any]:
    """Return what a reader needs to trace the result: settings, versions, seeds, label order."""
    run = opened.current_run()
    about: dict[str, Any] = {
        "program": "scanvi-app",
        "version": __version__,
        "counts_source": opened.dataset.manifest["counts_source"],
        "repairs": opened.dataset.manifest["repairs"],
        "source_sha256": opened.dataset.manifest["source"]["sha256"],
        "unlabeled_category": keys.UNKNOWN,
    }
    if run is not None:
        about |= {"run": run.settings, "result": results.without_nan(run.summary)}
    return about


def source_table(project_id: str, threshold: float, *, groups: bool = False) -> pd.DataFrame:
    """Return how many final labels come from where."""
    words_for = {
        keys.GIVEN: "your file",
        keys.MANUAL: "named by hand",
        keys.ACCEPTED: "accepted predictions",
        keys.PREDICTED: "predictions",
        keys.PARENT: "predicted groups",
        keys.UNLABELED: "left without a label",
    }
    opened, found = workspace(project_id), results.current(project_id)
    state, threshold = opened.labels(), doubt_export.least(threshold, groups=groups)
    open_ = grouped = np.zeros(len(state.codes), bool)
    if found is not None:
        open_ = results.filled(state, found, threshold)
    if groups:
        grouped = doubt_export.group_names(project_id, threshold) != ""
    cells = np.bincount(state.sources[~open_ & ~grouped], minlength=len(SOURCE_NAMES))
    count = dict(zip(SOURCE_NAMES, cells, strict=True))
    count |= {keys.PREDICTED: open_.sum(), keys.PARENT: grouped.sum()}
    if not groups:
        del words_for[keys.PARENT]
    rows = [(text, int(count[word])) for word, text in words_for.items()]
    return pd.DataFrame(rows, columns=["source", "cells"])


def exported_file(project_id: str, name: str) -> Path:
    """Return the path of an exported file of the project.

    Raises
    ------
    InputError
        If the name is not that of an exported file.
    """
    path = workspace(project_id).project.exports / name
    if not SAFE_NAME.fullmatch(name) or not path.is_file():
        raise InputError("There is no such file.", "Export again.")
    return path


def exported_files(project_id: str) -> list[Path]:
    """Return the finished exports, newest first."""
    folder = workspace(project_id).project.exports
    return sorted(folder.glob("*.h5ad"), key=lambda path: path.stat().st_mtime, reverse=True)
