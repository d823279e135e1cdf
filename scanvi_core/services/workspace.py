"""Projects: opening data sets, and what every page says about the one that is open."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from scanvi_core.data.dataset import Dataset
from scanvi_core.data.manifest import check_complete
from scanvi_core.errors import ProjectError
from scanvi_core.project import access
from scanvi_core.project.folder import Project, list_projects, open_project
from scanvi_core.project.label_log.state import LabelState
from scanvi_core.project.label_log.store import LabelStore
from scanvi_core.project.runs import Run
from scanvi_core.services.cache import Kept
from scanvi_core.services.paths import stored_path

IO_LANE = "files"
OPEN_PROJECTS = 16  # at once in memory


@dataclass(frozen=True)
class Workspace:
    """One opened data set with its labels, and the answers kept about it."""

    project: Project
    dataset: Dataset
    store: LabelStore
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    def labels(self) -> LabelState:
        """Return the labels as they are now."""
        return self.store.labels()

    def current_run(self) -> Run | None:
        """Return the run whose predictions the pages show, if a model was trained."""
        run_id = self.project.settings.get("current_run")
        return Run.open(self.project, run_id) if run_id else None

    def categories(self, key: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return a column of obs as codes, int32 [n_obs], -1 where missing, and sorted names.

        Raises
        ------
        ColumnMissing
            If there is no such column.
        """

        def read() -> tuple[np.ndarray, tuple[str, ...]]:
            codes, names = pd.factorize(self.dataset.values(key).astype("string"), sort=True)
            return codes.astype(np.int32), tuple(map(str, names))

        return self.kept.get(("categories", key), read)


_open: OrderedDict[str, Workspace] = OrderedDict()
_lock = threading.Lock()


def workspace(project_id: str) -> Workspace:
    """Return the opened project; kept open, since its arrays are memory-mapped.

    Raises
    ------
    ProjectError
        If there is no such project or its data set was never imported.
    """
    known = _open.get(project_id)
    if known is not None and not access.is_open(known.project.root):
        open_project(project_id)  # refuses: what is open for one is not for all
    with _lock:
        if project_id not in _open:
            project = open_project(project_id)
            dataset = Dataset.open(project.dataset)
            check_complete(dataset.folder, dataset.manifest)
            store = LabelStore.open(project.root, dataset.n_obs)
            _open[project_id] = Workspace(project, dataset, store)
        _open.move_to_end(project_id)
        while len(_open) > OPEN_PROJECTS:  # those who still work with it keep it
            _open.popitem(last=False)
        return _open[project_id]


def exists(project_id: str) -> bool:
    """Tell whether there is a project of this id."""
    try:
        open_project(project_id)
    except ProjectError:
        return False
    return True


def is_ready(project_id: str) -> bool:
    """Tell whether the project's data set has been imported."""
    return (open_project(project_id).dataset / "manifest.json").is_file()


def recent_projects() -> list[Project]:
    """Return the projects on this machine that hold a data set, newest first."""
    return [project for project in list_projects() if is_ready(project.id)]


def created_at(project: Project) -> datetime:
    """Return when a project was made, in local time."""
    return datetime.fromisoformat(project.settings["created"]).astimezone()


def source_path(opened: Workspace) -> Path:
    """Return the file a project was made from; it may be gone.

    Raises
    ------
    FileRefused
        If it may not be opened.
    """
    return stored_path(opened.project, opened.dataset.manifest["source"]["path"])


def set_batch_key(project_id: str, key: str | None) -> None:
    """Choose the obs column that tells batches apart (None: no batches)."""
    workspace(project_id).project.update_settings(batch_key=key)


ONE_BATCH = "all cells"


def batches_of(opened: Workspace, key: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return batch codes [n_obs] and names; one batch when no column was chosen."""
    if not key:
        return np.zeros(opened.dataset.n_obs, dtype=np.int64), (ONE_BATCH,)

    def read() -> tuple[np.ndarray, tuple[str, ...]]:
        values = opened.dataset.values(key).astype("string").fillna("missing")
        codes, names = pd.factorize(values, sort=True)
        return codes.astype(np.int64), tuple(str(name) for name in names)

    return opened.kept.get(("batches", key), read)
