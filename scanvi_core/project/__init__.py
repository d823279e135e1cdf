"""A project: its folder, the log of its labels, its runs."""

from scanvi_core.project import events
from scanvi_core.project.events import Event, describe
from scanvi_core.project.folder import Project, create_project, list_projects, open_project
from scanvi_core.project.runs import Run, RunStatus, status_seen
from scanvi_core.project.state import SOURCE_NAMES, LabelState
from scanvi_core.project.store import LabelStore, StaleEdit, StepInUse

__all__ = [
    "SOURCE_NAMES",
    "Event",
    "LabelState",
    "LabelStore",
    "Project",
    "Run",
    "RunStatus",
    "StaleEdit",
    "StepInUse",
    "create_project",
    "describe",
    "events",
    "list_projects",
    "open_project",
    "status_seen",
]
