"""Adding files to a project: a new one with the cells and labels of both; the old one stays."""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from scanvi_core.data.manifest import (
    MANIFEST,
    Manifest,
    SourceFile,
    joined_parts,
    read_manifest,
    source_files,
)
from scanvi_core.errors import FileRefused, InputError
from scanvi_core.plurals import count
from scanvi_core.project.files import not_written, write_json
from scanvi_core.project.folder import Project, create_project
from scanvi_core.project.foreign.project_file import plain_files
from scanvi_core.project.records import PartFile
from scanvi_core.services import request_limits
from scanvi_core.services.paths import stored_path
from scanvi_core.services.projects.joining import file_names, parts, several_files
from scanvi_core.services.projects.joining.grown import ADDED_TO
from scanvi_core.services.projects.open_file import keep_uploads
from scanvi_core.services.workspace import workspace

BEFORE = "before"  # what a project of several files is called beside those added to it
NAME = 150  # characters of the old project's name in that of the new one


def add_paths(project_id: str, texts: Sequence[str]) -> str:
    """Start adding files and folders of this computer to a project; return the new one's id.

    Raises
    ------
    FileRefused
        If a path does not lead to a file or folder below the data folder.
    InputError
        If they are too many, or one is there twice.
    """
    files = several_files.allowed_files(texts)
    return _begin(project_id, lambda _: files)


def add_uploads(project_id: str, files: Sequence[tuple[str, IO[bytes]]]) -> str:
    """Keep uploaded files and start adding them to a project; return the new one's id.

    Lists without cells of their own belong together, as a matrix with its genes and cells.
    """
    named = several_files.named_apart(files)
    together = len(files) > 1 and not several_files.hold_cells(files)

    def fetch(project: Project) -> list[Path]:
        kept = keep_uploads(project, named)
        return [kept[0].parent] if together else kept

    return _begin(project_id, fetch)


def _begin(project_id: str, fetch: Callable[[Project], list[Path]]) -> str:
    request_limits.take(request_limits.PROJECT)
    earlier = workspace(project_id)
    manifest = read_manifest(earlier.project.dataset)
    project = create_project(f"{earlier.project.name[:NAME]} and more")
    try:
        files = fetch(project)
        known = {source["path"] for source in source_files(manifest)}
        twice = next((path.name for path in files if str(path) in known), None)
        if twice is not None:
            raise InputError(f"{twice} is in this project already.", "Choose another file.")
        before = _first(earlier.project, project, manifest)
        taken = [part["name"] for part in joined_parts(manifest)]
        parts.list_files(project, files, before=[before], taken=taken)
        name = f"{earlier.project.name[:NAME]} + {count(len(files), 'file')}"
        project.update_settings(name=name, **{ADDED_TO: earlier.id})
    except BaseException:
        shutil.rmtree(project.root, ignore_errors=True)
        raise
    several_files.read_on(project.id)
    return project.id


def _first(earlier: Project, project: Project, manifest: Manifest) -> PartFile:
    """Make what was read of a project the first part of another; nothing is read again."""
    folder = project.parts / "0"
    for path in plain_files(earlier.dataset):
        _link(path, folder / "dataset" / path.relative_to(earlier.dataset))
    for source in source_files(manifest):
        kept = _kept(earlier, source)
        if kept is not None:
            source["path"] = str(_link(kept, folder / "source" / "-".join(kept.parts[-2:])))
    write_json(folder / "dataset" / MANIFEST, manifest)
    alone = file_names.names_of([Path(manifest.get("origin", manifest)["name"])])
    name = BEFORE if joined_parts(manifest) else alone[0]
    return {"name": name, "path": str(folder / "dataset"), "reference": False}


def _kept(project: Project, source: SourceFile) -> Path | None:
    """Return a file that was uploaded to a project or made in it; None where it lies elsewhere."""
    try:
        path = stored_path(project, source["path"])
    except FileRefused:  # whoever adds to it may not have it
        return None
    return path if path.is_relative_to(project.source.resolve()) and path.is_file() else None


def _link(path: Path, target: Path) -> Path:
    """Give a file that is never changed a second name; copy it where the disk knows no such."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        try:
            shutil.copy2(path, target)
        except OSError as error:
            raise not_written(target, error) from error
    return target
