"""Looking through a pack, and keeping it in a project that may begin from it."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from scanvi_core.data.guard.child_process import free_memory_mb, pass_on, run_child
from scanvi_core.data.guard.subprocess_limits import Talk
from scanvi_core.errors import (
    ChildCrashed,
    InputError,
)
from scanvi_core.project import pack
from scanvi_core.project.files import not_written
from scanvi_core.project.folder import Project, open_project
from scanvi_core.project.foreign.pack import LAYOUT, MOST_BYTES
from scanvi_core.runtime import Report
from scanvi_core.services import request_limits
from scanvi_core.services.paths import allowed_path
from scanvi_core.services.workspace import Workspace

CHILD = "scanvi_core.services.packs.child"
MEMORY_MB, MEMORY_PER_MB = 2_000.0, 8.0  # to look through one: so much, and per MB of it
TIMEOUT_S = 120.0
STAGE = ".pack-"


def look_at(opened: Workspace, stream: IO[bytes], report: Report = lambda *_: None) -> None:
    """Look through a pack in a child process, and keep it in the project until it begins.

    Where that fails nothing is left behind, and a pack that was looked at before stays.

    Raises
    ------
    FileRefused
        If it is no pack, or something in it is not as it has to be.
    InputError
        If the project has a model already.
    ProjectError
        If the disk refuses.
    """
    project = open_project(opened.id, to_change=True)
    check_free_of_models(opened)
    request_limits.take(request_limits.PROJECT)
    target = pack.folder_of(project)
    try:
        with _stage(project) as stage:
            path, folder = stage / "pack.zip", stage / "content"
            folder.mkdir()
            _receive(stream, path)
            _look(path, folder, report)
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)
    except OSError as error:
        raise not_written(target, error) from error


def look_at_path(opened: Workspace, text: str, report: Report = lambda *_: None) -> None:
    """Look through a pack below the data folder; see `look_at`."""
    with allowed_path(text).open("rb") as stream:
        look_at(opened, stream, report)


def check_free_of_models(opened: Workspace) -> None:
    """Raise `InputError` where a project has a model, which a pack would take the place of."""
    if opened.current_run() is not None:
        raise InputError(
            "This project has a model already.",
            "Open the data as a new project to begin from a pack.",
        )


def _receive(stream: IO[bytes], path: Path) -> None:
    n_bytes = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if n_bytes > MOST_BYTES:
        raise LAYOUT.is_none(f"it has {n_bytes / 1e6:,.0f} MB")
    LAYOUT.check_free(path.parent, n_bytes)
    with path.open("wb") as sink:
        shutil.copyfileobj(stream, sink, 2**20)


def _look(path: Path, folder: Path, report: Report) -> None:
    request = {
        "file": str(path),
        "folder": str(folder),
        "memory_mb": min(free_memory_mb(), MEMORY_MB + MEMORY_PER_MB * path.stat().st_size / 1e6),
        "timeout_s": TIMEOUT_S,
    }
    try:
        run_child(request, Talk(partial(pass_on, report)), CHILD)
    except ChildCrashed as error:
        raise LAYOUT.damaged(f"looking through it failed. {error.message}") from error


@contextmanager
def _stage(project: Project) -> Iterator[Path]:
    """Yield a folder in the project; nothing of it stays, nor of one that a kill left behind."""
    for left in project.root.glob(f"{STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)
    stage = project.root / f"{STAGE}{secrets.token_hex(8)}"
    stage.mkdir(mode=0o700)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
