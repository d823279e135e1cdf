"""A project: its folder, the log of its labels, its runs."""

from scanvi_core.project.folder import Project, create_project, list_projects, open_project
from scanvi_core.project.label_log import events
from scanvi_core.project.label_log.events import Event, describe
from scanvi_core.project.label_log.replay.state import SOURCE_NAMES, LabelState
from scanvi_core.project.label_log.store import LabelStore, StaleEdit, StepInUse
from scanvi_core.project.runs import Run, RunStatus, status_seen

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
