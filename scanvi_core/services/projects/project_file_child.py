"""The process that looks through a project file, so that none can hurt this one.

Started by :mod:`scanvi_core.services.projects.project_file`; not for users.
"""

import hashlib
import os
import zipfile
from pathlib import Path, PureWindowsPath
from typing import Any

from scanvi_core.data.blocks.progress import CONCLUDING, UNPACKING, VERIFYING
from scanvi_core.data.child import main
from scanvi_core.data.guard.preflight import preflight
from scanvi_core.data.guard.watchdog import STEP_SECONDS
from scanvi_core.data.manifest import MANIFEST
from scanvi_core.errors import DataDamaged, ScanviError
from scanvi_core.project.files import to_json
from scanvi_core.project.folder import SETTINGS, Project
from scanvi_core.project.foreign import label_log as foreign_log
from scanvi_core.project.foreign import opinions as foreign_opinions
from scanvi_core.project.foreign import runs as foreign_runs
from scanvi_core.project.foreign.members import DAMAGE
from scanvi_core.project.foreign.project_file import (
    SOURCE,
    cannot_open,
    checked_members,
    is_member,
    no_project_file,
    unpack_member,
)
from scanvi_core.typed import Mistyped


def take_in(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack a project file into a folder, and leave nothing in it that was not looked at.

    Parameters
    ----------
    request
        ``file``, the project file; ``folder``, an empty folder; ``root``, where that folder will
        lie; ``memory_mb``, ``timeout_s``.

    Returns
    -------
    dict
        ``n_entries`` of its label log.

    Raises
    ------
    FileRefused
        If it is no project file, or something in it is not as it has to be.
    ProjectError
        If it is of a newer version, or the disk has no room for it.
    """
    folder = Path(request["folder"])
    try:
        _unpack(Path(request["file"]), folder)
        return _check_content(folder, Path(request["root"]), request["memory_mb"])
    except (DataDamaged, Mistyped) as error:
        raise cannot_open(getattr(error, "message", str(error)).rstrip(".")) from error
    except (ScanviError, MemoryError, OSError):
        raise
    except Exception as error:
        raise cannot_open("looking through it failed") from error


def _check_content(folder: Path, root: Path, memory_mb: float) -> dict[str, Any]:
    from scanvi_core.data.intake import foreign_dataset  # tables: only for a project

    VERIFYING.tell(0)
    manifest, genes = foreign_dataset.take_in(folder / "dataset")
    CONCLUDING.tell(0)
    project = Project(root.name, folder)
    runs = foreign_runs.take_in(project, manifest, genes)
    foreign_opinions.take_in(project, manifest["n_obs"])
    settings = foreign_runs.settings_of(project, set(manifest["obs_columns"]), runs)
    n_entries = 0
    if project.db.is_file():
        n_entries = foreign_log.check(folder, manifest["n_obs"])
    own = _source(project, manifest, memory_mb)
    manifest["source"]["path"] = str(root / "source" / own)
    if "origin" in manifest:
        manifest["origin"]["path"] = ""
        for part in manifest["origin"].get("parts", []):
            part["source"]["path"] = ""
    for name, value in ((f"dataset/{MANIFEST}", manifest), (SETTINGS, settings)):
        (folder / name).write_text(to_json(value, indent=1) + "\n", encoding="utf-8")
    return {"n_entries": n_entries}


def _unpack(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            members = checked_members(packed, path.stat().st_size, folder)
            whole, done = sum(entry.file_size for entry in members) or 1, 0
            for entry in members:
                UNPACKING.tell(done / whole)
                unpack_member(packed, entry, folder)
                done += entry.file_size
    except DAMAGE as error:
        raise no_project_file("it is no zip file, or a damaged one") from error


def _source(project: Project, manifest: dict[str, Any], memory_mb: float) -> str:
    """Keep the file the project was made from, if it is in the file and is that; drop others."""
    about = manifest["source"]
    name = PureWindowsPath(about["path"]).name
    if not is_member(f"source/{name}"):
        name = Path(SOURCE).name
    for path in project.source.glob("*"):
        if path.name != name:
            path.unlink()
    own = project.source / name
    if not own.is_file():
        return name
    with own.open("rb") as handle:
        same = hashlib.file_digest(handle, "sha256").hexdigest() == about["sha256"]
    if not same or own.stat().st_size != about["size"]:
        raise cannot_open("the data file in it is not the one it was made from")
    preflight(own, memory_mb * 1e6, STEP_SECONDS)
    os.utime(own, ns=(about["mtime_ns"], about["mtime_ns"]))
    return name


if __name__ == "__main__":
    main(take_in)
