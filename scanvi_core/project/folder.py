"""A project is a folder; every path in it is named here."""

import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanvi_core import runtime
from scanvi_core.errors import ProjectError
from scanvi_core.project.files import read_json, write_json
from scanvi_core.project.names import clean_label

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{15}", re.ASCII)
_SETTINGS = "settings.json"
ON_SERVER = "labels-on-server"  # touched with every change where a server keeps the labels
_settings_lock = threading.Lock()  # reading, changing and writing is one step


@dataclass(frozen=True, slots=True)
class Project:
    """The folder of one project.

    Attributes
    ----------
    id
        16 random characters; the only thing a page may know of it.
    root
        The folder.
    """

    id: str
    root: Path

    @property
    def db(self) -> Path:
        """Labels and their history."""
        return self.root / "project.db"

    @property
    def saved_at(self) -> float | None:
        """When the labels last changed, in seconds since 1970; None where there are none."""
        files = [path for path in (self.db, self.root / ON_SERVER) if path.is_file()]
        return max((path.stat().st_mtime for path in files), default=None)

    @property
    def dataset(self) -> Path:
        """The checked copy of the data."""
        return self.root / "dataset"

    @property
    def source(self) -> Path:
        """Uploaded files, as they came."""
        return self.root / "source"

    @property
    def runs(self) -> Path:
        """One folder per training run."""
        return self.root / "runs"

    @property
    def exports(self) -> Path:
        """Files for download."""
        return self.root / "exports"

    @property
    def derived(self) -> Path:
        """What can be computed again: clusters, a map of the counts."""
        return self.root / "derived"

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen for this project (a fresh copy): name, created, keys, current run."""
        settings = read_json(self.root / _SETTINGS)
        if not isinstance(settings, dict):
            raise ProjectError("settings.json of the project is damaged.")
        return settings

    def update_settings(self, **changes: Any) -> dict[str, Any]:
        """Change some settings, keep the others, and return all of them.

        Raises
        ------
        ProjectError
            If the file is damaged or the disk refuses.
        """
        with _settings_lock:
            settings = self.settings | changes
            write_json(self.root / _SETTINGS, settings)
        return settings

    @property
    def name(self) -> str:
        """The name people gave it."""
        return str(self.settings.get("name", self.id))


def projects_home() -> Path:
    """Return the folder that holds all projects."""
    return runtime.home() / "projects"


def create_project(name: str) -> Project:
    """Make a new project folder, which only its owner may read.

    Raises
    ------
    SettingInvalid
        If the name is empty or longer than 200 characters.
    ProjectError
        If the folder cannot be made.
    """
    name = clean_label(name)
    identifier = secrets.token_urlsafe(12)
    while not _ID.fullmatch(identifier):  # a leading dash would read as an option
        identifier = secrets.token_urlsafe(12)
    project = Project(identifier, projects_home() / identifier)
    try:
        projects_home().mkdir(parents=True, exist_ok=True)
        project.root.mkdir(mode=0o700)
        for folder in (project.dataset, project.source, project.runs, project.exports):
            folder.mkdir()
    except OSError as error:
        raise ProjectError(
            f"The project folder {project.root} could not be made: {error.strerror}.",
            "Free some disk space, or set SCANVI_HOME to a folder you may write to.",
        ) from error
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(project.root / _SETTINGS, {"name": name, "created": created})
    return project


def open_project(identifier: str) -> Project:
    """Return the project with this id.

    Raises
    ------
    ProjectError
        If there is none, or the text is not an id.
    """
    root = projects_home() / identifier if _ID.fullmatch(identifier) else None
    if root is None or not (root / _SETTINGS).is_file():
        raise ProjectError(
            f"There is no project {identifier[:40]!r} here.", "Choose one from the start page."
        )
    return Project(identifier, root)


def list_projects() -> list[Project]:
    """Return all projects, the one changed last first."""
    found = [path for path in projects_home().glob(f"*/{_SETTINGS}") if _is_project(path)]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [Project(path.parent.name, path.parent) for path in found]


def _is_project(settings: Path) -> bool:
    return _ID.fullmatch(settings.parent.name) is not None
