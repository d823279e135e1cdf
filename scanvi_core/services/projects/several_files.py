"""Opening several files as one project: read them, show what they share, join them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scanvi_core.errors import InputError
from scanvi_core.project.folder import Project, create_project, open_project
from scanvi_core.services import jobs, request_limits
from scanvi_core.services.projects import parts
from scanvi_core.services.projects.open_file import OPEN, import_into
from scanvi_core.services.workspace import IO_LANE, Workspace, is_ready

READ_SHARE = 0.5  # of the time of opening, for reading the files one by one
JOIN_SHARE = 0.6  # until the files are joined; the rest is for reading the joined file


@dataclass(frozen=True)
class Overview:
    """What the files are and share.

    Attributes
    ----------
    files
        One row per file: ``file``, ``cells``, ``genes``, ``genes are named by``, ``recognized by``
        and ``not in all files`` (genes), ``counts from``, ``role``.
    n_shared
        Genes that all have; 0 where they are too few.
    problem
        Why the files cannot be joined; empty where they can.
    columns
        Columns of the tables of cells that may tell batches apart inside of the files.
    """

    files: pd.DataFrame
    n_shared: int
    problem: str
    columns: list[str]


def open_files(files: Sequence[Path], references: Sequence[Path] = ()) -> str:
    """Start reading files, to be joined once they were looked at; return the project id.

    Raises
    ------
    InputError
        If a file is named twice, or there are too many.
    """
    request_limits.take(request_limits.PROJECT)
    every = [*files, *references]
    project = create_project(f"{len(every)} files: {parts.names_of(every)[0]}, ...")
    parts.list_files(project, files, references)

    def work(job: jobs.Job) -> None:
        from scanvi_core.data.guard.child_process import ImportStopped

        try:
            parts.read_parts(project, report=job.report, should_stop=job.should_stop)
        except ImportStopped:
            job.report(0.0, "Stopped")

    jobs.submit(jobs.JobRequest(project.id, OPEN, IO_LANE, work))
    return project.id


def is_pending(project_id: str) -> bool:
    """Tell whether all files of a project were read and wait to be joined."""
    return not is_ready(project_id) and parts.are_read(open_project(project_id))


def overview(project_id: str) -> Overview:
    """Return what the files are, which genes they share, and what would be lost."""
    from scanvi_core.data.joining.genes import kind_of_names, shared_genes

    project = open_project(project_id)
    listed, sources = parts.parts(project), parts.sources(project)
    shared, problem = None, ""
    try:
        shared = shared_genes(sources)
    except InputError as error:
        problem = f"{error.message} {error.hint}"
    n_shared = len(shared) if shared else 0
    files = pd.DataFrame(
        [
            {
                "file": part.name,
                "cells": source.dataset.n_obs,
                "genes": source.dataset.n_vars,
                "genes are named by": kind_of_names(source.dataset),
                "recognized by": shared.named_by[at] if shared else "",
                "not in all files": source.dataset.n_vars - n_shared,
                "counts from": source.dataset.manifest["counts_source"],
                "role": "reference" if part.reference else "to annotate",
            }
            for at, (part, source) in enumerate(zip(listed, sources, strict=True))
        ]
    )
    batches = [
        candidate["key"]
        for source in sources
        for candidate in source.dataset.manifest["batch_candidates"]
    ]
    return Overview(files, n_shared, problem, list(dict.fromkeys(batches)))


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
        from scanvi_core.data.guard.child_process import ImportStopped

        try:
            join_into(project, batch_key, job)
        except ImportStopped:
            job.report(0.0, "Stopped")

    return jobs.submit(jobs.JobRequest(project.id, OPEN, IO_LANE, work))


def join_into(
    project: Project, batch_key: str | None = None, job: jobs.Job | None = None
) -> Workspace:
    """Join the files that were read and take the joined file in; each file is a batch."""
    from scanvi_core.data.joining.tables import SOURCE_BATCH, SOURCE_COLUMN

    report = job.report if job is not None else lambda *_: None
    path, origin = parts.join_parts(project, batch_key, report)
    opened = import_into(project, path, job=job, origin=origin)
    columns = opened.dataset.manifest["obs_columns"]
    project.update_settings(batch_key=SOURCE_BATCH if SOURCE_BATCH in columns else SOURCE_COLUMN)
    parts.forget(project)
    return opened
