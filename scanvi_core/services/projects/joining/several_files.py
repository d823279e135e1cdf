"""Opening several files as one project: read them, show what they share, join them."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd

from scanvi_core.data.anndata_files.cell_type_names import column_holds_types
from scanvi_core.data.guard.signatures import HDF5_MAGIC
from scanvi_core.data.manifest import read_manifest
from scanvi_core.errors import InputError, ProjectError
from scanvi_core.plurals import count
from scanvi_core.project.folder import Project, create_project, open_project
from scanvi_core.runtime import Report
from scanvi_core.services import jobs, request_limits
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.projects import browse, open_file
from scanvi_core.services.projects.joining import batch_columns, file_names, parts
from scanvi_core.services.projects.joining.grown import ADDED_TO, STEPS_BROUGHT
from scanvi_core.services.projects.joining.label_transfer import transfer
from scanvi_core.services.projects.open_file import OPEN, import_into, keep_uploads, stopping
from scanvi_core.services.workspace import IO_LANE, Workspace, is_ready, workspace

if TYPE_CHECKING:
    from scanvi_core.data.dataset import Dataset

NO_TYPES = "no column"
JOIN_SHARE = 0.4  # of the time of joining, until the file is written that is then read


@dataclass(frozen=True)
class Overview:
    """What the files are and share.

    Attributes
    ----------
    files
        One row per file: its ``cells`` and ``genes``, how many genes are ``not in all files``,
        what they are ``named by`` and ``recognized by``, the column that is likely to hold
        ``types``, and where the ``counts`` are ``from``.
    n_shared
        Genes that all have; 0 where they are too few.
    problem
        Why the files cannot be joined; empty where they can.
    columns
        Columns of the tables of cells that may tell batches apart inside of the files.
    likely_references
        The files with types, where another has none.
    added
        Whether the first is a project to which the others are added.
    batch_key
        The column to begin with: by which each file is divided, or the project of before. None:
        each file is one batch.
    divides
        How many batches each file has by a column, in words.
    """

    files: pd.DataFrame
    n_shared: int
    problem: str
    columns: list[str]
    likely_references: tuple[str, ...]
    added: bool
    batch_key: str | None
    divides: Mapping[str, str]


def open_files(files: Sequence[Path]) -> str:
    """Start reading files, to be joined once they were looked at; return the project id.

    Raises
    ------
    InputError
        If a file is named twice, or there are too many.
    """
    parts.check_files(files)
    return _open(file_names.names_of(files), lambda _: files)


def open_paths(texts: Sequence[str]) -> str:
    """Start opening files and folders of this computer as one project.

    A folder of samples is as many files as it has samples.

    Raises
    ------
    FileRefused
        If a path does not lead to a file or folder below the data folder.
    InputError
        If they are too many, or one is there twice.
    """
    files = allowed_files(texts)
    return open_files(files) if len(files) > 1 else open_file.open_path(texts[0])


def allowed_files(texts: Sequence[str]) -> list[Path]:
    """Return the files and folders that paths lead to, below the data folder; see `files_of`.

    Raises
    ------
    FileRefused
        If a path leads elsewhere, or nowhere.
    """
    files = files_of([allowed_path(text, folders=True) for text in texts])
    for path in files:
        allowed_path(str(path), folders=True)  # a link may lead elsewhere
    return files


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Return files and folders to read: a folder of samples is as many as it has samples."""
    samples = [browse.samples_in(path) if path.is_dir() else [] for path in paths]
    return [
        path
        for one, several in zip(paths, samples, strict=True)
        for path in (several if len(several) > 1 else [one])
    ]


def open_uploads(files: Sequence[tuple[str, IO[bytes]]]) -> str:
    """Keep uploaded files and start reading each; return the project id."""
    named = named_apart(files)
    return _open(list(named), lambda project: keep_uploads(project, named))


def named_apart(files: Sequence[tuple[str, IO[bytes]]]) -> dict[str, IO[bytes]]:
    """Return uploaded files by different names."""
    named = dict[str, IO[bytes]]()
    for name, stream in files:
        plain = Path(Path(name).name or "upload")
        stem = file_names.unused(plain.stem, [Path(other).stem for other in named])
        named[f"{stem}{plain.suffix}"] = stream
    return named


def _open(names: Sequence[str], fetch: Callable[[Project], Sequence[Path]]) -> str:
    request_limits.take(request_limits.PROJECT)
    project = create_project(f"{names[0]} and {count(len(names) - 1, 'other file')}")
    parts.list_files(project, fetch(project))
    read_on(project.id)
    return project.id


def hold_cells(files: Sequence[tuple[str, IO[bytes]]]) -> bool:
    """Tell whether two or more of these files hold cells of their own; lists are text."""
    heads = []
    for _, stream in files:
        heads.append(stream.read(len(HDF5_MAGIC)))
        stream.seek(0)
    return heads.count(HDF5_MAGIC) > 1


def is_pending(project_id: str) -> bool:
    """Tell whether a project has files that are to be joined."""
    return not is_ready(project_id) and bool(parts.parts(open_project(project_id)))


def are_read(project_id: str) -> bool:
    """Tell whether all of them were read."""
    return parts.are_read(open_project(project_id))


def overview(project_id: str) -> Overview:
    """Return what the files are, which genes they share, and what would be lost."""
    listed = parts.parts(open_project(project_id))
    read_at = max(part.manifest.stat().st_mtime_ns for part in listed)
    return _overview(project_id, read_at)


@lru_cache(maxsize=8)
def _overview(project_id: str, read_at: int) -> Overview:  # noqa: ARG001  what is kept goes by it
    from scanvi_core.data.joining.genes import kind_of_names, shared_genes

    project = open_project(project_id)
    sources = parts.sources(project)
    earlier, shared, problem = None, None, ""
    try:
        earlier = _added_to(project)
        parts.check_content(project)
        shared = shared_genes(sources)
    except InputError as error:
        problem = f"{error.message} {error.hint}"
    n_shared = len(shared) if shared else 0
    files = pd.DataFrame(
        [
            {
                "file": source.name,
                "cells": source.dataset.n_obs,
                "genes": source.dataset.n_vars,
                "not in all files": source.dataset.n_vars - n_shared,
                "genes are named by": kind_of_names(source.dataset),
                "recognized by": shared.named_by[at] if shared else "",
                "types in": _likely_labels(source.dataset),
                "counts from": source.dataset.manifest["counts_source"],
            }
            for at, source in enumerate(sources)
        ]
    )
    typed = files["types in"] != NO_TYPES
    added = bool(project.settings.get(ADDED_TO))
    likely = () if added or typed.all() else tuple(files["file"][typed])
    before = earlier.batch_key if earlier is not None else None
    columns = batch_columns.offered(sources, before)
    batch_key = batch_columns.to_begin_with(sources, columns, before)
    divides = {name: batch_columns.in_words(sources, name) for name in columns}
    return Overview(files, n_shared, problem, columns, likely, added, batch_key, divides)


def _likely_labels(dataset: "Dataset") -> str:
    """Return the first column that looks like cell types, in words where there is none."""
    for column in dataset.manifest["labels_candidates"]:
        values = dataset.values(column["key"]).astype("category").cat.categories
        if column_holds_types(column["key"], [str(value) for value in values]):
            return str(column["key"])
    return NO_TYPES


def read_on(project_id: str) -> str:
    """Read the files that were not read yet, in the background; return the job id."""
    project = open_project(project_id)

    def work(job: jobs.Job) -> None:
        with stopping(job):
            parts.read_parts(project, report=job.report, should_stop=job.should_stop)

    return jobs.submit(jobs.JobRequest(project.id, OPEN, IO_LANE, work))


def leave(project_id: str) -> str | None:
    """Remove files that wait to be joined; return the project to which they were added, if any.

    Files that were opened by their path stay where they lie; uploaded ones go.

    Raises
    ------
    ProjectError
        If the files are joined already, are being joined, or who asks may only look.
    """
    project = open_project(project_id, to_change=True)
    if not is_pending(project_id) or jobs.active(project_id):
        raise ProjectError("These files are joined already, or at work.", "Reload the page.")
    earlier = project.settings.get(ADDED_TO)
    shutil.rmtree(project.root, ignore_errors=True)
    return earlier


def join(project_id: str, references: Sequence[str] = (), batch_key: str | None = None) -> str:
    """Join the files in the background; return the job id.

    Parameters
    ----------
    references
        Names of the files that only teach.
    batch_key
        A column that tells batches apart inside of the files that have it.
    """
    project = open_project(project_id)
    parts.set_references(project, references)

    def work(job: jobs.Job) -> None:
        with stopping(job):
            join_into(project, batch_key, job.report, job.should_stop)

    return jobs.submit(jobs.JobRequest(project.id, OPEN, IO_LANE, work))


def join_into(
    project: Project,
    batch_key: str | None = None,
    report: Report = lambda *_: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Workspace:
    """Join the files that were read and take the joined file in; each file is a batch."""
    earlier = _added_to(project)
    path, origin, key = parts.join_parts(
        project, batch_key, lambda share, words: report(JOIN_SHARE * share, words)
    )
    opened = import_into(
        project,
        path,
        origin=origin,
        report=lambda share, words: report(JOIN_SHARE + (1 - JOIN_SHARE) * share, words),
        should_stop=should_stop,
    )
    project.update_settings(batch_key=key)
    parts.forget(project)
    if earlier is not None and earlier.labels().seq:
        transfer(earlier, opened, np.arange(earlier.dataset.n_obs))
        project.update_settings(**{STEPS_BROUGHT: opened.labels().seq})
    return opened


def _added_to(project: Project) -> Workspace | None:
    """Return the project that files are added to; its cells come first, in their order.

    Raises
    ------
    InputError
        If it is not what it was any more: its labels would be lost, or land on other cells.
    """
    earlier_id = project.settings.get(ADDED_TO)
    if earlier_id is None:
        return None
    listed = parts.parts(project)
    again = "Open it and add the files once more, or open all files as one project."
    try:
        earlier = workspace(earlier_id)
    except ProjectError as error:
        raise InputError(
            f"The project to which {listed[0].name} belongs cannot be opened any more.", again
        ) from error
    if (
        read_manifest(listed[0].dataset)["counts_sha256"]
        != earlier.dataset.manifest["counts_sha256"]
    ):
        raise InputError(f"{earlier.project.name} was read anew since files were added.", again)
    return earlier
