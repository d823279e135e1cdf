"""Writing the annotated .h5ad, the table of labels and the pack."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core import keys, runtime
from scanvi_core.data.dataset import Dataset
from scanvi_core.errors import ExportError, ExportStopped, InputError
from scanvi_core.export.h5ad import Exported, export_annotated
from scanvi_core.export.replaceable import check_replaceable
from scanvi_core.export.request import CountsLayer, ExportRequest, OwnCopy, SourceFile
from scanvi_core.export.table import write_labels
from scanvi_core.project import pack as pack_file
from scanvi_core.runtime import Report
from scanvi_core.services import jobs
from scanvi_core.services.export import cap, pack, parts
from scanvi_core.services.export.cellxgene import form, submission_file
from scanvi_core.services.export.columns import (
    ANALYSIS,
    CAP,
    CELLXGENE,
    ExportChoice,
    colors,
    columns,
    final_labels,
    record,
    source_table,
    words,
)
from scanvi_core.services.export.targets import check_target
from scanvi_core.services.projects.joining.joined_files import joined_files
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import IO_LANE, Workspace, source_path

__all__ = ["ExportChoice", "final_labels", "source_table", "start", "write"]

EXPORT = "export"
OUR_COLUMNS = frozenset(
    {keys.SOURCE, keys.PREDICTION, keys.CONFIDENCE, keys.SECOND, keys.MARGIN, keys.ENTROPY,
     keys.HOLDOUT, keys.NOVELTY, keys.REASON, keys.PREDICTION_SET, keys.ISSUE, keys.QC_FLAG,
     keys.DOUBLET, keys.TERM, keys.NODE, keys.NODE_TERM, keys.NODE_DEPTH, keys.NODE_CONFIDENCE}
)  # fmt: skip
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
EXCEL_ROWS = 1_048_575  # a sheet of Excel holds no more, the line of names aside
ENDINGS = {CELLXGENE: "cellxgene", CAP: "cap"}


def start(opened: Workspace, choice: ExportChoice) -> str:
    """Write the export in the background; return the job id.

    Raises
    ------
    InputError
        If the name of the column cannot be used, or something CELLxGENE asks for is missing.
    """
    check(opened, choice)

    def work(job: jobs.Job) -> str:
        target = opened.project.exports / f"{base_name(opened, choice)}.{ending(choice)}.h5ad"
        try:
            exported = _write(opened, choice, target, job.should_stop, job.report)
        except ExportStopped:
            return ""
        table = label_table(opened, choice)
        for copy, written in exported:
            _write_about(choice, written)
            _write_table(opened, copy, table, excel_beside(written.path), excel=True)
        run = opened.current_run()
        if run is not None:
            pack.write(run, opened, pack_beside(target))
        return exported[0][1].path.name

    return jobs.submit(jobs.JobRequest(opened.id, EXPORT, IO_LANE, work))


def base_name(opened: Workspace, choice: ExportChoice) -> str:
    """Return the beginning of the names of exported files."""
    alone = [file.name for file in joined_files(opened) if not file.reference]
    if choice.per_file and len(alone) == 1:
        return alone[0]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", opened.project.name).strip("._-") or "cells"
    return name[:60]


def ending(choice: ExportChoice) -> str:
    """Return what tells the files of the profiles apart."""
    return ENDINGS.get(choice.profile, "annotated")


def write(
    opened: Workspace,
    choice: ExportChoice,
    target: Path,
    should_stop: Callable[[], bool] = lambda: False,
    report: Report = lambda *_: None,
) -> Path:
    """Write the annotated file, and the labels as CSV beside it if wished; return its path.

    With `choice.per_file` a copy of each file to annotate is written beside `target`; of a single
    one as `target`.

    Raises
    ------
    ExportStopped
        If it was stopped; an earlier file of the same name stays.
    ExportError
        If there is nothing to export, the source changed, or the disk is full.
    """
    return _write(opened, choice, target, should_stop, report)[0][1].path


def _write(
    opened: Workspace,
    choice: ExportChoice,
    target: Path,
    should_stop: Callable[[], bool],
    report: Report,
) -> list[tuple[parts.Copy, Exported]]:
    check(opened, choice)
    if results.current(opened) is None and not (opened.labels().codes >= 0).any():
        raise ExportError("There is nothing to export yet.", "Name some cells or train a model.")
    report(0.0, "Collecting the labels")
    whole = request_of(opened, choice, target)
    copies = parts.copies(opened, whole) if choice.per_file else [parts.Copy(whole, slice(None))]
    for copy in copies:  # before the first of them is written
        check_target(opened, copy.request.target)
        if choice.with_table:
            check_replaceable(csv_beside(copy.request.target))
    exported, table = [], label_table(opened, choice)
    for at, copy in enumerate(copies):

        def tell(share: float, words: str, at: int = at) -> None:
            report((at + share) / len(copies), words)

        exported.append(export_annotated(copy.request, should_stop, tell))
        if not choice.with_table:
            continue
        tell(1.0, "Writing the table of labels")
        _write_table(opened, copy, table, csv_beside(copy.request.target), excel=False)
    return list(zip(copies, exported, strict=True))


def request_of(opened: Workspace, choice: ExportChoice, target: Path) -> ExportRequest:
    """Return what is to be written."""
    labels, sources = final_labels(opened, choice)
    obs, obsm = columns(opened, choice, labels, sources)
    uns: dict[str, Any] = {
        keys.UNS_RECORD: json.dumps(record(opened)),
        keys.UNS_LOG: opened.store.export_log(),
    }
    if choice.profile == CAP:
        more, about = cap.fields(opened, choice.key, labels, sources)
        obs, uns = obs | more, uns | about
    if choice.profile != CELLXGENE:  # its columns have other names
        uns |= colors(opened, obs)
    counts = counts_of(opened) if choice.with_counts else None
    request = ExportRequest(
        source_of(opened), target, obs, obsm, uns, counts,
        keep=("title",) if choice.profile == CAP else (), replace=choice.replace,
    )  # fmt: skip
    if choice.profile == CELLXGENE:
        return submission_file.adapted(opened, request, own_copy(opened), labels)
    return request


def own_copy(opened: Workspace) -> OwnCopy:
    """Return the project's own copy of the data, to write a new file from."""
    dataset = opened.dataset
    return OwnCopy(
        obs=dataset.folder / "obs.parquet",
        var=dataset.folder / "var.parquet",
        obs_columns=list(dataset.manifest["obs_columns"]),
        var_columns=list(dataset.manifest["var_columns"]),
        counts=counts_of(opened),
        obsm={
            name: dataset.folder / f"obsm_{at}.npy" for at, name in enumerate(dataset.obsm_keys)
        },
    )


def check(opened: Workspace, choice: ExportChoice) -> None:
    """Raise `InputError` when the export cannot be what was asked for."""
    check_key(opened, choice)
    if choice.per_file and choice.profile != ANALYSIS:
        raise InputError(
            "A copy of each file can be written for analysis only.",
            "Choose one file for all cells, or the file for analysis.",
        )
    if choice.profile == CELLXGENE:
        form.check(opened)
    taken = choice.key in opened.dataset.manifest["obs_columns"]
    if choice.profile == CAP and taken and not choice.replace:
        raise InputError(
            f"The file has a column {choice.key} already, and the fields of the Cell Annotation "
            "Platform go by its name.",
            "Choose another name for the final labels, or replace the columns.",
        )


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
    return SourceFile(source_path(opened), source["size"], source["mtime_ns"], source["sha256"])


def counts_of(opened: Workspace) -> CountsLayer:
    """Return the counts the model read, for ``layers["counts"]``: as they are now, looked at."""
    _ = Dataset.open(opened.dataset.folder).counts.indices
    folder, shape = opened.dataset.folder, (opened.dataset.n_obs, opened.dataset.n_vars)
    data, indices, indptr = (
        folder / f"counts_{part}.npy" for part in ("data", "indices", "indptr")
    )
    return CountsLayer(data, indices, indptr, shape)


def csv_beside(path: Path) -> Path:
    """Return where the table of labels of an export lies."""
    return path.with_suffix(".labels.csv")


def excel_beside(path: Path) -> Path:
    """Return where the table for Excel of an export lies."""
    return path.with_suffix(".excel.csv")


def pack_beside(path: Path) -> Path:
    """Return where the pack of an export lies."""
    return path.with_name(f"{_stem(path)}{pack_file.ENDING}")


def about(path: Path) -> dict[str, Any]:
    """Return what was written into an export: ``written`` and ``notes``; empty when unknown."""
    notes = path.with_suffix(".about.json")
    return dict(json.loads(notes.read_text(encoding="utf-8"))) if _is_own(notes) else {}


def exported_file(opened: Workspace, name: str) -> Path:
    """Return the path of an exported file of the project.

    Raises
    ------
    InputError
        If the name is not that of an exported file.
    """
    path = opened.project.exports / name
    if not SAFE_NAME.fullmatch(name) or not _is_own(path):
        raise InputError("There is no such file.", "Export again.")
    return path


def exported_files(opened: Workspace) -> list[Path]:
    """Return the finished exports, newest first."""
    folder = opened.project.exports
    exports = filter(_is_own, folder.glob("*.h5ad"))
    return sorted(exports, key=lambda path: path.stat().st_mtime, reverse=True)


def _is_own(path: Path) -> bool:
    """Tell whether a file lies in the project itself: no link, nor in a folder that is one."""
    links = (path, path.parent)
    return path.is_file() and not any(map(Path.is_symlink, links))


def _stem(path: Path) -> str:
    return path.name.split(".")[0] if path.name.count(".") > 1 else path.stem


def label_table(opened: Workspace, choice: ExportChoice) -> dict[str, np.ndarray]:
    """Return the columns of the table of labels, one value per cell of the project."""
    labels, sources = final_labels(opened, choice)
    obs, _ = columns(opened, choice, labels, sources)
    return {name: words(column) for name, column in obs.items()}


def _write_table(
    opened: Workspace, copy: parts.Copy, table: dict[str, np.ndarray], path: Path, *, excel: bool
) -> None:
    """Write the labels of the cells as CSV: exact, or as Excel can be trusted with them."""
    rows = copy.rows
    barcodes = [name.removesuffix(copy.ending) for name in opened.dataset.obs_names[rows].tolist()]
    if excel and len(barcodes) > EXCEL_ROWS:
        path.unlink(missing_ok=True)
        return
    own = {name: column[rows].tolist() for name, column in table.items()}
    with (
        runtime.replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        write_labels(file, barcodes, own, excel=excel)


def _write_about(choice: ExportChoice, exported: Exported) -> None:
    notes = {
        "profile": choice.profile, "threshold": choice.threshold, "broader": choice.broader,
        "written": exported.written, "notes": exported.notes,
    }  # fmt: skip
    with runtime.replacing(exported.path.with_suffix(".about.json")) as temporary:
        temporary.write_text(json.dumps(notes, ensure_ascii=False), encoding="utf-8")
