"""The headless twin of the app: one call from an .h5ad to an annotated .h5ad."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from scanvi_core import ending, keys, runtime
from scanvi_core.errors import ColumnMissing, SettingInvalid
from scanvi_core.project import locks
from scanvi_core.project.folder import create_project
from scanvi_core.project.runs import DONE
from scanvi_core.runtime import Report
from scanvi_core.services import jobs
from scanvi_core.services.annotate.kept import kept_if_cut_off, take_up_kept
from scanvi_core.services.annotate.progress import (
    DOUBTS,
    GENES,
    MAPS,
    PREDICTING,
    READING,
    TRAINING,
    WRITING,
    Progress,
    planned,
)  # fmt: skip
from scanvi_core.services.annotate.request import AnnotateRequest, check_request, matrix_name
from scanvi_core.services.annotate.summary import files_summary, summary_of
from scanvi_core.services.export import write
from scanvi_core.services.export.write import ExportChoice
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.labels import edit
from scanvi_core.services.packs import fit, opening, start
from scanvi_core.services.projects.joining import parts, several_files
from scanvi_core.services.projects.open_file import import_into
from scanvi_core.services.runs.inputs import check_labels
from scanvi_core.services.training.pace import usual_step_s
from scanvi_core.services.workspace import Workspace


def annotate(request: AnnotateRequest, progress: Report) -> dict[str, Any]:
    """Run the whole loop without a browser and return the summary.

    Raises
    ------
    InputError
        If the file, a column or the labels cannot be used.
    """
    started = time.monotonic()
    request = replace(
        request,
        sources=tuple(several_files.files_of(request.sources)),
        references=tuple(several_files.files_of(request.references)),
    )
    check_request(request)
    who = nullcontext() if request.with_name else locks.nameless()
    with _scratch() as folder, runtime.home_at(folder), who:
        bar = Progress(progress)
        opened = _opened(request, bar.within((READING, 1.0)))
        notes = prepare(opened, request)
        bar.plan(_plan(opened, request))
        with kept_if_cut_off(opened, request.target, _asked(opened, request)):
            run_id, told = _work(opened, request, bar)
        return (
            summary_of(opened, run_id, request.target, notes)
            | ({"pack": told} if told else {})
            | files_summary(opened)
            | {
                "total_seconds": round(time.monotonic() - started, 2),
                "peak_rss_mb": round(runtime.peak_rss_mb()),
            }
        )


def _work(opened: Workspace, request: AnnotateRequest, bar: Progress) -> tuple[str, list[str]]:
    """Name the cells, look for doubts and write; return the run and what is told of a pack."""
    from scanvi_core.services.diagnostics import uncertainty_job
    from scanvi_core.services.training.trainer import PREDICTED, SET_UP, TRAINED

    told, part = list[str](), partial(ForegroundJob, opened.project.id)
    job = part(bar.within(
        (GENES, SET_UP), (TRAINING, TRAINED), (PREDICTING, PREDICTED), (MAPS, 1.0)
    ))  # fmt: skip
    if request.pack is None:
        run_id = _trained(opened, request, job)
    else:
        run_id, told = _by_pack(opened, request, job)
    uncertainty_job.check_run(opened, run_id, part(bar.within((DOUBTS, 1.0))))
    _write(opened, request, bar.within((WRITING, 1.0)))
    return run_id, told


def _plan(opened: Workspace, request: AnnotateRequest) -> dict[str, float]:
    """Return about how long each part takes, in seconds."""
    from scanvi_core.annotation.layout.embedding import LAYOUT_CELLS
    from scanvi_core.services.diagnostics import uncertainty_job

    n_obs, train = opened.dataset.n_obs, request.training.train
    n_genes = min(train.n_top_genes, opened.dataset.n_vars)
    steps = 0 if request.pack is not None else train.n_steps(n_obs)
    training_s = steps * usual_step_s(n_genes, train)
    limits = {MAPS: LAYOUT_CELLS, DOUBTS: uncertainty_job.MAX_DOUBLET_CELLS}
    return planned(n_obs, limits, training_s, len(request.maps))


def _asked(opened: Workspace, request: AnnotateRequest) -> dict[str, Any]:
    """Return what two commands must share for one to go on from the other."""
    training = request.training
    return {
        "data": opened.dataset.manifest["counts_sha256"],
        "--labels-key": request.labels_key,
        "--unlabeled-category": sorted(request.unlabeled),
        "--batch-key": request.batch_key,
        "model setting": asdict(training.model),
        "training setting": asdict(training.train),
        "--pack": None if request.pack is None else request.pack.name,
    }


def _trained(opened: Workspace, request: AnnotateRequest, job: jobs.Job) -> str:
    """Train a run, or go on with the one that was kept; return its id."""
    from scanvi_core.services.training.in_process import begin, carry_through, put_in_use

    check_labels(opened)
    if not request.resume:
        run = begin(opened, request.training, job)
        return carry_through(opened, run, job, request.maps)
    run = take_up_kept(opened, request.target, _asked(opened, request))
    if run.status.status == DONE:
        return put_in_use(opened, run, job, request.maps)
    return carry_through(opened, run, job, request.maps)


def _by_pack(opened: Workspace, request: AnnotateRequest, job: jobs.Job) -> tuple[str, list[str]]:
    """Name the cells by a pack; return the run and what is told of it."""
    with Path(request.pack or "").open("rb") as stream:
        opening.look_at(opened, stream)
    notes = fit.checked(opened).notes
    return start.begin(opened, job, request.maps), list(notes)


def _opened(request: AnnotateRequest, progress: Report) -> Workspace:
    """Read the file; or all files, and join them."""
    progress(0.0, "Reading the file")
    project = create_project(request.sources[0].stem)
    matrix = matrix_name(request.layer)
    files = [path.resolve() for path in request.sources]
    if not request.is_joined:
        opened = import_into(project, files[0], matrix, request.answers, report=progress)
        check_asked(opened.dataset.manifest.get("asked", []), request.answers)
        return opened
    references = [path.resolve() for path in request.references]
    parts.list_files(project, files, references)
    parts.read_parts(project, matrix, request.answers, progress)
    manifests = [source.dataset.manifest for source in parts.sources(project)]
    asked = {key for manifest in manifests for key in manifest.get("asked", [])}
    check_asked(sorted(asked), request.answers)
    return several_files.join_into(project, request.batch_key)


def _write(opened: Workspace, request: AnnotateRequest, progress: Report) -> None:
    target = request.target
    if len(request.sources) > 1:
        target.mkdir(exist_ok=True)
        target = target / "cells.annotated.h5ad"  # gives the table of labels its name
    choice = ExportChoice(per_file=request.is_joined, with_table=request.with_table)
    write.write(opened, choice, target, report=progress)


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
    if request.batch_key is not None and request.batch_key == request.labels_key:
        raise SettingInvalid(
            f"The column {request.batch_key} cannot hold both the types and the batches.",
            "Leave --batch-key out, or name the column that tells batches apart.",
        )
    if not request.is_joined:  # else each file is a batch
        opened.project.update_settings(batch_key=request.batch_key)
    if request.labels_key is None:
        return []
    edit.use_column(opened, request.labels_key, set(request.unlabeled))
    values = edit.column_values(opened, request.labels_key)
    odd = values[values["unlabeled"] & ~values["value"].isin(opened.project.settings["unlabeled"])]
    return [odd_value(value) for value in odd["value"] if value.strip()]


def odd_value(value: str) -> str:
    """Return the notice about a label that usually means "no label" and was not named as such."""
    was = "was taken as a cell type"
    if value == keys.UNKNOWN:  # the verdict of a reviewer, see `inputs_of`
        was = "was kept as your label, but it is no type to learn"
    return f"{value} {was}. If it means unlabeled, add --unlabeled-category."


@contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder for the project, which is gone at the end, whichever way that comes."""
    # memory-mapped files cannot be removed on Windows while they are mapped
    with (
        tempfile.TemporaryDirectory(prefix="scanvi-", ignore_cleanup_errors=True) as folder,
        ending.unfinished(Path(folder)),
    ):
        yield Path(folder)
