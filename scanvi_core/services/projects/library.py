"""Projects on this computer: list, rename, duplicate, archive, repair, and move as one file."""

import logging
from dataclasses import dataclass
from datetime import datetime

from scanvi_core.errors import ScanviError
from scanvi_core.project import remarks
from scanvi_core.project.files import read_record
from scanvi_core.project.folder import SETTINGS, Project, mend_settings, open_project
from scanvi_core.project.label_log.storage import backup
from scanvi_core.project.locks import was_cut_off
from scanvi_core.project.names import clean_label
from scanvi_core.project.records import Shown
from scanvi_core.services.projects.project_file import (
    SAVE,
    duplicate,
    save,
    saved_file,
    start_saving,
    take_in,
)
from scanvi_core.services.workspace import created_at, recent_projects, workspace

__all__ = [
    "SAVE", "Entry", "archive", "damage", "duplicate", "listing", "rename", "repair", "save",
    "saved_file", "start_saving", "take_in", "was_recovered",
]  # fmt: skip

logger = logging.getLogger(__name__)
ARCHIVED = "archived"
UNREADABLE = "Its settings are not what was written."


@dataclass(frozen=True)
class Entry:
    """One line of the list of projects.

    Attributes
    ----------
    saved_at
        When its labels last changed, in local time; None where there are none.
    cut_off
        Whether the program ended without closing it.
    damage
        Why nothing more can be told of it, in a sentence; empty where all is well.
    n_said
        How much colleagues said of it that is not done.
    """

    id: str
    name: str
    created: datetime
    saved_at: datetime | None
    cut_off: bool
    archived: bool
    damage: str = ""
    n_said: int = 0


def listing(*, archived: bool = False) -> list[Entry]:
    """Return the projects that hold a data set, those saved last first.

    With `archived` those that were put away, else the others. One whose settings are damaged is
    among them, and hides no other; `archive` mends them.
    """
    entries = [_entry(project) for project in recent_projects()]
    chosen = [entry for entry in entries if entry.archived == archived]
    return sorted(chosen, key=lambda entry: entry.saved_at or entry.created, reverse=True)


def _entry(project: Project) -> Entry:
    try:
        return _sound_entry(project)
    except Exception as error:
        logger.warning("Project %s is listed as damaged", project.id, exc_info=error)
        damage = error.message if isinstance(error, ScanviError) else UNREADABLE
        written = datetime.fromtimestamp(project.root.stat().st_mtime).astimezone()
        return Entry(project.id, project.id, written, None, False, False, damage)


def _sound_entry(project: Project) -> Entry:
    settings = read_record(project.root / SETTINGS, Shown) | project.settings
    saved = project.saved_at
    return Entry(
        project.id,
        str(settings.get("name", project.id)),
        created_at(project),
        None if saved is None else datetime.fromtimestamp(saved).astimezone(),
        was_cut_off(project.root),
        bool(settings.get(ARCHIVED, False)),
        n_said=remarks.read(project.root).n_open,
    )


def rename(project_id: str, name: str) -> None:
    """Give a project another name."""
    open_project(project_id).update_settings(name=clean_label(name))


def archive(project_id: str, *, away: bool = True) -> None:
    """Put a project away, or take it out again; nothing in it changes.

    Damaged settings are mended first: what can be read of them stays.
    """
    project = open_project(project_id)
    if _entry(project).damage:
        mend_settings(project)
    project.update_settings(archived=away)


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
