"""A project is a folder; every path in it is named here."""

import json
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanvi_core import runtime
from scanvi_core.errors import ProjectError, reason_of
from scanvi_core.project import access
from scanvi_core.project.files import read_record, write_json
from scanvi_core.project.names import clean_label
from scanvi_core.project.records import Settings
from scanvi_core.project.turns import turn
from scanvi_core.runtime import replacing
from scanvi_core.typed import Mistyped, taken

ID_LENGTH = 16
_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{{ID_LENGTH - 1}}}", re.ASCII)
SETTINGS = "settings.json"
DAMAGED_SETTINGS = "settings.damaged.json"
ON_SERVER = "labels-on-server"  # touched with every change where a server keeps the labels


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
    def parts(self) -> Path:
        """Files that are to be joined, each read on its own; gone once they are."""
        return self.root / "parts"

    @property
    def runs(self) -> Path:
        """One folder per training run."""
        return self.root / "runs"

    @property
    def exports(self) -> Path:
        """Files for download."""
        return self.root / "exports"

    @property
    def opinions(self) -> Path:
        """What others say of the cells, one folder each; see `scanvi_core.project.opinions`."""
        return self.root / "opinions"

    @property
    def derived(self) -> Path:
        """What can be computed again: clusters, a map of the counts."""
        return self.root / "derived"

    @property
    def settings(self) -> dict[str, Any]:
        """What was chosen for this project (a fresh copy): name, created, keys, current run."""
        return read_record(self.root / SETTINGS, Settings)

    def update_settings(self, **changes: Any) -> dict[str, Any]:
        """Change some settings, keep the others, and return all of them.

        Raises
        ------
        ProjectError
            If the file is damaged, the disk refuses, or who asks may only look.
        """
        access.check_write(self.root)
        with turn(self.root):
            settings = self.settings | changes
            write_json(self.root / SETTINGS, settings)
        return settings

    @property
    def name(self) -> str:
        """The name people gave it; its id where that cannot be read."""
        try:
            return str(self.settings.get("name", self.id))
        except ProjectError:
            return self.id


def projects_home() -> Path:
    """Return the folder that holds all projects."""
    return runtime.home() / "projects"


def create_project(name: str) -> Project:
    """Make a new project folder, which only its owner may read: the account that runs the program.

    Where people sign in, who asks for it owns the project.

    Raises
    ------
    SettingInvalid
        If the name is empty or longer than 200 characters.
    ProjectError
        If the folder cannot be made.
    """
    name, project = clean_label(name), new_project()
    try:
        projects_home().mkdir(parents=True, exist_ok=True)
        project.root.mkdir(mode=0o700)
        for folder in (project.dataset, project.source, project.runs, project.exports):
            folder.mkdir()
        write_json(project.root / SETTINGS, {"name": name, "created": now()})
        access.begin(project.root)
    except OSError as error:
        shutil.rmtree(project.root, ignore_errors=True)
        raise ProjectError(
            f"The project folder {project.root} could not be made: {reason_of(error)}.",
            "Free some disk space, or set SCANVI_HOME to a folder you may write to.",
        ) from error
    except ProjectError:
        shutil.rmtree(project.root, ignore_errors=True)
        raise
    return project


def new_project() -> Project:
    """Return a project with a new id; nothing of it is on the disk yet."""
    identifier = secrets.token_urlsafe(12)
    while not _ID.fullmatch(identifier):  # a leading dash would read as an option
        identifier = secrets.token_urlsafe(12)
    return Project(identifier, projects_home() / identifier)


def mend_settings(project: Project) -> None:
    """Replace settings that cannot be shown in a list, keeping what can be read of them.

    The damaged file stays beside the new one.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    path = project.root / SETTINGS
    try:
        settings = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        settings = {}
    sound = {"name": project.id, "created": now()}
    for key, value in settings.items() if isinstance(settings, dict) else ():
        try:
            taken({key: value}, Settings)
        except Mistyped:  # that is what is damaged
            continue
        sound[key] = value
    with turn(project.root), replacing(path.with_name(DAMAGED_SETTINGS)) as temporary:
        shutil.copyfile(path, temporary)
        write_json(path, sound)


def now() -> str:
    """Return the time as the files of a project have it (UTC, ISO text)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def place_of(identifier: str) -> Path | None:
    """Return the folder of the project with this id, whoever asks; None where there is none."""
    root = projects_home() / identifier if _ID.fullmatch(identifier) else None
    return root if root is not None and (root / SETTINGS).is_file() else None


def open_project(identifier: str, *, to_change: bool = False) -> Project:
    """Return the project with this id.

    Raises
    ------
    ProjectError
        If there is none that who asks may see, or change if so; or the text is not an id.
    """
    root = place_of(identifier)
    if root is None or not access.is_open(root):
        raise ProjectError(
            f"There is no project {identifier[:40]!r} here.", "Choose one from the start page."
        )
    if to_change:
        access.check_write(root)
    return Project(identifier, root)


def list_projects() -> list[Project]:
    """Return all projects that who asks may see, the one changed last first."""
    found = [path for path in projects_home().glob(f"*/{SETTINGS}") if _is_project(path)]
    found = [path for path in found if access.is_open(path.parent)]
    found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [Project(path.parent.name, path.parent) for path in found]


def _is_project(settings: Path) -> bool:
    return _ID.fullmatch(settings.parent.name) is not None and settings.is_file()
