"""Projects on this computer: list, rename, duplicate, archive, repair, and move as one file."""

import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from scanvi_core.data.dataset import Dataset
from scanvi_core.errors import FileRefused, ProjectError
from scanvi_core.project.files import read_json, write_json
from scanvi_core.project.folder import Project, create_project, open_project
from scanvi_core.project.label_log import backup
from scanvi_core.project.label_log.database import server_url
from scanvi_core.project.locks import MARK, was_cut_off
from scanvi_core.project.names import clean_label
from scanvi_core.services import jobs
from scanvi_core.services.workspace import IO_LANE, created_at, recent_projects, workspace

PACK = "pack"
PACKED = ".project.zip"
ARCHIVED = "archived"
_PARTS = frozenset({"settings.json", "project.db", "dataset", "source", "runs", "derived"})
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """One line of the list of projects.

    Attributes
    ----------
    saved_at
        When its labels last changed, in local time; None where there are none.
    cut_off
        Whether the program ended without closing it.
    """

    id: str
    name: str
    created: datetime
    saved_at: datetime | None
    cut_off: bool
    archived: bool


def listing(*, archived: bool = False) -> list[Entry]:
    """Return the projects that hold a data set, those saved last first.

    With `archived` those that were put away, else the others.
    """
    found = [_entry(project) for project in recent_projects()]
    chosen = [entry for entry in found if entry.archived == archived]
    return sorted(chosen, key=lambda entry: entry.saved_at or entry.created, reverse=True)


def _entry(project: Project) -> Entry:
    settings = project.settings
    saved = project.saved_at
    return Entry(
        project.id,
        str(settings.get("name", project.id)),
        created_at(project),
        None if saved is None else datetime.fromtimestamp(saved).astimezone(),
        was_cut_off(project.root),
        bool(settings.get(ARCHIVED, False)),
    )


def rename(project_id: str, name: str) -> None:
    """Give a project another name."""
    open_project(project_id).update_settings(name=clean_label(name))


def archive(project_id: str, *, away: bool = True) -> None:
    """Put a project away, or take it out again; nothing in it changes."""
    open_project(project_id).update_settings(archived=away)


def duplicate(project_id: str) -> str:
    """Copy a project with its labels, history and models; return the id of the copy.

    Raises
    ------
    ProjectError
        If the disk refuses; then there is no copy.
    """
    project = open_project(project_id)

    def fill(copy: Project) -> None:
        for path in project.root.iterdir():
            if path.is_dir() and path.name in _PARTS:
                shutil.copytree(path, copy.root / path.name, dirs_exist_ok=True)
        _copy_log(project, copy.db)
        write_json(copy.root / "settings.json", project.settings | {"name": copy.name})

    return _made(f"{project.name} (copy)", fill)


def start_pack(project_id: str) -> str:
    """Write a project into one file for another computer, in the background; return the job id."""
    return jobs.submit(
        jobs.JobRequest(project_id, PACK, IO_LANE, lambda job: pack(project_id, job.report).name)
    )


def pack(project_id: str, report: Callable[[float, str], None] = lambda *_: None) -> Path:
    """Write a project, and the file it was made from, into one zip file; return its path.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    project = open_project(project_id)
    target = project.exports / f"{project.id}{PACKED}"
    partial = target.with_name(f".{target.name}.tmp")
    log = project.exports / ".project.db.tmp"
    parts = sorted(_PARTS - {project.db.name})
    files = [path for part in parts for path in _files(project.root / part)]
    with (
        _on_disk(target),
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z,
    ):
        for i, path in enumerate(files):
            report(i / (len(files) + 1), f"Packing {path.name}")
            z.write(path, path.relative_to(project.root).as_posix())
        if _copy_log(project, log):
            z.write(log, project.db.name)
            log.unlink()
        source = Path(read_json(project.dataset / _MANIFEST)["source"]["path"])
        if source.is_file() and not source.is_relative_to(project.root):
            report(0.9, f"Packing {source.name}")
            z.write(source, f"source/{source.name}")
    partial.replace(target)
    return target


def _copy_log(project: Project, target: Path) -> bool:
    """Write the labels of a project, wherever they are kept, as one file; False without any.

    They are whole, also while somebody edits.
    """
    if server_url():
        workspace(project.id).store.copy_to(target)
    elif project.db.is_file():
        backup.copy_database(project.db, target)
    else:
        return False
    return True


def packed_file(project_id: str) -> Path | None:
    """Return the file `pack` wrote, None before."""
    path = open_project(project_id).exports / f"{project_id}{PACKED}"
    return path if path.is_file() else None


def unpack(stream: IO[bytes]) -> str:
    """Make a project from a file of `pack`; return its id.

    Raises
    ------
    FileRefused
        If it is no packed project, or is damaged.
    ProjectError
        If the disk refuses.
    """
    try:
        with zipfile.ZipFile(stream) as z:
            names = _checked_names(z)

            def fill(project: Project) -> None:
                for name in names:
                    path = project.root / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with z.open(name) as source, path.open("wb") as sink:
                        shutil.copyfileobj(source, sink, 1 << 20)

            return _made("Unpacked", fill)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _not_packed(str(error)) from error


def _checked_names(z: zipfile.ZipFile) -> list[str]:
    names = [item.filename for item in z.infolist() if not item.is_dir()]
    for name in names:
        parts = PurePosixPath(name).parts
        if "\\" in name or ":" in name or ".." in parts or parts[0] not in _PARTS:
            raise _not_packed(f"it holds {name[:60]!r}")
    if not {"settings.json", f"dataset/{_MANIFEST}"} <= set(names):
        raise _not_packed("it holds no data set")
    free = shutil.disk_usage(Path.home()).free
    if sum(item.file_size for item in z.infolist()) > free:
        raise ProjectError("The project is larger than the free disk space.", "Free some space.")
    return names


def _not_packed(why: str) -> FileRefused:
    return FileRefused(
        f"This is no project file: {why}.",
        "Choose a file from “Save as one file” on the Open page.",
    )


def _made(name: str, fill: Callable[[Project], None]) -> str:
    """Make a project and fill it; when that fails, nothing of it stays."""
    project = create_project(name)
    try:
        with _on_disk(project.root):
            fill(project)
            _settle(project)
    except BaseException:
        shutil.rmtree(project.root, ignore_errors=True)
        raise
    return project.id


def _settle(project: Project) -> None:
    """Make what was copied in at home: it is open, and its source file lies beside it."""
    path = project.dataset / _MANIFEST
    manifest = read_json(path)
    Dataset.open(project.dataset)  # raises when it cannot be read
    about: dict[str, Any] = manifest["source"]
    own = project.source / Path(about["path"]).name
    if own.is_file():
        os.utime(own, ns=(about["mtime_ns"], about["mtime_ns"]))
        write_json(path, manifest | {"source": about | {"path": str(own)}})
    project.update_settings(archived=False)
    (project.root / MARK).unlink(missing_ok=True)
    project.exports.mkdir(exist_ok=True)


def damage(project_id: str) -> str:
    """Return what is wrong with the label log; empty when it is whole."""
    return workspace(project_id).store.damage


def repair(project_id: str) -> backup.Mended:
    """Mend a damaged label log from all that can be read of it, or from its fullest copy.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    return workspace(project_id).store.repair()


def was_recovered(project_id: str) -> bool:
    """Tell whether the program ended without closing this project the last time."""
    return workspace(project_id).store.recovered


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(item for item in path.rglob("*") if item.is_file())
    return [item for item in found if not item.name.endswith(".tmp")]


@contextmanager
def _on_disk(path: Path):  # type: ignore[no-untyped-def]
    try:
        yield
    except OSError as error:
        raise ProjectError(
            f"{path.name} could not be written: {error.strerror or error}.",
            "Free some disk space, or check who may write to the project folder.",
        ) from error
