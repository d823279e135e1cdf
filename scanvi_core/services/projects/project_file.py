"""Projects as one file for another computer, projects made from such files, and copies."""

import os
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from scanvi_core.data.guard.child_process import free_memory_mb, pass_on, run_child
from scanvi_core.data.guard.subprocess_limits import Talk
from scanvi_core.data.manifest import MANIFEST, Manifest, read_manifest
from scanvi_core.errors import (
    ChildCrashed,
    FileRefused,
)
from scanvi_core.project import access
from scanvi_core.project.files import not_written, to_json, write_json
from scanvi_core.project.folder import (
    SETTINGS,
    Project,
    create_project,
    new_project,
    open_project,
    projects_home,
)
from scanvi_core.project.foreign.project_file import (
    SOURCE,
    cannot_open,
    check_free,
    is_member,
    plain_files,
    portable,
)
from scanvi_core.project.label_log.exchange.foreign_log import adopt
from scanvi_core.project.label_log.storage import backup
from scanvi_core.project.label_log.storage.database import in_words, server_url
from scanvi_core.project.locks import MARK
from scanvi_core.runtime import Report, replacing
from scanvi_core.services import jobs, request_limits
from scanvi_core.services.paths import stored_path
from scanvi_core.services.workspace import IO_LANE, workspace

SAVE = "project file"
ENDING = ".project.zip"
PARTS = ("dataset", "source", "runs", "derived", "opinions", "pack")
CHILD = "scanvi_core.services.projects.project_file_child"
MEMORY_MB, MEMORY_PER_MB = 500.0, 8.0  # to look through one: so much, and per MB of it
TIMEOUT_S, SECONDS_PER_MB = 600.0, 5.0
LEFT_S = 86_400.0  # after which a folder that a kill left behind is removed


def start_saving(project_id: str) -> str:
    """Write a project into one file for another computer, in the background; return the job id."""
    access.check_no_visit()
    request_limits.take(request_limits.PROJECT)
    return jobs.submit(
        jobs.JobRequest(
            project_id, SAVE, IO_LANE, lambda job: save(project_id, job.step).name, changes=False
        )
    )


def save(project_id: str, report: Report = lambda *_: None) -> Path:
    """Write a project, and the file it was made from, into one zip file; return its path.

    That file is left out where it is gone or may not be opened.

    Raises
    ------
    ProjectError
        If the disk refuses, or who asks came by a link.
    """
    access.check_no_visit()
    project = open_project(project_id)
    target = project.exports / f"{project.id}{ENDING}"
    manifest = read_manifest(project.dataset)
    files = _members(project)
    source = _source(project, manifest)
    name = f"source/{Path(manifest['source']['path']).name}"
    manifest["source"]["path"] = name = name if is_member(name) else SOURCE
    if source is not None:
        files[name] = source
    texts = {f"dataset/{MANIFEST}": manifest, SETTINGS: portable(project.settings)}
    with (
        _on_disk(target),
        replacing(target) as partial,
        # a zip file knows no date before 1980; the manifest has the source's own
        zipfile.ZipFile(
            partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False
        ) as z,
        _copied_log(project) as log,
    ):
        for key, value in texts.items():
            z.writestr(key, to_json(value, indent=1))
        if log is not None:
            z.write(log, project.db.name)
        for i, (key, path) in enumerate(files.items()):
            report(i / len(files), f"Saving {path.name}")
            z.write(path, key)
    return target


def saved_file(project_id: str) -> Path | None:
    """Return the file `save` wrote, None before."""
    path = open_project(project_id).exports / f"{project_id}{ENDING}"
    return path if path.is_file() and not path.is_symlink() else None


def take_in(stream: IO[bytes], report: Report = lambda *_: None) -> str:
    """Make a project from a file of `save`; return its id.

    All of it is looked through in a child process first; see `project_file_child`. Where that
    fails, or `report`, which is told how far it is, raises anything, nothing is left behind.

    Raises
    ------
    FileRefused
        If it is no project file, or something in it is not as it has to be.
    ProjectError
        If the disk refuses.
    """
    request_limits.take(request_limits.PROJECT)
    with _on_disk(projects_home()), _stage() as stage:
        packed, project = stage / "project.zip", new_project()
        n_bytes = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        check_free(stage, n_bytes)
        with packed.open("wb") as sink:
            shutil.copyfileobj(stream, sink, 2**20)
        folder = stage / project.id
        folder.mkdir(mode=0o700)
        _unpack_checked(packed, folder, project.root, report)
        adopt(folder / project.db.name, read_manifest(folder / project.dataset.name)["n_obs"])
        for part in (*PARTS, "exports"):
            (folder / part).mkdir(exist_ok=True)
        access.begin(folder)
        folder.rename(project.root)
    return project.id


def duplicate(project_id: str) -> str:
    """Copy a project with its labels, history and models; return the id of the copy.

    Raises
    ------
    ProjectError
        If the disk refuses; then there is no copy.
    """
    request_limits.take(request_limits.PROJECT)
    project = open_project(project_id)
    copy = create_project(f"{project.name} (copy)")
    try:
        with _on_disk(copy.root):
            for part in (*PARTS, "pack"):
                for path in plain_files(project.root / part):
                    if path.suffix == ".tmp":
                        continue
                    target = copy.root / path.relative_to(project.root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target)
            with _copied_log(project) as log:
                if log is not None:
                    shutil.copyfile(log, copy.db)
            _settle(project, copy)
    except BaseException:
        shutil.rmtree(copy.root, ignore_errors=True)
        raise
    return copy.id


def _settle(project: Project, copy: Project) -> None:
    """Give a copy its name, and the file it was made from if that lies in the project."""
    manifest = read_manifest(copy.dataset)
    own = copy.source / Path(manifest["source"]["path"]).name
    if own.is_file():
        manifest["source"]["path"] = str(own)
        write_json(copy.dataset / MANIFEST, manifest)
    settings = project.settings | {"name": copy.name, "archived": False}
    write_json(copy.root / SETTINGS, settings)
    (copy.root / MARK).unlink(missing_ok=True)


def _members(project: Project) -> dict[str, Path]:
    """Return the files of a project that go into its file as they are, by their names there."""
    files = {
        path.relative_to(project.root).as_posix(): path
        for part in PARTS
        if part != "source"
        for path in plain_files(project.root / part)
    }
    return {
        name: path
        for name, path in files.items()
        if is_member(name) and name != f"dataset/{MANIFEST}"
    }


def _source(project: Project, manifest: Manifest) -> Path | None:
    try:
        path = stored_path(project, manifest["source"]["path"])
    except FileRefused:  # whoever saves it may not have it
        return None
    return path if path.is_file() else None


@contextmanager
def _copied_log(project: Project) -> Iterator[Path | None]:
    """Yield a file with the labels, wherever they are kept, or None where there are none.

    They are whole, also while somebody edits.
    """
    target = project.exports / f".{secrets.token_hex(4)}.project.db.tmp"
    try:
        with in_words("copied"):
            if server_url():
                workspace(project.id).store.copy_to(target)
            elif project.db.is_file():
                backup.copy_database(project.db, target)
        yield target if target.is_file() else None
    finally:
        target.unlink(missing_ok=True)


@contextmanager
def _stage() -> Iterator[Path]:
    """Yield a folder beside the projects, on their disk; nothing of it stays."""
    projects_home().mkdir(parents=True, exist_ok=True)
    for left in projects_home().glob(".new-*"):
        if time.time() - left.stat().st_mtime > LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    stage = projects_home() / f".new-{secrets.token_hex(8)}"
    stage.mkdir(mode=0o700)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _unpack_checked(packed: Path, folder: Path, root: Path, report: Report) -> None:
    """Unpack a file into a folder, in a child process, with nothing in it that was not checked."""
    size_mb = packed.stat().st_size / 1e6
    request = {
        "file": str(packed),
        "folder": str(folder),
        "root": str(root),
        "memory_mb": min(free_memory_mb(), MEMORY_MB + MEMORY_PER_MB * size_mb),
        "timeout_s": TIMEOUT_S + SECONDS_PER_MB * size_mb,
    }
    try:
        run_child(request, Talk(partial(pass_on, report)), CHILD)
    except ChildCrashed as error:
        raise cannot_open(f"looking through it failed. {error.message}") from error


@contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_written(path, error) from error
